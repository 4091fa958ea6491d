"""Records: an event as it stands in the store, and the way between that and a `Fact`.

Sealing, upcasting and the hash chain happen here and only here. Pure but for the ciphers it is handed.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha1, sha256
from typing import Any
from uuid import UUID

import msgspec
from asyncpg.pgproto.pgproto import UUID as QuickUUID

from shared import events as registry
from shared.kernel.messages import Event, Fact, Meta, erased_value, personal_fields
from shared.kernel.time import microseconds
from shared.runtime.keyring import Cipher, Unreadable

Ciphers = Mapping[str, Cipher | None]
GENESIS = bytes(32)
_SEALED = "sealed:"


class UnknownType(Exception):
    """An event type that this code does not know: a projection stops, it never skips."""


class Undecodable(Exception):
    """An event whose body does not fit its type."""


class Record(msgspec.Struct, frozen=True):
    """One row of `events`, without its sequence number. `body` is the exact stored text."""

    stream: str
    version: int
    type: str
    event_id: UUID
    command_id: UUID
    case_id: str | None
    person: str | None
    actor: str
    causation: UUID | None
    correlation: UUID | None
    traceparent: str | None
    recorded_at: datetime
    body: str
    previous_hash: bytes
    hash: bytes


COLUMNS = Record.__struct_fields__
SELECT = ", ".join(COLUMNS)


def chained(record: Record) -> bytes:
    """sha256 over the previous hash and every column in fixed order, each with its length before it.

    A null has the length 2^32 - 1; a time is its whole microseconds since 1970 UTC in decimal.
    """
    meta = Meta(
        command_id=record.command_id,
        actor=record.actor,
        at=record.recorded_at,
        case=record.case_id,
        person=record.person,
        causation=record.causation,
        correlation=record.correlation,
        traceparent=record.traceparent,
    )
    own = _measured(record.stream), _own(record.version, record.type, record.event_id), _shared(meta)
    return sha256(b"".join((record.previous_hash, *own, _measured(record.body)))).digest()


def _measured(value: object) -> bytes:
    """Its text, with the length in four bytes before it."""
    if value is None:
        return b"\xff\xff\xff\xff"
    text = str(value).encode()
    return len(text).to_bytes(4, "big") + text


def _own(version: int, kind: str, event_id: UUID) -> bytes:
    """What the chain covers of one event, before the columns that it shares with all of its command."""
    return _measured(version) + _measured(kind) + _measured(event_id)


def _shared(meta: Meta) -> bytes:
    return b"".join(
        map(
            _measured,
            (
                meta.command_id,
                meta.case,
                meta.person,
                meta.actor,
                meta.causation,
                meta.correlation,
                meta.traceparent,
                microseconds(meta.at),
            ),
        )
    )


def record_all(
    new: Sequence[Event], stream: str, version: int, previous: bytes, meta: Meta, cipher: Cipher | None
) -> list[Record]:
    """The records that continue `stream` after `version`, whose last hash is `previous`."""
    records = []
    place, shared, command = _measured(stream), _shared(meta), meta.command_id.bytes
    for number, event in enumerate(new, start=version + 1):
        event_id = _uuid5(command, f"{stream}/{number}")
        body = _encode(event, stream, number, cipher)
        own = _own(number, event.name, event_id)
        head = sha256(b"".join((previous, place, own, shared, _measured(body)))).digest()
        records.append(
            Record(
                stream=stream,
                version=number,
                type=event.name,
                event_id=event_id,
                command_id=meta.command_id,
                case_id=meta.case,
                person=meta.person,
                actor=meta.actor,
                causation=meta.causation,
                correlation=meta.correlation,
                traceparent=meta.traceparent,
                recorded_at=meta.at,
                body=body,
                previous_hash=previous,
                hash=head,
            )
        )
        previous = head
    return records


def _uuid5(namespace: bytes, name: str) -> UUID:
    """As `uuid.uuid5`, in the class that the database's client speaks: made and written in a quarter of the time."""
    digest = bytearray(sha1(namespace + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return QuickUUID(bytes(digest))


def _encode(event: Event, stream: str, version: int, cipher: Cipher | None) -> str:
    sealed = personal_fields(type(event))
    if not sealed:
        return msgspec.json.encode(event).decode()
    if cipher is None:
        raise TypeError(f"{event.name} has personal fields: its command needs a person")
    plain = msgspec.to_builtins(event)
    for field in sealed:
        text = cipher.seal(msgspec.json.encode(plain[field]), _place(stream, version, field))
        plain[field] = _SEALED + base64.b64encode(text).decode()
    return msgspec.json.encode(plain).decode()


def _place(stream: str, version: int, field: str) -> bytes:
    return f"{stream}|{version}|{field}".encode()


def fact_of(source: str, record: Record, ciphers: Ciphers, position: int | None = None) -> Fact[Any]:
    """Decode, upcast and unseal one record."""
    return Fact(
        source=source,
        stream=record.stream,
        version=record.version,
        event=event_of(record.stream, record.version, record.type, record.person, record.body, ciphers),
        id=record.event_id,
        meta=Meta(
            command_id=record.command_id,
            actor=record.actor,
            at=record.recorded_at,
            case=record.case_id,
            person=record.person,
            causation=record.causation,
            correlation=record.correlation,
            traceparent=record.traceparent,
        ),
        position=position,
    )


_PLAIN: dict[str, Callable[[str], Event]] = {}
"""The decoders of types that are neither retired nor sealed: most of what is ever read, so they are found at once."""


def event_of(stream: str, version: int, name: str, person: str | None, text: str, ciphers: Ciphers) -> Event:
    """The event in a body: decoded, upcast, unsealed."""
    try:
        if (decode := _PLAIN.get(name)) is not None:
            return decode(text)
        retired = name in registry.UPCASTERS
        kind = registry.EVENTS.get(registry.current(name))
        if kind is None:
            raise UnknownType(name)
        sealed = personal_fields(kind)
        if not retired and not sealed:
            _PLAIN[name] = msgspec.json.Decoder(kind).decode
            return _PLAIN[name](text)
        body = msgspec.json.decode(text)
        cipher = ciphers[person] if person else None
        for field, value in body.items():
            # which fields a retired type sealed is no longer known, so there the mark alone tells
            if (retired or field in sealed) and isinstance(value, str) and value.startswith(_SEALED):
                body[field] = _unsealed(value, _place(stream, version, field), cipher, sealed.get(field, str))
        return msgspec.convert(_upcast(name, body), kind)
    except msgspec.MsgspecError as error:
        raise Undecodable(f"{name}: {type(error).__name__}") from error


def _upcast(name: str, body: dict[str, Any]) -> dict[str, Any]:
    while (step := registry.UPCASTERS.get(name)) is not None:
        name, body = step.to, step.body(body)
    return body


def _unsealed(value: str, place: bytes, cipher: Cipher | None, kind: Any) -> Any:
    if cipher is None:
        return erased_value(kind)
    try:
        sealed = base64.b64decode(value.removeprefix(_SEALED), validate=True)
    except ValueError as error:
        raise Unreadable(place.decode()) from error
    return msgspec.json.decode(cipher.open(sealed, place))
