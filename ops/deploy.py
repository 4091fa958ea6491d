"""What `docker-compose.yml` needs besides: its secrets, and a database that is ready before the services are.

In the image: `ops.deploy secrets` prints an environment file once, and the container `prepare` runs
`ops.deploy prepare` at every start. `ops/stack/docker.py` takes the same secrets for the servers of `./zikao`.
"""

import asyncio
import hashlib
import json
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import typer

from ops.stack.environment import Secrets
from shared import events
from shared.runtime.database import AUDITOR, prepare
from shared.runtime.migrate import MigrationChanged

OUTSIDE_ACCOUNTS = (
    *("ZIKAO_SMS_ALIYUN_URL", "ZIKAO_SMS_ALIYUN_KEY_ID", "ZIKAO_SMS_ALIYUN_SECRET"),
    *("ZIKAO_SMS_TENCENT_URL", "ZIKAO_SMS_TENCENT_SECRET_ID", "ZIKAO_SMS_TENCENT_SECRET_KEY"),
    *("ZIKAO_SMS_TENCENT_APP_ID", "ZIKAO_CHSI_URL", "ZIKAO_CHSI_SECRET"),
)
"""What only SMS providers and CHSI (学信网) can give; the compose file asks for it too."""
YOURS_TO_FILL_IN = (
    "# Your accounts for SMS and at CHSI. For a trial the URLs are http://sandbox:8000 (CHSI: with /chsi behind),\n"
    "# and the rest any words.\n"
)
PLAIN = re.compile(r"[A-Za-z0-9_-]{20,}")
"""A password that stands in a URL as it is."""


def new_secrets() -> dict[str, str]:
    """A fresh value for every secret that the compose file asks for."""
    with TemporaryDirectory() as folder:
        kept = Secrets(Path(folder) / "secrets.json")
        of_services = {service: kept.of_service(service) for service in events.SERVICES}
        digests = {service: hashlib.sha256(each.encode()).hexdigest() for service, each in of_services.items()}
        return {
            "ZIKAO_POSTGRES_PASSWORD": kept.of_role("postgres"),
            "ZIKAO_AMQP_PASSWORD": kept.of_role("rabbitmq"),
            "ZIKAO_KEK": kept.kek,
            "ZIKAO_TOKEN_KEYS": kept.token_keys,
            "ZIKAO_BOOTSTRAP_SECRET": kept.bootstrap,
            **{f"ZIKAO_ROLE_{role.upper()}": each for role, each in kept.of_roles(events.SERVICES).items()},
            **{f"ZIKAO_SECRET_{service.upper()}": each for service, each in of_services.items()},
            "ZIKAO_SERVICE_SECRET_DIGESTS": json.dumps(digests),
        }


def as_environment_file(secrets: dict[str, str]) -> str:
    """Quoted, since two of them are JSON; none of them holds an apostrophe."""
    return "".join(f"{name}='{value}'\n" for name, value in secrets.items())


app = typer.Typer(help="For a server with Docker; see docker-compose.yml.", no_args_is_help=True, add_completion=False)


@app.command()
def secrets() -> None:
    """Print an environment file with fresh secrets. Keep it: without the KEK nothing personal can be read again."""
    accounts = "".join(f"{name}=\n" for name in OUTSIDE_ACCOUNTS)
    typer.echo(as_environment_file(new_secrets()) + YOURS_TO_FILL_IN + accounts, nl=False)


@app.command("prepare")
def prepare_database() -> None:
    """Make roles, schemas and migrations, or bring them up to date."""
    passwords = json.loads(_needed("ZIKAO_ROLE_PASSWORDS"))
    if missing := {*events.SERVICES, AUDITOR} - passwords.keys():
        raise typer.BadParameter(f"ZIKAO_ROLE_PASSWORDS has none for {', '.join(sorted(missing))}.")
    if weak := sorted(role for role, password in passwords.items() if not PLAIN.fullmatch(password)):
        raise typer.BadParameter(f"Of {', '.join(weak)}: 20 or more of A-Z, a-z, 0-9, - and _ are needed.")
    try:
        asyncio.run(prepare(_needed("ZIKAO_POSTGRES_ADMIN_URL"), passwords))
    except MigrationChanged as change:
        _end(f"The database was made by another version of the code ({change}); go back to that version.")
    except (OSError, asyncpg.PostgresError) as error:
        _end(f"The database cannot be prepared: {type(error).__name__}.")
    typer.echo("The database is ready.")


def _needed(name: str) -> str:
    if not (value := os.environ.get(name)):
        raise typer.BadParameter(f"{name} is not set.")
    return value


def _end(reason: str) -> None:
    typer.echo(reason, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app(prog_name="ops.deploy")
