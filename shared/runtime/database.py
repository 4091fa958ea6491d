"""Prepares the database: keyring, roles, schemas, and what each may do. Called by `./zikao up` and by tests.

Runs as the owner; services later connect as roles that can add to history but not change it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from shared.runtime.migrate import KEYRING_SQL, STORE_SQL, grant_auditor, grant_service, make_role, migrate

SERVICES = Path(__file__).parents[2] / "services"
DATABASE = "zikao"
AUDITOR = "auditor"


def with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def as_role(url: str, role: str, password: str) -> str:
    """The same server and database, seen by another role."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{parts.hostname}:{parts.port or 5432}"))


async def prepare(admin_url: str, passwords: Mapping[str, str]) -> None:
    """Create or bring up to date the database `zikao` of the server at `admin_url`. Doing it again changes nothing."""
    connection = await asyncpg.connect(admin_url)
    try:
        if not await connection.fetchval("select exists (select from pg_database where datname = $1)", DATABASE):
            await connection.execute(f'create database "{DATABASE}"')
    finally:
        await connection.close()
    await prepare_database(with_database(admin_url, DATABASE), passwords)


async def prepare_database(url: str, passwords: Mapping[str, str]) -> None:
    """Keyring, roles, schemas and grants in the database at `url`; `passwords` holds one per service and auditor."""
    connection = await asyncpg.connect(url)
    try:
        await migrate(connection, "keyring", [KEYRING_SQL])
        await make_role(connection, AUDITOR, passwords[AUDITOR])
        for service in services_of(passwords):
            await make_role(connection, service, passwords[service])
            await migrate(connection, service, [STORE_SQL, *schema_files(service)])
            await grant_service(connection, service)
            await grant_auditor(connection, service)
    finally:
        await connection.close()


def services_of(passwords: Mapping[str, str]) -> list[str]:
    return [name for name in passwords if name != AUDITOR]


def schema_files(service: str) -> Sequence[Path]:
    """`schema.sql`, then `schema_002.sql` and so on, in the service's folder."""
    return sorted((SERVICES / service).glob("schema*.sql"), key=lambda path: path.stem)
