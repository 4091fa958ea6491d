"""Reaching the database for audit, replay and parked, whether the stack runs, is stopped, or is somewhere else.

Elsewhere: `--url` with the role's own address; ZIKAO_ROLE_URLS with those of several, which is what the container `ops`
of `docker-compose.yml` is told; or ZIKAO_POSTGRES_ADMIN_URL for a server that `./zikao up` prepared.
"""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg

from ops.stack.environment import Secrets
from ops.stack.places import Place, Unserviceable, place_of
from ops.stack.ports import LOOPBACK
from shared.runtime.database import DATABASE, as_role, with_database

KEK_VARIABLE = "ZIKAO_KEK"
ROLE_URLS_VARIABLE = "ZIKAO_ROLE_URLS"
"""JSON, role -> its address: each command takes that of the one role it acts as."""
WITHOUT = f"without it, the one in {ROLE_URLS_VARIABLE} or this checkout's stack."
"""What `--url` of every command says of its default."""
UNREACHABLE = (
    ConnectionRefusedError,
    TimeoutError,
    socket.gaierror,
    asyncpg.ClientConfigurationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedTableError,  # no event store, or not for the eyes of this role
)


@dataclass(frozen=True)
class Database:
    """Where one role finds the events, and the key-encryption key if this machine has it."""

    url: str
    kek: bytes | None

    @property
    def needed_kek(self) -> bytes:
        if self.kek is None:
            raise Unserviceable(f"To unseal personal values name the key-encryption key in {KEK_VARIABLE} (base64).")
        return self.kek


@contextmanager
def reached(role: str, url: str | None = None) -> Iterator[Database]:
    """The database as `role` sees it. A stopped stack's server is started for as long as the block lasts."""
    try:
        if (named := url or _named(role)) is not None:
            yield Database(named, _given_kek())
        else:
            with _of_this_checkout(role) as database:
                yield database
    except UNREACHABLE as error:
        raise Unserviceable(f"The database cannot be read as the role {role}: {error}.") from None


def on_a_server() -> bool:
    """Whether we were told of roles instead of having a checkout's stack: then our user is the container's."""
    return bool(os.environ.get(ROLE_URLS_VARIABLE))


def _named(role: str) -> str | None:
    if not on_a_server():
        return None
    try:
        return str(json.loads(os.environ[ROLE_URLS_VARIABLE])[role])
    except (ValueError, TypeError, KeyError):  # its text is not repeated: passwords are in it
        raise Unserviceable(f"{ROLE_URLS_VARIABLE} must be JSON with an address for the role {role}.") from None


@contextmanager
def _of_this_checkout(role: str) -> Iterator[Database]:
    place = place_of()
    secrets = place.data / "secrets.json"
    if not secrets.exists():
        raise Unserviceable(
            "There is no data here yet: `./zikao demo` or `./zikao up` makes some, or name it by --url."
        )
    kept = Secrets(secrets)
    with _server(place) as server:
        database = as_role(with_database(server, DATABASE), role, kept.of_role(role))
        yield Database(database, _given_kek() or base64.b64decode(kept.kek))


@contextmanager
def _server(place: Place) -> Iterator[str]:
    # here, since an image has neither servers to start nor what starting them needs (psutil)
    from ops.stack.children import Identity
    from ops.stack.infrastructure import POSTGRES_VARIABLE, Infrastructure
    from ops.stack.stack import only_one

    if given := os.environ.get(POSTGRES_VARIABLE):
        yield given
    elif Identity.read(place.data / "stack.pid"):
        port = json.loads((place.data / "ports.json").read_text())["postgres"]
        yield f"postgresql://{LOOPBACK}:{port}/{DATABASE}"
    else:
        with only_one(place), Infrastructure(place) as infra:
            yield infra.postgres_admin_url


def _given_kek() -> bytes | None:
    given = os.environ.get(KEK_VARIABLE)
    return base64.b64decode(given) if given else None
