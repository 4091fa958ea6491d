"""A record on its way into the store and out: chained over every column, sealed where personal, upcast when retired."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import pytest
from msgspec.structs import replace

from shared.events import Upcaster
from shared.events.identity import MobileReplaced, SmsCodeMistyped
from shared.kernel.messages import ERASED, Meta
from shared.runtime.keyring import Cipher, Unreadable
from shared.runtime.records import COLUMNS, GENESIS, Record, UnknownType, chained, fact_of, record_all

META = Meta(
    command_id=UUID(int=1),
    actor="tester",
    at=datetime(2026, 3, 1, 9, tzinfo=UTC),
    case="case-1",
    person="person-1",
    causation=UUID(int=2),
    correlation=UUID(int=3),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
CIPHER = Cipher(bytes(32))


def record() -> Record:
    event = MobileReplaced(mobile="13900000001", previous="", checked_by="sealed:by hand", evidence="")
    return record_all([event], "toy-1", 0, GENESIS, META, CIPHER)[0]


def _another(value: object) -> object:
    match value:
        case UUID():
            return UUID(int=value.int ^ 1)
        case datetime():
            return value + timedelta(microseconds=1)
        case int():
            return value + 1
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case _:
            return f"{value} "


def test_the_id_of_an_event_is_the_uuid5_of_its_command_and_its_place() -> None:
    """Version 5 of RFC 9562, as any library makes it."""
    events = [SmsCodeMistyped(purpose="register", attempts_left=1)] * 50
    for written in record_all(events, "toy-2", 6, GENESIS, META, None):
        assert written.event_id == uuid5(META.command_id, f"toy-2/{written.version}")
        assert str(written.event_id) == str(UUID(int=written.event_id.int))


@pytest.mark.parametrize("column", [column for column in COLUMNS if column != "hash"])
def test_the_hash_covers_every_column(column: str) -> None:
    written = record()
    assert chained(written) == written.hash
    changed: dict[str, Any] = {column: _another(getattr(written, column))}
    assert chained(replace(written, **changed)) != written.hash


def test_the_hash_can_be_worked_out_by_anybody_from_its_description() -> None:
    """What stands in stores for ever: an auditor's program of another make must come to the same."""
    second = record_all(
        [SmsCodeMistyped(purpose="register", attempts_left=1)] * 2, "toy-2", 6, bytes(range(32)), META, None
    )[1]
    text = b""
    for column in COLUMNS:
        value = getattr(second, column)
        if column in ("previous_hash", "hash"):
            continue
        if column == "recorded_at":
            value = 1_772_355_600_000_000
        shown = str(value).encode()
        text += len(shown).to_bytes(4, "big") + shown
    assert second.version == 8
    assert sha256(second.previous_hash + text).digest() == second.hash


@pytest.mark.parametrize("column", ["case_id", "person", "causation", "correlation", "traceparent"])
def test_nothing_is_not_hashed_like_an_empty_text(column: str) -> None:
    nothing: dict[str, Any] = {column: None}
    empty: dict[str, Any] = {column: ""}
    assert chained(replace(record(), **nothing)) != chained(replace(record(), **empty))


def test_a_plain_value_that_looks_sealed_is_only_text() -> None:
    """What people type must not make their own story unreadable."""
    fact = fact_of("identity", record(), {"person-1": CIPHER})
    assert fact.event.checked_by == "sealed:by hand"
    assert fact.event.mobile == "13900000001"


def test_a_sealed_value_that_was_cut_is_unreadable() -> None:
    written = record()
    cut = replace(written, body=written.body.replace('"previous":"sealed:', '"previous":"sealed:*'))
    with pytest.raises(Unreadable):
        fact_of("identity", cut, {"person-1": CIPHER})


def test_a_retired_type_is_read_through_all_its_upcasters(retired: dict[str, Upcaster]) -> None:
    new = SmsCodeMistyped(purpose="register", attempts_left=4)
    (written,) = record_all([new], "toy-1", 0, GENESIS, META, None)
    oldest = replace(written, type="identity.sms_code_mistyped.v_older", body='{"why": "register"}')
    with pytest.raises(UnknownType):
        fact_of("identity", oldest, {})
    retired["identity.sms_code_mistyped.v_older"] = Upcaster(
        "identity.sms_code_mistyped.v_old", lambda body: {"purpose": body["why"]}
    )
    retired["identity.sms_code_mistyped.v_old"] = Upcaster(
        "identity.sms_code_mistyped.v1", lambda body: {**body, "attempts_left": 4}
    )
    assert fact_of("identity", oldest, {"person-1": CIPHER}).event == new


@pytest.mark.parametrize(("cipher", "read"), [(CIPHER, "13900000001"), (None, ERASED)], ids=["kept", "erased"])
def test_what_a_retired_type_sealed_is_still_sealed(
    retired: dict[str, Upcaster], cipher: Cipher | None, read: str
) -> None:
    old = replace(record(), type="identity.mobile_replaced.v0")
    old = replace(old, body=old.body.replace("checked_by", "seen_by").replace("sealed:by hand", "by hand"))
    retired["identity.mobile_replaced.v0"] = Upcaster(
        "identity.mobile_replaced.v1", lambda body: {**body, "checked_by": body["seen_by"]}
    )
    event = fact_of("identity", old, {"person-1": cipher}).event
    assert (event.mobile, event.checked_by) == (read, "by hand")
