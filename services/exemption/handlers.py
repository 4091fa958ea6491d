"""Commands -> gather what a decision may know -> execute. Nothing is decided here.

Called by `Service.handle` for requests and for what identity says; every handler runs in one transaction.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from services.exemption.domain import export
from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.batch import BATCH, BatchContext, must_concern
from services.exemption.domain.case import Case
from services.exemption.domain.commands import (
    AcknowledgeBatch,
    AcknowledgeRecord,
    CloseCycle,
    DiscardDraft,
    EndWindow,
    ExportBatch,
    ExtendWindow,
    FollowAccount,
    FollowClosing,
    FollowOrganisation,
    FollowRenaming,
    ForgetPerson,
    HandOffBatch,
    HandOffRecord,
    OpenCycle,
    OrganisationCommand,
    PassStage,
    PrintRecordTable,
    ReceivePhotograph,
    RecordBatch,
    ReturnApplication,
    SaveDraft,
    StartApplication,
    SubmitApplication,
    ViewDocuments,
)
from services.exemption.domain.cycle import CYCLE, Cycle, CycleContext
from services.exemption.domain.followed import ACCOUNT_FOLLOWED, ORGANISATION_FOLLOWED, at_level
from services.exemption.domain.form import Photograph, value_of
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.domain.upload import UPLOAD, Accepted, UploadContext
from services.exemption.domain.viewing import VIEWING, ViewingContext
from services.exemption.views.applications import find_others_with_number, find_own_other, find_ready
from services.exemption.views.cycles import WINDOW_OVER
from services.exemption.views.organisations import find_named, find_upwards
from services.exemption.views.uploads import count_received
from shared.kernel.errors import Refused
from shared.kernel.messages import Command, Meta, Receipt, command_id
from shared.runtime.event_store import Work
from shared.runtime.rows import Connection
from shared.runtime.service import Service, Timer, TimerHandler
from shared.schemes.book import Head
from shared.schemes.catalog import Catalog
from shared.schemes.reading import certificate_key

Edit = SaveDraft | DiscardDraft | SubmitApplication
Review = PassStage | ReturnApplication


class Books:
    """The exemption rules of every book, by name."""

    def __init__(self, catalog: Catalog) -> None:
        self._rules = {
            book.ref: Rules(book.ref, book.part("exemption", ExemptionScheme))
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
            SubmitApplication: self.edit,
            ReceivePhotograph: self.receive,
            PassStage: self.review,
            ReturnApplication: self.review,
            PrintRecordTable: self.print,
            ViewDocuments: self.view,
            HandOffBatch: self.hand_off,
            AcknowledgeBatch: self.acknowledge,
            ExportBatch: self.export,
            OpenCycle: self.open_cycle,
            ExtendWindow: self.change_cycle,
            CloseCycle: self.change_cycle,
            EndWindow: self.end_window,
            FollowOrganisation: self.follow_organisation,
            FollowRenaming: self.follow_organisation,
            FollowClosing: self.follow_organisation,
            FollowAccount: self.follow_account,
            ForgetPerson: self.forget,
        }

    # --- candidates

    async def start(self, work: Work, command: StartApplication) -> Receipt:
        cycle = await self._cycle(work, command.cycle)
        application = work.new_id("application")
        context = self._context(work, application, command.cycle, cycle)
        return await work.execute(APPLICATION, application, command, context, case=application, person=work.meta.actor)

    async def edit(self, work: Work, command: Edit) -> Receipt:
        state, context = await self._case(work, command.application)
        more: dict[str, Any] = {}
        if isinstance(command, SaveDraft):
            more = {"photographs": await self._photographs(work, command.photos.values())}
        elif isinstance(command, SubmitApplication):
            more = await self._for_submission(work, command.application, state, context.rules)
        return await self._execute(work, command.application, command, state, context, command.expected, **more)

    async def receive(self, work: Work, command: ReceivePhotograph) -> Receipt:
        state, context = await self._case(work, command.application)
        await self._one_at_a_time(work, f"upload/{work.meta.actor}")
        received = await count_received(work.tx.connection, work.meta.actor, command.slot, work.meta.at)
        known = UploadContext(work.meta.at, work.meta.actor, context.rules, state, received)
        return await work.execute(
            UPLOAD, work.new_id("upload"), command, known, case=command.application, person=work.meta.actor
        )

    async def _for_submission(self, work: Work, application: str, state: Case, rules: Rules) -> dict[str, Any]:
        """The candidate's submissions wait for one another, so that two at once cannot both be the first."""
        connection = work.tx.connection
        await self._one_at_a_time(work, f"submit/{state.candidate}")
        number = work.tx.hashed(
            "certificate", certificate_key(value_of(rules.book, "certificate_number", state.form) or "")
        )
        account, _ = await work.load(ACCOUNT_FOLLOWED, state.candidate)
        return {
            "photographs": await self._photographs(work, state.photos.values()),
            "organisations": await find_upwards(connection, value_of(rules.book, "organisation", state.form) or ""),
            "account": account,
            "seen_elsewhere": tuple(await find_others_with_number(connection, state.candidate, number)),
            "own_other": await find_own_other(connection, state.candidate, application, number),
        }

    @staticmethod
    async def _one_at_a_time(work: Work, what: str) -> None:
        """Until the end of the transaction."""
        connection = await work.tx.open()
        await connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"exemption/{what}")

    async def _photographs(self, work: Work, uploads: Iterable[str]) -> dict[str, Photograph]:
        known = {upload: (await work.load(UPLOAD, upload))[0] for upload in uploads}
        return {
            upload: Photograph(state.owner, state.application, state.slot)
            for upload, state in known.items()
            if isinstance(state, Accepted)
        }

    # --- reviewers

    async def review(self, work: Work, command: Review) -> Receipt:
        state, context = await self._case(work, command.application)
        return await self._execute(work, command.application, command, state, context, command.expected)

    async def print(self, work: Work, command: PrintRecordTable) -> Receipt:
        state, context = await self._case(work, command.application)
        return await self._execute(work, command.application, command, state, context)

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
            raise Refused("exemption.no_organisation_to_review", level=hand_off.receiver_scope)
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
        rows = [export.row(rules.book, application, case, names={}) for application, case in cases.items()]
        return export.digest(export.columns(rules.book), rows)

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

    async def end_window(self, work: Work, command: EndWindow) -> Receipt:
        cycle = await self._cycle(work, command.cycle)
        context = await self._cycle_context(work, cycle.organisation, self._books.rules(cycle.scheme))
        return await work.execute(CYCLE, command.cycle, command, context)

    async def _cycle_context(self, work: Work, organisation: str, rules: Rules) -> CycleContext:
        above = await find_upwards(work.tx.connection, organisation)
        return CycleContext(work.meta.at, work.meta.actor, roles_of(work), rules, above)

    # --- what identity says

    async def follow_organisation(self, work: Work, command: OrganisationCommand) -> Receipt:
        return await work.execute(ORGANISATION_FOLLOWED, command.organisation, command, None)

    async def follow_account(self, work: Work, command: FollowAccount) -> Receipt:
        return await work.execute(ACCOUNT_FOLLOWED, command.person, command, None, person=command.person)

    async def forget(self, work: Work, command: ForgetPerson) -> Receipt:
        return await work.execute(ACCOUNT_FOLLOWED, command.person, command, None)

    # --- shared

    async def _cycle(self, work: Work, cycle: str) -> Cycle:
        state, _ = await work.load(CYCLE, cycle)
        if not isinstance(state, Cycle):
            raise Refused("access.not_found")
        return state

    async def _case(self, work: Work, application: str) -> tuple[Case, Context]:
        state, _ = await work.load(APPLICATION, application)
        if not isinstance(state, Case):
            raise Refused("access.not_found")
        cycle = await self._cycle(work, state.cycle)
        return state, self._context(work, application, state.cycle, cycle, state)

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
        **more: Any,
    ) -> Receipt:
        """Everything of a case is sealed under its candidate's key, whoever wrote it."""
        return await work.execute(
            APPLICATION,
            application,
            command,
            replace(context, **more),
            case=application,
            person=state.candidate,
            expected=expected,
        )


# --- timers


async def window_over(service: Service, timer: Timer) -> None:
    """A window has closed for the last time."""
    command = EndWindow(cycle=timer.stream.split("-", 1)[1], purpose=timer.key, due_at=timer.due_at)
    meta = Meta(
        command_id=command_id("timer", timer.kind, timer.stream, timer.key, timer.due_at.isoformat()),
        actor="timer",
        at=service.clock(),
    )
    await service.handle(command, meta)


TIMERS: Mapping[str, TimerHandler] = {WINDOW_OVER: window_over}
