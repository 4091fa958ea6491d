"""Every state of every decider has the title an official reads in a trail, and every kind of record has its name."""

import typing
from dataclasses import is_dataclass
from typing import Any

import pytest

from ops.audit import deciders
from ops.words import RECORDS, SERVICES
from shared import events
from shared.kernel.decider import Decider
from shared.runtime.trail import NOTHING_KNOWN, name_of

DECIDERS = deciders()
every_decider = pytest.mark.parametrize("decider", DECIDERS.values(), ids=[" ".join(key) for key in DECIDERS])
CHINESE = ("\u4e00", "\u9fff")


def states_of(decider: Decider[Any, Any, Any, Any]) -> list[Any]:
    """What its `evolve` answers with."""
    answer = typing.get_type_hints(decider.evolve)["return"]
    return [kind for kind in typing.get_args(answer) or (answer,) if is_dataclass(kind)]


@every_decider
def test_every_state_has_a_title(decider: Decider[Any, Any, Any, Any]) -> None:
    for state in states_of(decider):
        assert hasattr(state, "state_title"), state


@every_decider
def test_the_title_of_the_first_state_is_chinese(decider: Decider[Any, Any, Any, Any]) -> None:
    title = name_of(decider.initial)
    assert all(CHINESE[0] <= char <= CHINESE[1] for char in title), title


def test_a_stream_of_which_nothing_is_known_says_so() -> None:
    assert name_of(None) == NOTHING_KNOWN


def test_states_are_found_at_all() -> None:
    assert len(states_of(DECIDERS["identity", "account"])) == 6


def test_every_kind_of_record_and_every_service_has_a_name() -> None:
    assert set(DECIDERS) == set(RECORDS)
    assert set(events.SERVICES) == set(SERVICES)
