"""Every fact there is, by its wire name, and who follows whom. Pure.

A service's facts are the `Event` classes of its module here. Each one's docstring opens with what an official calls it,
up to a colon: `{stage}：驳回: sent back ...`; names in braces are its own plain fields. `FOLLOWS` is the topology of
the bus: a publisher declares its followers' queues before its first message, so nothing it says is ever unroutable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from shared.kernel.messages import Event

SERVICES = ("identity", "exemption", "notification")
TO_COME = ("payment",)
"""Services that are not there yet, but whose facts others know how to take: nobody records them, nobody follows them.
Whoever builds one moves it to `SERVICES`, and into `FOLLOWS` of those that react to it."""
DECLARED = (*SERVICES, *TO_COME)
"""Whose facts are declared here."""

FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "identity": ("exemption",),
    "exemption": ("identity",),
    "notification": ("identity", "exemption"),
}
"""Service -> the services whose facts it reacts to."""


@dataclass(frozen=True)
class Upcaster:
    """Turns the body of a retired version into that of the version `to`; pure."""

    to: str
    body: Callable[[dict[str, Any]], dict[str, Any]]


def _submitted_with_mobile(body: dict[str, Any]) -> dict[str, Any]:
    """Every book of the first version called the field by its kind."""
    return {**body, "mobile": str(body["form"].get("mobile", ""))}


UPCASTERS: dict[str, Upcaster] = {
    "exemption.application_submitted.v1": Upcaster("exemption.application_submitted.v2", _submitted_with_mobile),
}
"""Retired wire name -> its upcaster; `to` may be retired as well, then the next one goes on from there."""


def current(name: str) -> str:
    """The wire name that facts recorded under `name` are read as today."""
    while name in UPCASTERS:
        name = UPCASTERS[name].to
    return name


def _collected() -> dict[str, type[Event]]:
    found: dict[str, type[Event]] = {}
    for service in DECLARED:
        for kind in vars(import_module(f"{__name__}.{service}")).values():
            if not isinstance(kind, type) or not issubclass(kind, Event) or kind is Event:
                continue
            if not kind.name.startswith(f"{service}.") or found.setdefault(kind.name, kind) is not kind:
                raise TypeError(f"{kind.__qualname__}: {kind.name} is not a free name of {service}")
    return found


EVENTS: Mapping[str, type[Event]] = _collected()
"""Wire name -> class."""


def phrase(kind: type[Event]) -> str:
    """What an official calls such a fact, with its fields still in braces."""
    return (kind.__doc__ or "").partition(": ")[0]


def followers(source: str) -> tuple[str, ...]:
    return tuple(service for service, sources in FOLLOWS.items() if source in sources)
