"""`evolve` carries personal values and never branches on them: an erased person's past folds to the same state.

For every decider there is, a history of its events is made twice, the second time with other (or erased) personal
values. Both must fold, step by step, into states of the same type that differ in the carried values only.
"""

import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, time
from importlib import import_module
from typing import Any, ClassVar, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.kernel.decider import Decider
from shared.kernel.messages import ERASED, Event, Personal, erased_value, personal_fields
from tests.architecture.tree import ROOT, python_files, services

AnyDecider = Decider[Any, Any, Any, Any]
ONE, OTHER = "one person's value", "another one's value"
CARRIED = "carried"


def deciders() -> Iterator[AnyDecider]:
    """Every decider declared in a service's domain."""
    seen: set[str] = set()
    for service in services():
        for file in python_files(f"services/{service}/domain"):
            module = import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
            for value in vars(module).values():
                if isinstance(value, Decider) and f"{service}.{value.kind}" not in seen:
                    seen.add(f"{service}.{value.kind}")
                    yield value


def events_of(decider: AnyDecider) -> tuple[type[Event], ...]:
    """What its `evolve` takes."""
    hints = [hint for name, hint in typing.get_type_hints(decider.evolve).items() if name != "return"]
    return typing.get_args(hints[1]) or (hints[1],)


# --- histories ---------------------------------------------------------------------------------------------------


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Few different values, so that events meet: the same stage, the same session, the same document."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values(each) for each in inner])
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple and inner[-1] is not Ellipsis:
        return st.tuples(*(values(each) for each in inner))
    if origin in (tuple, list):
        return st.lists(values(inner[0]), min_size=1, max_size=2).map(origin)
    if origin is dict:
        return st.dictionaries(values(inner[0]), values(inner[1]), max_size=2)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return st.builds(kind, **{name: values(hint) for name, hint in typing.get_type_hints(kind).items()})
    return _PLAIN[kind]


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.sampled_from(["a", "b"]),
    int: st.integers(1, 3),
    float: st.sampled_from([0.5, 1.0]),
    bool: st.booleans(),
    datetime: st.sampled_from([datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2)]),
    date: st.sampled_from([date(2026, 3, day) for day in (1, 2)]),
    time: st.sampled_from([time(9), time(17)]),
    types.NoneType: st.none(),
    Any: st.sampled_from(["a", 1, True]),
}


def happenings(kinds: tuple[type[Event], ...]) -> st.SearchStrategy[Event]:
    return st.one_of([st.builds(kind, **_plain_fields(kind)) for kind in kinds])


def _plain_fields(kind: type[Event]) -> dict[str, st.SearchStrategy[Any]]:
    hints, sealed = typing.get_type_hints(kind), personal_fields(kind)
    return {
        field: st.just(_personal(sealed[field], ONE)) if field in sealed else values(hints[field])
        for field in kind.__struct_fields__
    }


def _personal(kind: Any, text: str) -> Any:
    """A personal value of this type that says `text` wherever it says anything."""
    if kind is str:
        return text
    origin = typing.get_origin(kind)
    if origin is dict:
        return {"a": text, "b": text}
    if origin in (tuple, list):
        return origin([text])
    return text


def of_another(event: Event) -> Event:
    return _with_personal(event, lambda kind: _personal(kind, OTHER))


def of_an_erased(event: Event) -> Event:
    return _with_personal(event, lambda kind: msgspec.convert(erased_value(kind), kind))


def _with_personal(event: Event, value: Callable[[Any], Any]) -> Event:
    kept = {field: getattr(event, field) for field in event.__struct_fields__}
    return type(event)(**kept | {field: value(kind) for field, kind in personal_fields(type(event)).items()})


# --- states ------------------------------------------------------------------------------------------------------


def shape(state: Any) -> Any:
    """A state with every carried value masked, containers that held one too: an erased form is empty."""
    if isinstance(state, str):
        return CARRIED if state in (ONE, OTHER, ERASED) else state
    if isinstance(state, Mapping):
        inner = {key: shape(value) for key, value in state.items()}
        return CARRIED if CARRIED in inner.values() or not inner else inner
    if isinstance(state, tuple | list | frozenset | set):
        several = [shape(each) for each in state]
        return CARRIED if CARRIED in several or not several else several
    if is_dataclass(state):
        return type(state).__name__, [(each.name, shape(getattr(state, each.name))) for each in fields(state)]
    if isinstance(state, msgspec.Struct):
        return type(state).__name__, [(name, shape(getattr(state, name))) for name in state.__struct_fields__]
    return state


def steps(decider: AnyDecider, history: list[Event]) -> tuple[list[Event], list[Any]]:
    """The events of a random history that can follow each other, and the shape of the state after each."""
    happened, shapes, state = [], [], decider.initial
    for event in history:
        try:
            state = decider.evolve(state, event)
        except Exception:  # noqa: BLE001 - not a possible past: `decide` would never have answered with it
            continue
        happened.append(event)
        shapes.append(shape(state))
    return happened, shapes


def folded(decider: AnyDecider, history: list[Event]) -> list[Any]:
    shapes, state = [], decider.initial
    for event in history:
        state = decider.evolve(state, event)
        shapes.append(shape(state))
    return shapes


def must_only_carry(decider: AnyDecider, examples: int = 60) -> int:
    """Raises where the state depends on a personal value; the length of the longest history that was possible."""
    longest = 0

    @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(happenings(events_of(decider)), max_size=14))
    def check(history: list[Event]) -> None:
        nonlocal longest
        happened, shapes = steps(decider, history)
        longest = max(longest, len(happened))
        assert folded(decider, [of_another(event) for event in happened]) == shapes
        assert folded(decider, [of_an_erased(event) for event in happened]) == shapes

    check()
    return longest


def test_there_are_deciders() -> None:
    assert len(list(deciders())) > 5


@pytest.mark.parametrize("decider", deciders(), ids=lambda decider: decider.kind)
def test_evolve_only_carries_personal_values(decider: AnyDecider) -> None:
    assert must_only_carry(decider) > 0


# --- would it be noticed? ----------------------------------------------------------------------------------------


class Said(Event):
    """Somebody said something."""

    name: ClassVar[str] = "toy.said.v1"
    words: Personal[str]


@dataclass(frozen=True)
class Heard:
    words: str = ""
    loud: bool = False


def _toy(evolve: Any) -> AnyDecider:
    return Decider(kind="toy", initial=Heard(), decide=lambda *_: [], evolve=evolve)


def _carries(state: Heard, event: Said) -> Heard:
    return Heard(event.words, state.loud)


def _branches(state: Heard, event: Said) -> Heard:
    return Heard(event.words, loud="another" in event.words)


def _fails_when_erased(state: Heard, event: Said) -> Heard:
    assert event.words != ERASED
    return Heard(event.words)


def test_a_decider_that_carries_is_let_through() -> None:
    assert must_only_carry(_toy(_carries), examples=10) > 0


@pytest.mark.parametrize("evolve", [_branches, _fails_when_erased])
def test_a_decider_that_branches_is_noticed(evolve: Any) -> None:
    with pytest.raises(AssertionError):
        must_only_carry(_toy(evolve), examples=10)
