"""Where in a book's file a clause stands that a rule was asked by. Pure; called by `proofs.py` for its faults."""

import re
from collections.abc import Sequence
from typing import Any

from services.exemption.domain.scheme import Rules

_STEP = re.compile(r"(\w+)(?:\[([^\]]*)\])?")
_NAMES = ("id", "name", "slot", "title")


def place_of(rules: Rules, clause: str) -> tuple[str | int, ...]:
    """The way to `<ref> exemption.bases[ncre_one].fields[number] SX-E-27`, as far as the book has it; () if nowhere."""
    said = clause.removeprefix(f"{rules.ref} exemption.").partition(" ")[0]
    here: Any = rules.book
    path: list[str | int] = []
    for word, named in _STEP.findall(said):
        here = getattr(here, word, None)
        if here is None:
            break
        path.append(word)
        if named:
            place = _entry(here, named)
            if place is None:
                break
            path.append(place)
            here = here[place]
    return tuple(path)


def _entry(entries: Sequence[Any], named: str) -> int | None:
    """By what it is called, or by where it stands."""
    called = (place for place, each in enumerate(entries) if named in {getattr(each, name, None) for name in _NAMES})
    return next(called, int(named) if named.isdecimal() and int(named) < len(entries) else None)
