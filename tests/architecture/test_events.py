"""Facts are named and built alike: what they mean, how they are called, what of them is sealed."""

import ast
import inspect
import re
import typing
from collections.abc import Iterator
from importlib import import_module
from string import Formatter
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

from shared import events
from shared.events import exemption
from shared.kernel.messages import Event, Personal, erased_value, personal_fields
from shared.runtime.service import Reaction
from tests.architecture.tree import ROOT, parsed, services

WIRE_NAME = re.compile(r"(?P<service>[a-z]+)\.(?P<what>[a-z][a-z0-9_]*)\.v[1-9][0-9]*")
PAST = re.compile(
    r"(ed|Begun|Chosen|Forgotten|Given|Held|Kept|Learnt|Lost|Made|Paid|Read|Seen|Sent|Set|Taken|Withdrawn)$"
)
VAGUE = ("Updated", "Changed", "Processed", "Handled")
NOT_PAST = {
    "OutcomeInDoubt": "that nothing is known is the fact",
    "FeeDue": "that it is to be paid is the fact",
}
_SEALED = typing.get_args(Personal[str])[1]

every_event = pytest.mark.parametrize("event", events.EVENTS.values(), ids=lambda event: event.__name__)


@every_event
def test_an_event_says_what_it_means(event: type[Event]) -> None:
    said = inspect.getdoc(event)
    assert said
    assert event.__doc__
    first = said.split("\n\n")[0]
    assert len(first.split()) > 3 or "\u4e00" <= first[0] <= "\u9fff"
    assert first.endswith(".")


@every_event
def test_an_event_opens_with_what_an_official_calls_it(event: type[Event]) -> None:
    said = (event.__doc__ or "").splitlines()[0]
    assert ": " in said
    called = events.phrase(event)
    plain = re.sub(r"{[a-z_]+}", "", called)
    assert re.fullmatch(r"[\u4e00-\u9fff：，（）]*", plain)
    assert re.search(r"[\u4e00-\u9fff]{2}", plain)
    assert said.removeprefix(f"{called}: ")[:1].isascii(), "and then says it to an engineer"


@every_event
def test_the_name_of_an_event_fills_in_nothing_but_its_own_fields_that_are_not_personal(event: type[Event]) -> None:
    asked = {field for _, field, _, _ in Formatter().parse(events.phrase(event)) if field is not None}
    assert asked <= set(event.__struct_fields__) - set(personal_fields(event))


def test_no_two_events_of_a_service_are_called_alike() -> None:
    for service in events.DECLARED:
        called = [events.phrase(kind) for kind in declared(service)]
        assert len(set(called)) == len(called), service


@every_event
def test_an_event_has_a_versioned_wire_name_of_its_service(event: type[Event]) -> None:
    parts = WIRE_NAME.fullmatch(event.name)
    assert parts
    assert event.__module__ == f"shared.events.{parts['service']}"
    assert snake(event.__name__).endswith(parts["what"])


def test_no_two_events_share_a_wire_name() -> None:
    classes = [kind for service in events.DECLARED for kind in declared(service)]
    assert len({kind.name for kind in classes}) == len(classes) == len(events.EVENTS)


@every_event
def test_an_event_is_named_in_the_past_tense_by_what_happened(event: type[Event]) -> None:
    words = re.findall(r"[A-Z][a-z]*", event.__name__)
    assert any(PAST.search(word) for word in words) or event.__name__ in NOT_PAST
    assert words[-1] not in VAGUE


@every_event
def test_what_is_personal_has_an_erased_form_that_fits_the_field(event: type[Event]) -> None:
    for kind in personal_fields(event).values():
        msgspec.convert(erased_value(kind), kind)


@every_event
def test_only_whole_fields_of_an_event_are_personal(event: type[Event]) -> None:
    assert not list(buried_in(event))


def test_a_personal_value_inside_another_would_be_noticed() -> None:
    class Inner(msgspec.Struct):
        mobile: Personal[str]

    class Buried(Event):
        name: ClassVar[str] = "toy.buried.v1"
        maybe: Personal[str] | None
        several: tuple[Personal[str], ...]
        inner: Inner
        fine: Personal[str]

    assert set(_fields_of(Buried, {"Personal": Personal, "Inner": Inner})) == {"maybe", "several", "inner"}


def buried_in(event: type[Event]) -> Iterator[str]:
    yield from _fields_of(event, None)


def _fields_of(event: type[Event], names: dict[str, Any] | None) -> Iterator[str]:
    for field, hint in typing.get_type_hints(event, localns=names, include_extras=True).items():
        whole = typing.get_origin(hint) is Annotated and _SEALED in typing.get_args(hint)[1:]
        if _holds_sealed(typing.get_args(hint)[0] if whole else hint):
            yield field


def _holds_sealed(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return any(_holds_sealed(inner) for inner in typing.get_type_hints(hint, include_extras=True).values())
    return hint is _SEALED or any(_holds_sealed(inner) for inner in typing.get_args(hint))


def test_every_event_belongs_to_the_union_of_a_stream() -> None:
    for service in events.DECLARED:
        module = import_module(f"shared.events.{service}")
        unions = [value for name, value in vars(module).items() if name.endswith("Event") and value is not Event]
        in_unions = {kind for union in unions for kind in typing.get_args(union) or (union,)}
        assert in_unions == set(declared(service)), service


@pytest.mark.parametrize("service", services())
def test_a_service_reacts_to_the_services_it_follows_and_to_no_other(service: str) -> None:
    sources = {reaction.event.name.split(".")[0] for reaction in reactions_of(service)}
    assert sources - set(events.TO_COME) == set(events.FOLLOWS.get(service, ()))


def test_a_service_that_is_to_come_is_not_there_and_followed_by_nobody() -> None:
    """Whoever builds it must move it to `SERVICES` and `FOLLOWS`: else what it says would reach nobody."""
    followed = {source for sources in events.FOLLOWS.values() for source in sources}
    assert not set(events.TO_COME) & ({*services(), *followed, *events.SERVICES})


def reactions_of(service: str) -> list[Reaction]:
    if not (ROOT / f"services/{service}/reactions.py").exists():
        return []
    found: list[Reaction] = []
    for value in vars(import_module(f"services.{service}.reactions")).values():
        candidates = value if isinstance(value, tuple | list) else (value,)
        found += [each for each in candidates if isinstance(each, Reaction)]
    return found


def declared(service: str) -> list[type[Event]]:
    module = import_module(f"shared.events.{service}")
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Event)]
    return [kind for kind in dict.fromkeys(classes) if kind.__module__ == module.__name__]


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_facts_are_declared_in_shared_events_only() -> None:
    for file in sorted((ROOT / "services").rglob("*.py")):
        classes = [node for node in ast.walk(parsed(file)) if isinstance(node, ast.ClassDef)]
        assert "Event" not in {ast.unparse(base) for node in classes for base in node.bases}, file


def test_the_events_of_a_service_say_which_streams_they_stand_in() -> None:
    for service in events.DECLARED:
        assert "-<" in (ROOT / f"shared/events/{service}.py").read_text(encoding="utf-8"), service


def test_sealed_fields_are_found_at_all() -> None:
    assert set(personal_fields(exemption.ApplicationReturned)) == {"note"}
