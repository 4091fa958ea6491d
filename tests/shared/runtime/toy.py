"""A toy service for the runtime's own tests: it notes texts about a thing, some of them personal.

It records facts of identity under their real names, so the registry needs nothing made up.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from fastapi import APIRouter

from services.exemption.domain.parking import PARKING
from shared.events.identity import MobileReplaced, RegistrationStarted, SmsCodeMistyped
from shared.kernel.decider import Decider
from shared.kernel.errors import NotYet, Refused
from shared.kernel.messages import Command, Event, Fact, Receipt
from shared.runtime.event_store import View, Work
from shared.runtime.keyring import Erased
from shared.runtime.parking import resolving
from shared.runtime.rows import Tx
from shared.runtime.service import Reaction, ServiceDefinition

ToyEvent = SmsCodeMistyped | MobileReplaced | RegistrationStarted


class Note(Command):
    """Note `count` times; `expected` is the number of notes the caller saw, if it cares."""

    thing: str
    text: str = "register"
    count: int = 1
    at: int | None = None


class NoteMobile(Command):
    thing: str
    person: str
    mobile: str


@dataclass(frozen=True)
class Notes:
    count: int = 0


def decide(command: Note | NoteMobile, state: Notes, context: None) -> Sequence[ToyEvent]:
    match command:
        case Note():
            if command.at is not None and command.at != state.count:
                raise Refused("identity.organisation_unknown")
            return [SmsCodeMistyped(purpose=command.text, attempts_left=n) for n in range(command.count)]
        case NoteMobile():
            return [MobileReplaced(mobile=command.mobile, previous="", checked_by=None, evidence="")]


def evolve(state: Notes, event: ToyEvent) -> Notes:
    return Notes(state.count + 1)


TOY: Decider[Note | NoteMobile, Notes, ToyEvent, None] = Decider("toy", Notes(), decide, evolve)


async def note(work: Work, command: Note) -> Receipt:
    return await work.execute(TOY, command.thing, command, None, case="case-1")


async def note_mobile(work: Work, command: NoteMobile) -> Receipt:
    return await work.execute(TOY, command.thing, command, None, person=command.person)


async def project_note(tx: Tx, fact: Fact[Event]) -> None:
    await tx.put("toys", ("thing",), thing=fact.subject, notes=fact.version)


async def project_mobile(tx: Tx, fact: Fact[MobileReplaced]) -> None:
    await project_note(tx, fact)
    await tx.claim("mobile", fact.event.mobile, fact.stream)
    await tx.schedule("remind", fact.stream, fact.meta.at)


DEFINITION = ServiceDefinition(
    name="identity",
    handlers={Note: note, NoteMobile: note_mobile},
    views=(View("toys", ("toys",), {SmsCodeMistyped: project_note, MobileReplaced: project_mobile}),),
    router=APIRouter(),
    refusals={},
    schema=Path(__file__),
)
TABLE = """
create table identity.toys (thing text primary key, notes integer not null);
grant all on identity.toys to identity
"""


class Echo(Command):
    """What the follower does about a note: it echoes it, once."""

    thing: str
    version: int
    text: str


BUGS: Mapping[str, type[Exception]] = {
    "bug": ZeroDivisionError,
    "no such file": FileNotFoundError,
    "wrong argument": asyncpg.InterfaceError,
}
"""What the reaction to a text raises; the latter two are what outages raise as well."""
mended: set[str] = set()
"""Things about which these are no bugs any more."""


def on_note(fact: Fact[SmsCodeMistyped]) -> list[Command]:
    if fact.event.purpose in BUGS and fact.subject not in mended:
        raise BUGS[fact.event.purpose](fact.event.purpose)
    return [Echo(thing=fact.subject, version=fact.version, text=fact.event.purpose)]


def decide_echo(command: Echo, state: Notes, context: None) -> Sequence[ToyEvent]:
    if command.text == "refuse":
        raise Refused("identity.organisation_unknown")
    return [SmsCodeMistyped(purpose=command.text, attempts_left=command.version)]


ECHO: Decider[Echo, Notes, ToyEvent, None] = Decider("echo", Notes(), decide_echo, evolve)
early: set[str] = set()
"""Things whose reaction comes too early, until a test takes them out."""
slow: dict[str, asyncio.Event] = {}
"""Things whose reaction waits for a test."""


async def echo(work: Work, command: Echo) -> Receipt:
    if command.thing in slow:
        await slow[command.thing].wait()
    if command.thing in early:
        raise NotYet(command.thing)
    if command.text == "erased since":
        raise Erased
    return await work.execute(ECHO, command.thing, command, None)


FOLLOWER = ServiceDefinition(
    name="exemption",
    handlers={Echo: echo, **resolving(PARKING)},
    views=(),
    router=APIRouter(),
    refusals={},
    schema=Path(__file__),
    reactions=(Reaction(SmsCodeMistyped, on_note, "beginning"),),
)
