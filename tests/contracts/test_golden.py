"""Whatever was ever stored can still be read: each golden sample decodes to an equal event, upcast where retired."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import pytest

from shared import events
from shared.kernel.messages import Event
from shared.runtime.records import GENESIS, Record, Undecodable, fact_of
from tests.contracts.golden import FOLDER, file_of, sample_of, stored

SAMPLES = sorted(FOLDER.glob("*.json"))


def read(wire_name: str, body: dict[str, Any]) -> Event:
    """The event as the store reads it from a stored row."""
    some = UUID(int=1)
    record = Record(
        stream="sample-1",
        version=1,
        type=wire_name,
        event_id=some,
        command_id=some,
        case_id=None,
        person=None,
        actor="sample",
        causation=None,
        correlation=None,
        traceparent=None,
        recorded_at=datetime(2026, 3, 1, tzinfo=UTC),
        body=json.dumps(body, ensure_ascii=False),
        previous_hash=GENESIS,
        hash=GENESIS,
    )
    event = fact_of("sample", record, {}).event
    assert isinstance(event, Event)
    return event


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_a_stored_sample_reads_back_as_the_same_event(file: Path) -> None:
    """A field taken away, added, renamed or given another type shows here: make a new version instead."""
    sample = json.loads(file.read_text(encoding="utf-8"))
    now_said = sample.get("becomes", sample["body"])
    assert stored(read(file.stem, sample["body"])) == now_said


@pytest.mark.parametrize("wire_name", [*events.EVENTS, *events.UPCASTERS])
def test_every_event_type_ever_has_a_sample(wire_name: str) -> None:
    assert file_of(wire_name).exists(), "run: python -m tests.contracts.golden"


def test_no_type_that_has_a_sample_was_forgotten() -> None:
    assert {file.stem for file in SAMPLES} == events.EVENTS.keys() | events.UPCASTERS.keys()


def test_a_retired_version_says_what_it_becomes() -> None:
    retired = {file.stem for file in SAMPLES if "becomes" in json.loads(file.read_text(encoding="utf-8"))}
    assert retired == set(events.UPCASTERS)


class Before(Event):
    """As it was stored."""

    name: ClassVar[str] = "toy.happened.v1"
    what: str
    how_often: int


class Lost(Event):
    """A field was taken away."""

    name: ClassVar[str] = "toy.happened.v1"
    what: str


class Gained(Event):
    """A field was added, with a value for old events."""

    name: ClassVar[str] = "toy.happened.v1"
    what: str
    how_often: int
    why: str = ""


class Retyped(Event):
    """A field has another type."""

    name: ClassVar[str] = "toy.happened.v1"
    what: str
    how_often: str


@pytest.mark.parametrize("changed", [Lost, Gained, Retyped])
def test_a_changed_class_does_not_pass_for_the_stored_one(changed: type[Event]) -> None:
    before = sample_of(Before)
    try:
        reread = stored(msgspec.convert(before, changed))
    except msgspec.ValidationError:
        return
    assert reread != before


def test_a_body_that_does_not_fit_is_undecodable_and_not_half_read() -> None:
    with pytest.raises(Undecodable):
        read("exemption.granted.v1", {"course_codes": "00018"})
