"""Counters of attempts, captchas and refresh tokens: rows worth something for minutes or hours. Called by `api/`.

They are no facts: they are not rebuilt from events, and losing them costs somebody a new try. What matters later
(an account was locked, a session was ended because its token came twice) is an event besides. Every row is written
in a transaction of its own, so that a refusal does not take the count back; that is also why a restart forgets none.
"""

import asyncio
import base64
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from uuid import UUID, uuid4

import asyncpg
from captcha.image import ImageCaptcha

from services.identity.domain.counting import Allowed, Counter, Wait, refunded, spend
from services.identity.domain.scheme import CaptchaRule, Limit
from shared.kernel.errors import Refused
from shared.runtime.rows import Connection, SqlTx
from shared.runtime.service import Service

_FORGOTTEN_AFTER = timedelta(days=2)
_SWEPT_AT_ONCE = 200


class Attempts:
    """The counters of one service; `value` (a number, an account, an address) is kept as a keyed hash only."""

    def __init__(self, service: Service) -> None:
        self._pool = service.pool
        self._keyring = service.keyring

    async def spend(self, kind: str, value: str, limit: Limit, now: datetime) -> Allowed | Wait:
        """Count one attempt before it is made."""
        async with self._pool.acquire() as connection, connection.transaction():
            return await self.spend_in(connection, kind, value, limit, now)

    async def spend_in(
        self, connection: Connection, kind: str, value: str, limit: Limit, now: datetime
    ) -> Allowed | Wait:
        """The same in a transaction that is open already, and is not taken back whatever the verdict."""
        return await _spend(connection, kind, self._keyring.hashed(kind, value), limit, now)

    async def spend_or_refuse(
        self, kind: str, value: str, limit: Limit, now: datetime, code: str = "request.too_many"
    ) -> Allowed:
        return _allowed(await self.spend(kind, value, limit, now), now, code)

    async def refund(self, kind: str, value: str) -> None:
        """The attempt was right and does not count."""
        digest = self._keyring.hashed(kind, value)
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                "select spent, pauses, full_up, ends from attempts where kind = $1 and digest = $2 for update",
                kind,
                digest,
            )
            if (counter := _counter(row)) is not None:
                await _write(connection, kind, digest, refunded(counter))

    async def clear(self, kind: str, value: str) -> None:
        await self._pool.execute(
            "delete from attempts where kind = $1 and digest = $2", kind, self._keyring.hashed(kind, value)
        )


async def spend_by_doing(tx: SqlTx, kind: str, value: str, limit: Limit, now: datetime) -> None:
    """Count what a command does in the transaction of the command: what is refused after all counts for nothing."""
    _allowed(await _spend(await tx.open(), kind, tx.hashed(kind, value), limit, now), now)


async def _spend(connection: Connection, kind: str, digest: bytes, limit: Limit, now: datetime) -> Allowed | Wait:
    # the insert takes the row's lock also when the row is there, so rivals count one after the other
    row = await connection.fetchrow(
        "insert into attempts as a values ($1, $2, 0, 0, false, '-infinity') "
        "on conflict (kind, digest) do update set kind = a.kind returning spent, pauses, full_up, ends",
        kind,
        digest,
    )
    counter, verdict = spend(_counter(row), limit, now)
    await _write(connection, kind, digest, counter)
    return verdict


def _allowed(verdict: Allowed | Wait, now: datetime, code: str = "request.too_many") -> Allowed:
    if isinstance(verdict, Wait):
        raise Refused(code, retry_after=ceil((verdict.until - now).total_seconds()))
    return verdict


def _counter(row: asyncpg.Record | None) -> Counter | None:
    if row is None or not row["spent"]:
        return None
    return Counter(row["spent"], row["pauses"], row["full_up"], row["ends"])


async def _write(connection: Connection, kind: str, digest: bytes, counter: Counter) -> None:
    await connection.execute(
        "update attempts set spent = $3, pauses = $4, full_up = $5, ends = $6 where kind = $1 and digest = $2",
        kind,
        digest,
        counter.spent,
        counter.pauses,
        counter.full,
        counter.ends,
    )


# --- captchas


@dataclass(frozen=True)
class Captcha:
    id: str
    picture: str  # data URL of a PNG
    expires_at: datetime


async def new_captcha(service: Service, rule: CaptchaRule, now: datetime) -> Captcha:
    """Draw a picture and remember its answer as a keyed hash; sweeps what has expired by the way."""
    answer = "".join(secrets.choice(rule.alphabet) for _ in range(rule.length))
    picture = await asyncio.to_thread(_drawn, answer)
    captcha, expires_at = str(uuid4()), now + timedelta(seconds=rule.valid_seconds)
    async with service.pool.acquire() as connection:
        await sweep(connection, now)
        await connection.execute(
            "insert into captchas (captcha, digest, expires_at) values ($1, $2, $3)",
            captcha,
            _answer_digest(service, captcha, answer),
            expires_at,
        )
    return Captcha(captcha, "data:image/png;base64," + base64.b64encode(picture).decode(), expires_at)


def _drawn(answer: str) -> bytes:
    return ImageCaptcha(width=160, height=60).generate(answer).getvalue()


Spending = Sequence[tuple[str, str, Limit]]
"""(kind, value, limit): what one attempt is counted against, in this order, up to the first that is used up."""


async def use_captcha(
    service: Service, captcha: str, answer: str, command: UUID, now: datetime, spending: Spending
) -> None:
    """Refuses a picture read wrongly, and one over a limit: each is good for one try of one command.

    All in one transaction: of a command sent twice at once the second waits for the verdict on the first, and sent
    again it meets the same verdict. A refusal for a limit is final too, or a retry would pass by the limit.
    """
    digest = _answer_digest(service, captcha, answer)
    right, verdict = False, None
    async with service.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "select digest, expires_at, used_by, let_through from captchas where captcha = $1 for update", captcha
        )
        if row is not None and row["used_by"] is not None:
            right = row["used_by"] == command and row["let_through"]
        elif row is not None and now < row["expires_at"]:
            right = hmac.compare_digest(row["digest"], digest)
            verdict = await _first_wait(service, connection, spending, now) if right else None
            await connection.execute(
                "update captchas set used_by = $2, let_through = $3 where captcha = $1",
                captcha,
                command,
                right and verdict is None,
            )
    if not right:
        raise Refused("identity.captcha_wrong")
    if verdict is not None:
        _allowed(verdict, now)


async def _first_wait(service: Service, connection: Connection, spending: Spending, now: datetime) -> Wait | None:
    for kind, value, limit in spending:
        if isinstance(verdict := await Attempts(service).spend_in(connection, kind, value, limit, now), Wait):
            return verdict
    return None


def _answer_digest(service: Service, captcha: str, answer: str) -> bytes:
    return service.keyring.hashed("captcha", f"{captcha}:{answer.strip().upper()}")


async def sweep(connection: Connection, now: datetime) -> None:
    """Take away what nobody can use any more, a little at a time."""
    for table, key, moment in (
        ("captchas", "captcha", "expires_at"),
        ("attempts", "(kind, digest)", "ends"),
        ("refresh_tokens", "digest", "expires_at"),
    ):
        columns = key.strip("()")
        await connection.execute(
            f"delete from {table} where {key} in "  # noqa: S608 - names of ours
            f"(select {columns} from {table} where {moment} < $1 limit $2 for update skip locked)",
            now - _FORGOTTEN_AFTER,
            _SWEPT_AT_ONCE,
        )


# --- refresh tokens


@dataclass(frozen=True)
class Session:
    session: str
    person: str
    kind: str


@dataclass(frozen=True)
class Refreshed(Session):
    token: str


@dataclass(frozen=True)
class Reused(Session):
    """The token was used before: somebody has a copy, so nobody may go on with this session."""


def _token_digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


async def first_refresh_token(service: Service, session: str, expires_at: datetime) -> str:
    """The session's first one, handed out once: a sign-in that is sent again must not open it again."""
    token = secrets.token_urlsafe(32)
    async with service.pool.acquire() as connection, connection.transaction():
        await connection.execute("select from sessions where session = $1 for update", session)
        if await connection.fetchval("select exists (select from refresh_tokens where session = $1)", session):
            raise Refused("identity.sign_in_already_answered")
        await connection.execute(
            "insert into refresh_tokens (digest, session, expires_at) values ($1, $2, $3)",
            _token_digest(token),
            session,
            expires_at,
        )
    return token


async def refresh(service: Service, token: str, now: datetime) -> Refreshed | Reused:
    """Swap a refresh token for the next one of its session."""
    following = secrets.token_urlsafe(32)
    async with service.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "select s.session, s.person, s.kind, t.used_at, t.expires_at from refresh_tokens as t "
            "join sessions as s using (session) "
            "where t.digest = $1 and t.expires_at > $2 and s.ended_at is null for update of t",
            _token_digest(token),
            now,
        )
        if row is None:
            raise Refused("identity.session_over")
        who = (row["session"], row["person"], row["kind"])
        if row["used_at"] is not None:
            return Reused(*who)
        await connection.execute("update refresh_tokens set used_at = $2 where digest = $1", _token_digest(token), now)
        await connection.execute(
            "insert into refresh_tokens (digest, session, expires_at) values ($1, $2, $3)",
            _token_digest(following),
            row["session"],
            row["expires_at"],
        )
    return Refreshed(*who, following)


async def session_of(service: Service, token: str) -> Session | None:
    """The open session a refresh token belongs to, used or not."""
    row = await service.pool.fetchrow(
        "select s.session, s.person, s.kind from refresh_tokens as t join sessions as s using (session) "
        "where t.digest = $1 and s.ended_at is null",
        _token_digest(token),
    )
    return Session(*row) if row else None
