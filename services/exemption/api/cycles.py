"""批次, for those who open, extend and close them. `public` shows them to everybody."""

from datetime import date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from services.exemption.api.asking import Body, BooksDep, Done, Id
from services.exemption.api.shapes import CycleDeed, Listed
from services.exemption.domain import rules
from services.exemption.domain.commands import CloseCycle, ExtendWindow, OpenCycle, WindowAsked
from services.exemption.domain.cycle import CYCLE, Cycle
from services.exemption.views.organisations import find_upwards
from shared import events
from shared.kernel.errors import Refused
from shared.kernel.messages import Fact, stream_name
from shared.runtime.access import CommandMeta, IfMatch, ServiceDep, StaffDep
from shared.schemes.procedure import Skip

router = APIRouter()

Word = Annotated[str, Field(min_length=1, max_length=100)]
Reason = Annotated[str, Field(min_length=2, max_length=200)]


class WindowDates(Body):
    """Days inclusive, hours half-open, Asia/Shanghai. What is left out is as the book has it."""

    from_day: date | None = Field(None, description="Without both days: those that the book announces.")
    to_day: date | None = None
    daily: list[tuple[time, time]] | None = Field(None, max_length=10, description="Empty: whole days.")
    excluded: list[date] = Field(default_factory=list, max_length=100, description="Days on which it is closed.")
    skip: list[Skip] | None = Field(None, max_length=2, description="Lists of days on which it is closed.")

    def asked(self) -> WindowAsked:
        return WindowAsked(
            self.from_day,
            self.to_day,
            None if self.daily is None else tuple(self.daily),
            tuple(self.excluded),
            None if self.skip is None else tuple(dict.fromkeys(self.skip)),
        )


class Open(Body):
    scheme: Word
    organisation: Word
    title: Word
    windows: dict[Word, WindowDates] = Field(max_length=20)


class Extend(Body):
    purpose: Word
    to_day: date
    reason: Reason


class Close(Body):
    reason: Reason


@router.post("/cycles", status_code=201)
async def open_cycle(body: Open, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    """批次: open a scheme at an organisation and all below it. Everybody can read it from now on."""
    windows = {purpose: dates.asked() for purpose, dates in body.windows.items()}
    command = OpenCycle(scheme=body.scheme, organisation=body.organisation, title=body.title, windows=windows)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/cycles/{cycle}/extend")
async def extend(
    cycle: Id, body: Extend, service: ServiceDep, caller: StaffDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """Let a window end later; the days off of its lists stay days off."""
    command = ExtendWindow(cycle=cycle, purpose=body.purpose, to_day=body.to_day, reason=body.reason, expected=version)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/cycles/{cycle}/close")
async def close(
    cycle: Id, body: Close, service: ServiceDep, caller: StaffDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """End it by hand, for good; what was handed in is still reviewed. Queries and validity keep their days."""
    command = CloseCycle(cycle=cycle, reason=body.reason, expected=version)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.get("/cycles/{cycle}/history")
async def history(cycle: Id, service: ServiceDep, books: BooksDep, caller: StaffDep) -> Listed[CycleDeed]:
    """Who opened, extended or closed it, when and why; for those who may do so themselves."""
    async with service.reading() as connection:
        past = await service.history(connection, stream_name(CYCLE.kind, cycle))
        known = CYCLE.replay(fact.event for fact in past)
        if not isinstance(known, Cycle):
            raise Refused("access.not_found")
        above = await find_upwards(connection, known.organisation)
    book = books.rules(known.scheme).book
    rules.opener_must_hold(book.open_by, book.open_at, known.organisation, above, caller.roles)
    titles = {each.id: each.title for each in book.windows}
    return Listed(items=[cycle_deed(fact, titles) for fact in past])


def cycle_deed(fact: Fact[Any], titles: dict[str, str]) -> CycleDeed:
    """One line of a cycle's past; `titles` are those of its windows."""
    event = fact.event
    purpose: str | None = getattr(event, "purpose", None)
    to_day: date | None = getattr(event, "to_day", None)
    ended_at: datetime | None = getattr(event, "ended_at", None)
    return CycleDeed(
        at=fact.meta.at,
        actor=fact.meta.actor,
        deed=events.phrase(type(event)).format(purpose=titles.get(purpose or "", purpose)),
        purpose=purpose,
        to_day=to_day,
        ended_at=ended_at,
        reason=getattr(event, "reason", None),
    )
