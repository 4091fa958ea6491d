"""Prior education (前置学历): commands -> gather what the decision needs -> execute; and the cycles it needs to know.

Called by the service's write path, like `handlers.py`; wired up in `main.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from services.identity import education_views as views
from services.identity.attempts import spend_by_doing
from services.identity.domain.account import ACCOUNT, Registered
from services.identity.domain.commands import (
    BeginCheck,
    CycleCommand,
    EducationCommand,
    RecordCall,
    RecordChsiAnswer,
    SavePriorEducation,
    SettleContradiction,
    StartPriorEducation,
    SubmitPriorEducation,
    TakeBackPriorEducation,
)
from services.identity.domain.diploma import DIPLOMA, FlagDiploma
from services.identity.domain.education import EDUCATION
from services.identity.domain.education_record import EducationContext, Effective, NotStarted
from services.identity.domain.education_rules import Rules
from services.identity.domain.followed import CYCLE_FOLLOWED, Unknown
from services.identity.domain.scheme import JurisdictionIdentity, Limit
from shared.events.identity import PriorEducationConfirmed
from shared.kernel.errors import Refused
from shared.kernel.messages import Command, Receipt
from shared.runtime.event_store import Work
from shared.runtime.service import Handler

_DAY = 86_400


class Books:
    """What the jurisdictions say about prior education."""

    def __init__(self, parts: Mapping[str, JurisdictionIdentity]) -> None:
        said = {ref: part.prior_education for ref, part in parts.items()}
        self._rules = {ref: Rules(ref, part) for ref, part in said.items() if part is not None}

    def rules(self, scheme: str) -> Rules:
        """Of the book `<jurisdiction>/<name>@<version>`, else of what its jurisdiction says for all of its books."""
        for ref in (scheme, scheme.split("/")[0]):
            if ref in self._rules:
                return self._rules[ref]
        raise Refused("identity.no_prior_education")


@dataclass(frozen=True)
class Educations:
    books: Books

    async def start(self, work: Work, command: StartPriorEducation) -> Receipt:
        cycle, _ = await work.load(CYCLE_FOLLOWED, command.cycle)
        if isinstance(cycle, Unknown):
            raise Refused("identity.no_such_cycle")
        record, person = work.new_id("education"), work.meta.actor
        context = EducationContext(work.meta.at, person, self.books.rules(cycle.scheme), cycle)
        return await work.execute(EDUCATION, record, command, context, case=record, person=person)

    async def edit(
        self, work: Work, command: SavePriorEducation | SubmitPriorEducation | TakeBackPriorEducation
    ) -> Receipt:
        state, _ = await work.load(EDUCATION, command.record)
        if isinstance(state, NotStarted):
            raise Refused("access.not_found")
        known: dict[str, Any] = {}
        if isinstance(command, SubmitPriorEducation):
            account, _ = await work.load(ACCOUNT, work.meta.actor)
            cycle, _ = await work.load(CYCLE_FOLLOWED, state.record.cycle)
            known = {"cycle": cycle, "holder": account.name if isinstance(account, Registered) else ""}
        context = EducationContext(work.meta.at, work.meta.actor, self.books.rules(state.record.scheme), **known)
        expected = None if isinstance(command, TakeBackPriorEducation) else command.expected
        receipt = await work.execute(
            EDUCATION,
            command.record,
            command,
            context,
            case=command.record,
            person=state.record.candidate,
            expected=expected,
        )
        if isinstance(command, SubmitPriorEducation):
            tries = context.rules.book.tries
            limit = Limit(most=tries.most, per_seconds=_DAY, source=tries.source)
            await spend_by_doing(work.tx, "prior_education", work.meta.actor, limit, work.meta.at)
        return receipt

    async def check(self, work: Work, command: BeginCheck | RecordCall | RecordChsiAnswer) -> Receipt:
        """By our timers and by CHSI itself. An erased person has no key, and nothing more to seal."""
        record = command.record
        if record is None:
            assert isinstance(command, RecordChsiAnswer)
            record = await views.find_record_of(work.tx.connection, command.request)
        if record is None:
            raise Refused("identity.no_such_check")
        state, _ = await work.load(EDUCATION, record)
        if isinstance(state, NotStarted):
            raise Refused("identity.no_such_check")
        person = None if state.record.erased else state.record.candidate
        context = EducationContext(
            now=work.meta.at,
            actor=work.meta.actor,
            rules=self.books.rules(state.record.scheme),
            new_request=work.new_id("check"),
        )
        receipt = await work.execute(EDUCATION, record, command, context, case=record, person=person)
        await self._flag(work, record, receipt)
        return receipt

    async def settle(self, work: Work, command: SettleContradiction) -> Receipt:
        """By a clerk; who may, the book of the record says."""
        state, _ = await work.load(EDUCATION, command.record)
        if isinstance(state, NotStarted):
            raise Refused("access.not_found")
        roles = frozenset(work.caller.roles) if work.caller else frozenset()
        rules = self.books.rules(state.record.scheme)
        context = EducationContext(work.meta.at, work.meta.actor, rules, roles=roles)
        person = state.record.candidate
        receipt = await work.execute(EDUCATION, command.record, command, context, case=command.record, person=person)
        await self._flag(work, command.record, receipt)
        return receipt

    async def _flag(self, work: Work, record: str, receipt: Receipt) -> None:
        """Where what took effect is in effect for somebody else. Of one diploma it is asked one after the other."""
        if PriorEducationConfirmed.name not in receipt.events:
            return
        state, _ = await work.load(EDUCATION, record)
        assert isinstance(state, Effective)
        key = views.diploma_key(work.tx, state.record.handed_in["certificate_number"])
        connection = await work.tx.open()
        lock = f"identity/diploma/{key.hex()}"
        await connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", lock)
        if others := await views.find_others_with_diploma(connection, state.record.candidate, key):
            flag = FlagDiploma(record=record, others=others)
            await work.execute(DIPLOMA, record, flag, self.books.rules(state.record.scheme), case=record)

    async def follow(self, work: Work, command: CycleCommand) -> Receipt:
        return await work.execute(CYCLE_FOLLOWED, command.cycle, command, None)

    def by_command(self) -> Mapping[type[Command], Handler]:
        of_candidates: dict[type[Command], Any] = {StartPriorEducation: self.start}
        of_candidates |= dict.fromkeys((SavePriorEducation, SubmitPriorEducation, TakeBackPriorEducation), self.edit)
        of_checks: dict[type[Command], Any] = dict.fromkeys((BeginCheck, RecordCall, RecordChsiAnswer), self.check)
        of_clerks: dict[type[Command], Any] = {SettleContradiction: self.settle}
        assert {*of_candidates, *of_checks, *of_clerks} == set(get_args(EducationCommand))
        return {**of_candidates, **of_checks, **of_clerks, **dict.fromkeys(get_args(CycleCommand), self.follow)}
