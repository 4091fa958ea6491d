"""Commands -> gather what a decision may know -> execute. Nothing is decided here.

Called by `Service.handle` for requests and for what identity says; every handler runs in one transaction.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, get_args

from services.exemption.domain import access, export
from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.batch import BATCH, BatchContext, must_concern
from services.exemption.domain.case import Case, Expired, Lapsed
from services.exemption.domain.commands import (
    AcknowledgeBatch,
    AcknowledgeRecord,
    CloseCycle,
    DiscardDraft,
    EndWindow,
    ExpireExemption,
    ExportBatch,
    ExtendWindow,
    FollowAccount,
    FollowClosing,
    FollowEducation,
    FollowOrganisation,
    FollowRenaming,
    FollowVerification,
    ForgetPerson,
    HandOffBatch,
    HandOffRecord,
    LapseApplication,
    NoteRefund,
    OpenCycle,
    OrganisationCommand,
    PassStage,
    PrintRecordTable,
    ReceivePhotograph,
    RecordBatch,
    RefuseApplication,
    ReleaseTicket,
    ReturnApplication,
    ReviveApplication,
    RevokeExemption,
    SaveDraft,
    SettleFee,
    SettleReopening,
    SettleWindow,
    StartApplication,
    SubmitApplication,
    UnlockReapplication,
    ViewDocuments,
)
from services.exemption.domain.cycle import CYCLE, Cycle, CycleContext
from services.exemption.domain.followed import ACCOUNT_FOLLOWED, ORGANISATION_FOLLOWED, at_level
from services.exemption.domain.form import value_of
from services.exemption.domain.hand_in import no_organisation
from services.exemption.domain.scheme import ExemptionScheme, Known, Rules
from services.exemption.domain.upload import UPLOAD, UploadContext
from services.exemption.domain.viewing import VIEWING, ViewingContext
from services.exemption.submitting import (
    known_photographs,
    one_at_a_time,
    settle_head,
    submit,
    take_place,
    uploads_of,
    with_what_is_known,
)
from services.exemption.views.applications import count_drafts, find_ready
from services.exemption.views.organisations import find_named, find_upwards
from services.exemption.views.uploads import count_received
from shared.kernel.errors import Refused
from shared.kernel.messages import Command, Receipt
from shared.runtime.event_store import Work
from shared.runtime.rows import Connection
from shared.schemes.book import Head
from shared.schemes.catalog import Catalog

Review = PassStage | ReturnApplication | RefuseApplication | UnlockReapplication | ReleaseTicket | RevokeExemption


class Books:
    """The exemption rules of every book, by name."""

    def __init__(self, catalog: Catalog) -> None:
        self._rules = {
            book.ref: Rules(book.ref, book.part("exemption", ExemptionScheme), known_of(catalog, book.ref))
            for book in catalog.with_part("exemption")
        }
        self.catalog = catalog

    def head(self, ref: str) -> Head:
        head = self.catalog.get(self.rules(ref).ref).head
        assert head is not None  # only the platform's house rules have none
        return head

    def refs(self) -> tuple[str, ...]:
        return tuple(self._rules)

    def rules(self, ref: str) -> Rules:
        if ref not in self._rules:
            raise Refused("exemption.no_such_scheme")
        return self._rules[ref]


def known_of(catalog: Catalog, ref: str) -> Known:
    """The reference data that a book may speak of."""
    there = catalog.reference
    jurisdiction = ref.split("/")[0]
    heads = [each.head for each in catalog.books.values() if each.ref.split("/")[0] == jurisdiction and each.head]
    offices = {each.level: each.title for head in heads for each in head.levels}
    return Known(there.courses, there.certificates, there.code_lists, there.majors.get(jurisdiction), offices)


def roles_of(work: Work) -> frozenset[tuple[str, str]]:
    return work.caller.roles if work.caller else frozenset()


async def organisation_names(connection: Connection, rules: Rules, cases: Iterable[Case]) -> dict[str, str]:
    """Titles of the organisations that candidates chose."""
    chosen = {value_of(rules.book, "organisation", case.form) or "" for case in cases}
    return {each.id: each.title for each in (await find_named(connection, sorted(chosen))).values()}


class Handlers:
    """One handler for each command."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def by_command(self) -> Mapping[type[Command], Callable[[Work, Any], Awaitable[Receipt]]]:
        return {
            StartApplication: self.start,
            SaveDraft: self.edit,
            DiscardDraft: self.edit,
            SubmitApplication: self.submit,
            ReceivePhotograph: self.receive,
            **dict.fromkeys(get_args(Review), self.review),
            LapseApplication: self.follow_up,
            ExpireExemption: self.follow_up,
            ReviveApplication: self.revive,
            PrintRecordTable: self.follow_up,
            SettleFee: self.pay,
            NoteRefund: self.pay,
            ViewDocuments: self.view,
            HandOffBatch: self.hand_off,
            AcknowledgeBatch: self.acknowledge,
            ExportBatch: self.export,
            OpenCycle: self.open_cycle,
            ExtendWindow: self.change_cycle,
            CloseCycle: self.change_cycle,
            EndWindow: self.end_window,
            SettleWindow: self.end_window,
            SettleReopening: self.end_window,
            FollowOrganisation: self.follow_organisation,
            FollowRenaming: self.follow_organisation,
            FollowClosing: self.follow_organisation,
            FollowAccount: self.follow_account,
            FollowVerification: self.follow_account,
            FollowEducation: self.follow_account,
            ForgetPerson: self.forget,
        }

    # --- candidates

    async def start(self, work: Work, command: StartApplication) -> Receipt:
        cycle = await self._cycle(work, command.cycle)
        await one_at_a_time(work, f"start/{work.meta.actor}")
        drafts = await count_drafts(work.tx.connection, work.meta.actor, command.cycle)
        application = work.new_id("application")
        context = replace(self._context(work, application, command.cycle, cycle), drafts=drafts)
        return await work.execute(APPLICATION, application, command, context, case=application, person=work.meta.actor)

    async def edit(self, work: Work, command: SaveDraft | DiscardDraft) -> Receipt:
        state, context = await self._case(work, command.application, command.expected)
        if isinstance(command, SaveDraft):
            uploads = uploads_of(command.photos.values(), command.claims)
            context = replace(context, photographs=await known_photographs(work, uploads))
        return await self._execute(work, command.application, command, state, context, command.expected)

    async def submit(self, work: Work, command: SubmitApplication) -> Receipt:
        state, context = await self._case(work, command.application, command.expected)
        return await submit(work, command, state, context, self._case)

    async def receive(self, work: Work, command: ReceivePhotograph) -> Receipt:
        state, context = await self._case(work, command.application)
        await one_at_a_time(work, f"upload/{work.meta.actor}")
        received = await count_received(work.tx.connection, work.meta.actor, command.slot, work.meta.at)
        known = UploadContext(work.meta.at, work.meta.actor, context.rules, state, received)
        return await work.execute(
            UPLOAD, work.new_id("upload"), command, known, case=command.application, person=work.meta.actor
        )

    # --- reviewers

    async def review(self, work: Work, command: Review) -> Receipt:
        state, context = await self._case(work, command.application, command.expected)
        if isinstance(command, PassStage):
            account, _ = await work.load(ACCOUNT_FOLLOWED, state.candidate)
            context = replace(context, account=account)
        receipt = await self._execute(work, command.application, command, state, context, command.expected)
        await settle_head(work, command.application, context)
        return receipt

    async def follow_up(self, work: Work, command: LapseApplication | ExpireExemption | PrintRecordTable) -> Receipt:
        state, context = await self._case(work, command.application)
        receipt = await self._execute(work, command.application, command, state, context)
        await settle_head(work, command.application, context)
        return receipt

    async def pay(self, work: Work, command: SettleFee | NoteRefund) -> Receipt:
        """Of an erased person too: there is nothing personal in it, and money must find its way back."""
        state, context = await self._case(work, command.application)
        if isinstance(state, Lapsed) and state.form:
            return await self._come_back(work, command, state, context)
        person = state.candidate if state.form else None
        receipt = await work.execute(
            APPLICATION, command.application, command, context, case=command.application, person=person
        )
        await settle_head(work, command.application, context)
        return receipt

    async def revive(self, work: Work, command: ReviveApplication) -> Receipt:
        state, context = await self._case(work, command.application)
        return await self._come_back(work, command, state, context)

    async def _come_back(
        self, work: Work, command: ReviveApplication | SettleFee | NoteRefund, state: Case, context: Context
    ) -> Receipt:
        """As it was handed in, and not without asking what has come to count meanwhile: what is handed in now waits."""
        await one_at_a_time(work, f"submit/{state.candidate}")
        handed_in = replace(state, form=state.handed_in.form, claims=state.handed_in.claims)
        known = await with_what_is_known(work, handed_in, context)
        receipt = await self._execute(work, command.application, command, state, known)
        after, _ = await work.load(APPLICATION, command.application)
        if receipt.events and not isinstance(after, Lapsed | Expired) and not state.ticket_released:
            await take_place(work, command.application, handed_in, known)
        return receipt

    async def view(self, work: Work, command: ViewDocuments) -> Receipt:
        state, _ = await work.load(APPLICATION, command.application)
        known = ViewingContext(work.meta.actor, roles_of(work), state)
        return await work.execute(VIEWING, command.application, command, known, case=command.application)

    # --- hand-off

    async def hand_off(self, work: Work, command: HandOffBatch) -> Receipt:
        """The batch first, so that its receipt is the answer; then every record of it, in the same transaction."""
        cycle = await self._cycle(work, command.cycle)
        rules = self._books.rules(cycle.scheme)
        hand_off = rules.book.hand_off
        if hand_off is None:
            raise Refused("exemption.no_hand_off")
        if not any(role == hand_off.role for role, _ in roles_of(work)):
            raise Refused("access.not_allowed")
        ready = await find_ready(work.tx.connection, command.cycle, hand_off.role, roles_of(work))
        chosen = command.applications or tuple(ready[: hand_off.most])
        if set(chosen) - set(ready):
            raise Refused("exemption.not_granted")
        states = {application: await self._case(work, application) for application in chosen}
        sender = self._sender(states.values(), hand_off.scope)
        above = await find_upwards(work.tx.connection, sender)
        receiver = at_level(sender, hand_off.receiver_scope, above)
        if receiver is None:
            raise no_organisation(hand_off.receiver_scope, rules)
        batch = work.new_id("batch")
        whole = RecordBatch(
            scheme=rules.ref,
            cycle=command.cycle,
            organisation=sender,
            receiver=receiver,
            applications=chosen,
            digest=self._digest(rules, {each: case for each, (case, _) in states.items()}),
        )
        receipt = await work.execute(BATCH, batch, whole, BatchContext(work.meta.actor, roles_of(work), rules))
        record = HandOffRecord(batch=batch, receiver=receiver)
        for application, (case, context) in states.items():
            await self._execute(work, application, record, case, context)
        return receipt

    @staticmethod
    def _sender(states: Iterable[tuple[Case, Context]], scope: str) -> str:
        senders = {case.organisations.get(scope, "") for case, _ in states}
        if len(senders) > 1:
            raise Refused("exemption.batch_of_two_senders")
        if not senders:
            raise Refused("exemption.batch_empty")
        return senders.pop()

    @staticmethod
    def _digest(rules: Rules, cases: Mapping[str, Case]) -> str:
        rows = [row for application, case in cases.items() for row in export.rows(rules, application, case, names={})]
        return export.digest(export.columns(rules), rows)

    async def acknowledge(self, work: Work, command: AcknowledgeBatch) -> Receipt:
        known, context = await self._batch(work, command.batch)
        receipt = await work.execute(BATCH, command.batch, command, context)
        record = AcknowledgeRecord(batch=command.batch, reference=command.reference)
        for application in known:
            case, about = await self._case(work, application)
            await self._execute(work, application, record, case, about)
        return receipt

    async def export(self, work: Work, command: ExportBatch) -> Receipt:
        _, context = await self._batch(work, command.batch)
        return await work.execute(BATCH, command.batch, command, context)

    async def _batch(self, work: Work, batch: str) -> tuple[tuple[str, ...], BatchContext]:
        state, _ = await work.load(BATCH, batch)
        known = must_concern(state, roles_of(work))
        return known.applications, BatchContext(work.meta.actor, roles_of(work), self._books.rules(known.scheme))

    # --- cycles

    async def open_cycle(self, work: Work, command: OpenCycle) -> Receipt:
        rules = self._books.rules(command.scheme)
        context = await self._cycle_context(work, command.organisation, rules)
        return await work.execute(CYCLE, work.new_id("cycle"), command, context)

    async def change_cycle(self, work: Work, command: ExtendWindow | CloseCycle) -> Receipt:
        cycle = await self._cycle(work, command.cycle)
        context = await self._cycle_context(work, cycle.organisation, self._books.rules(cycle.scheme))
        return await work.execute(CYCLE, command.cycle, command, context, expected=command.expected)

    async def end_window(self, work: Work, command: EndWindow | SettleWindow | SettleReopening) -> Receipt:
        cycle = await self._cycle(work, command.cycle)
        context = await self._cycle_context(work, cycle.organisation, self._books.rules(cycle.scheme))
        return await work.execute(CYCLE, command.cycle, command, context)

    async def _cycle_context(self, work: Work, organisation: str, rules: Rules) -> CycleContext:
        above = await find_upwards(work.tx.connection, organisation)
        listed = self._books.catalog.reference.organisations.get(rules.jurisdiction)
        own = frozenset(each.id for each in listed.organisations) if listed else frozenset()
        return CycleContext(work.meta.at, work.meta.actor, roles_of(work), rules, above, own)

    # --- what identity says

    async def follow_organisation(self, work: Work, command: OrganisationCommand) -> Receipt:
        return await work.execute(ORGANISATION_FOLLOWED, command.organisation, command, None)

    async def follow_account(
        self, work: Work, command: FollowAccount | FollowVerification | FollowEducation
    ) -> Receipt:
        return await work.execute(ACCOUNT_FOLLOWED, command.person, command, None, person=command.person)

    async def forget(self, work: Work, command: ForgetPerson) -> Receipt:
        return await work.execute(ACCOUNT_FOLLOWED, command.person, command, None)

    # --- shared

    async def _cycle(self, work: Work, cycle: str) -> Cycle:
        state, _ = await work.load(CYCLE, cycle)
        if not isinstance(state, Cycle):
            raise Refused("access.not_found")
        return state

    async def _case(self, work: Work, application: str, expected: int | None = None) -> tuple[Case, Context]:
        state, _ = await work.load(APPLICATION, application)
        if not isinstance(state, Case):
            raise Refused("access.not_found")
        cycle = await self._cycle(work, state.cycle)
        context = self._context(work, application, state.cycle, cycle, state)
        if expected is not None:
            access.must_know_the_version(state, context)
        return state, context

    def _context(self, work: Work, application: str, cycle_id: str, cycle: Cycle, state: Case | None = None) -> Context:
        rules = self._books.rules(state.scheme if state else cycle.scheme)
        return Context(work.meta.at, work.meta.actor, roles_of(work), application, cycle_id, rules, cycle)

    async def _execute(
        self,
        work: Work,
        application: str,
        command: Any,
        state: Case,
        context: Context,
        expected: int | None = None,
    ) -> Receipt:
        """Everything of a case is sealed under its candidate's key, whoever wrote it."""
        return await work.execute(
            APPLICATION,
            application,
            command,
            context,
            case=application,
            person=state.candidate,
            expected=expected,
        )
