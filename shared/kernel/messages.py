"""Messages: commands ask, events are facts; `Fact` is an event with its place in history.

Events are declared in `shared/events/`, commands in each service's `domain/commands.py`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID, uuid5

import msgspec

T = TypeVar("T")


class _Sealed:
    """Marks a field whose value is stored only as ciphertext under the person's own key."""


Personal = Annotated[T, _Sealed]
"""`Personal[str]`: sealed before it is stored, logged or published. Only top-level fields of an event, and only
`str`, `dict` and `tuple` types, so that an erased person's value has a plain empty form (`ERASED`, {}, ())."""

ERASED = "〔已删除〕"


if TYPE_CHECKING:

    @dataclass_transform(eq_default=False, frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
    class _Message:
        """To a type checker a message is a frozen dataclass, without repeating so at each of them."""

        __struct_fields__: ClassVar[tuple[str, ...]]

else:

    class _Message(msgspec.Struct, frozen=True, kw_only=True):
        pass


class Event(_Message):
    """A fact. `name` is its wire name with its version; it never changes once written."""

    name: ClassVar[str]


class Command(_Message):
    """A wish that a decider grants with events or refuses."""


E_co = TypeVar("E_co", bound=Event, covariant=True)


_PERSONAL: dict[type[Event], Mapping[str, Any]] = {}


def personal_fields(event: type[Event]) -> Mapping[str, Any]:
    """The sealed fields of an event class and the plain type of each; worked out once per class."""
    if event not in _PERSONAL:
        _PERSONAL[event] = {
            field: get_args(hint)[0]
            for field, hint in get_type_hints(event, include_extras=True).items()
            if get_origin(hint) is Annotated and _Sealed in get_args(hint)[1:]
        }
    return _PERSONAL[event]


def erased_value(kind: Any) -> Any:
    """What a sealed field of type `kind` reads as once its person is erased."""
    if kind is str:
        return ERASED
    origin = get_origin(kind) or kind
    if origin in (dict, Mapping):
        return {}
    if origin in (tuple, list):
        return origin()
    if type(None) in get_args(kind):
        return None
    raise TypeError(f"Personal[{kind}] has no erased form")


class Meta(msgspec.Struct, frozen=True):
    """Who asked, why, and on whose behalf: what is written beside every event of one command.

    `person` is whose key seals the personal fields; `case` groups the events of one story over all services.
    """

    command_id: UUID
    actor: str
    at: datetime
    case: str | None = None
    person: str | None = None
    causation: UUID | None = None
    correlation: UUID | None = None
    traceparent: str | None = None


class Fact(msgspec.Struct, Generic[E_co], frozen=True):
    """An event where it stands in history; `source` is the service that recorded it."""

    source: str
    stream: str
    version: int
    event: E_co
    id: UUID
    meta: Meta
    position: int | None = None

    @property
    def subject(self) -> str:
        """The id of the thing this stream is about (the stream's name without its kind)."""
        return self.stream.split("-", 1)[1]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a command did; the same command again gets the same receipt."""

    stream: str
    version: int
    events: tuple[str, ...]


def stream_name(kind: str, subject: str) -> str:
    """`application-<id>`: kinds have no hyphen, so the subject is everything after the first."""
    return f"{kind}-{subject}"


COMMANDS = UUID("6f1d7f0e-53f2-5d0c-9d3a-6f3b0c9a51d4")


def command_id(*parts: str) -> UUID:
    """Deterministic id (UUID version 5) from actor + route + Idempotency-Key, consumer + event, or timer + due time."""
    return uuid5(COMMANDS, "\x1f".join(parts))
