"""The one-time command that makes the first administrator; behind `./zikao admin first`, and called by the demo.

Everybody else with a role got it from an administrator. Identity accepts this once ever, from who holds the bootstrap
secret, and answers with an activation code: whoever runs it hands the code to the person, who activates the account.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

import httpx
import typer

from ops.stack.environment import Secrets
from ops.stack.places import Place, Unserviceable, place_of
from ops.stack.ports import LOOPBACK

LOGIN, NAME = "administrator", "首任管理员"


@dataclass(frozen=True)
class FirstAdministrator:
    staff: str
    login: str
    activation_code: str


class NotMade(Exception):
    """Identity refused; `code` is the problem's, the text is what identity said."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


async def make_first_administrator(
    identity_url: str,
    secret: str,
    login: str = LOGIN,
    name: str = NAME,
    transport: httpx.AsyncBaseTransport | None = None,
) -> FirstAdministrator:
    """Raises NotMade when there is a first administrator already, or the secret is wrong."""
    async with httpx.AsyncClient(timeout=30, transport=transport) as client:
        answer = await client.post(
            identity_url.rstrip("/") + "/v1/first-administrator",
            json={"secret": secret, "login": login, "name": name},
            headers={"Idempotency-Key": f"first-{uuid4()}"},
        )
    if answer.is_error:
        problem = answer.json()
        raise NotMade(problem["code"], f"{problem['detail']} {problem['detail_en']}")
    return FirstAdministrator(**answer.json())


app = typer.Typer(help="The first administrator.", no_args_is_help=True, add_completion=False)


@app.callback()
def admin() -> None:
    """The first administrator."""


@app.command()
def first(
    identity_url: Annotated[
        str | None,
        typer.Option(envvar="ZIKAO_IDENTITY_URL", help="Where identity is; without it, this checkout's stack."),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(envvar="ZIKAO_BOOTSTRAP_SECRET", help="The bootstrap secret; better from the environment."),
    ] = None,
    login: Annotated[str, typer.Option(help="What the administrator signs in with.")] = LOGIN,
    name: Annotated[str, typer.Option(help="The administrator's name.")] = NAME,
) -> None:
    """Make the first administrator, once ever, and show the activation code."""
    if identity_url is None or secret is None:
        our_url, our_secret = told_to_identity(place_of())
        identity_url, secret = identity_url or our_url, secret or our_secret
    try:
        made = asyncio.run(make_first_administrator(identity_url, secret, login, name))
    except NotMade as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from None
    except httpx.TransportError:
        typer.echo(f"Identity does not answer at {identity_url}. Is the stack up?", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{name} ({made.login}) is the first administrator. Activation code: {made.activation_code}")


def told_to_identity(place: Place) -> tuple[str, str]:
    """Where the identity of the stack in this place is, and the bootstrap secret that it was given."""
    ports, secrets = place.data / "ports.json", place.data / "secrets.json"
    port = json.loads(ports.read_text()).get("identity") if ports.exists() else None
    if port is None or not secrets.exists():
        raise Unserviceable("There is no stack here yet: `./zikao up` makes one, or name it by --identity-url.")
    return f"http://{LOOPBACK}:{port}", Secrets(secrets).bootstrap
