"""Golden samples: one stored body of every event type there ever was, as it stood when the type was first written.

A sample is never rewritten: what is stored for ever must be readable for ever. For a new event type, run

    python -m tests.contracts.golden

which adds what is missing and touches nothing else. When a type must change, make a version 2 with an upcaster in
`shared/events`; the old sample stays, and gets a `becomes` with the body it turns into.
"""

import json
import types
import typing
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import msgspec

from shared import events
from shared.kernel.messages import Event

FOLDER = Path(__file__).with_name("golden")


def sample_of(event: type[Event]) -> dict[str, Any]:
    """The body of one such event with every field filled, personal values unsealed."""
    hints = typing.get_type_hints(event)
    return stored(event(**{field: _filled(field, hints[field]) for field in event.__struct_fields__}))


def stored(event: Event) -> dict[str, Any]:
    """The body as it is written, but for the sealing."""
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    return body


def _filled(name: str, kind: Any) -> Any:
    """A value of this type that would show if it were lost: never empty, false or null."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _filled(name, next(each for each in inner if each is not types.NoneType))
    if origin is typing.Literal:
        return inner[0]
    if origin in (tuple, list) and inner[-1] is not Ellipsis and origin is tuple:
        return tuple(_filled(name, each) for each in inner)
    if origin in (tuple, list):
        return origin([_filled(f"{name} 1", inner[0]), _filled(f"{name} 2", inner[0])])
    if origin is dict:
        return {_filled(f"{name} key", inner[0]): _filled(f"{name} value", inner[1])}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{field: _filled(field, hint) for field, hint in typing.get_type_hints(kind).items()})
    return _PLAIN[kind](name)


_PLAIN: dict[Any, Any] = {
    str: lambda name: f"{name} 样值 𠮷",
    int: len,
    float: lambda _: 0.25,
    bool: lambda _: True,
    datetime: lambda _: datetime(2026, 3, 1, 1, 2, 3, 456789, UTC),
    date: lambda _: date(2026, 3, 1),
    time: lambda _: time(9, 30),
    Any: lambda name: [name, 1, True, None],
}


def file_of(wire_name: str) -> Path:
    return FOLDER / f"{wire_name}.json"


def write_missing() -> list[Path]:
    """Add a sample for each event type that has none."""
    FOLDER.mkdir(exist_ok=True)
    written = []
    for wire_name, event in events.EVENTS.items():
        file = file_of(wire_name)
        if not file.exists():
            text = json.dumps({"body": sample_of(event)}, ensure_ascii=False, indent=2)
            file.write_text(text + "\n", encoding="utf-8")
            written.append(file)
    return written


if __name__ == "__main__":
    for made in write_missing():
        print(made.name)
