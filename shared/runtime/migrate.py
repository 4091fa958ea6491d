"""Migrations: numbered by their order, applied once each, frozen by digest. Called by ops and by tests."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import asyncpg

RUNTIME = Path(__file__).parent
KEYRING_SQL = RUNTIME / "keyring.sql"
STORE_SQL = RUNTIME / "schema.sql"


class MigrationChanged(Exception):
    """A file that was applied has another content now: write a new one instead."""


async def migrate(connection: asyncpg.Connection, schema: str, files: Sequence[Path]) -> None:
    """Apply what is new of `files` to `schema`, in one transaction, one process at a time."""
    async with connection.transaction():
        await connection.execute("set local lock_timeout = '30s'; set local statement_timeout = '10min'")
        await connection.execute("select pg_advisory_xact_lock(hashtext('zikao.migrate'))")
        await connection.execute(
            "create table if not exists public.migrations "
            "(schema text, number integer, name text, digest bytea, primary key (schema, number))"
        )
        applied = {
            row["number"]: row["digest"]
            for row in await connection.fetch("select number, digest from public.migrations where schema = $1", schema)
        }
        if schema != "keyring":
            await connection.execute(f'create schema if not exists "{schema}"')
        await connection.execute(f'set local search_path = "{schema}"')
        for number, file in enumerate(files, start=1):
            digest = sha256(file.read_bytes()).digest()
            if number in applied:
                if applied[number] != digest:
                    raise MigrationChanged(f"{schema}: {file.name} was changed after it was applied")
                continue
            await connection.execute(file.read_text())
            await connection.execute(
                "insert into public.migrations values ($1, $2, $3, $4)", schema, number, file.name, digest
            )


async def make_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    """A login role with the limits that keep one stuck transaction from holding up everyone."""
    exists = await connection.fetchval("select exists (select from pg_roles where rolname = $1)", role)
    quoted = await connection.fetchval("select quote_literal($1)", password)
    await connection.execute(f'{"alter" if exists else "create"} role "{role}" login password {quoted}')
    await connection.execute(f"alter role \"{role}\" set idle_in_transaction_session_timeout = '30s'")
    await connection.execute(f"alter role \"{role}\" set lock_timeout = '10s'")


async def grant_service(connection: asyncpg.Connection, service: str) -> None:
    """What a service may do: all in its own schema, but events, log and commands only grow; keys it reads."""
    await connection.execute(
        f"""
        grant usage on schema "{service}", keyring to "{service}";
        grant select, insert, update, delete on all tables in schema "{service}" to "{service}";
        revoke update, delete on "{service}".events, "{service}".log, "{service}".commands from "{service}";
        grant usage on all sequences in schema "{service}" to "{service}";
        grant execute on function keyring.read_keys to "{service}";
        """
    )
    if service == "identity":
        await connection.execute("grant execute on function keyring.create_key, keyring.erase_key to identity")


async def grant_auditor(connection: asyncpg.Connection, schema: str) -> None:
    """An auditor reads everywhere and writes nowhere."""
    await connection.execute(
        f"""
        grant usage on schema "{schema}", keyring to auditor;
        grant select on all tables in schema "{schema}" to auditor;
        grant execute on function keyring.read_keys to auditor;
        """
    )
