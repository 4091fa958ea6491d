"""Handing in: what such a decision may know, and what follows from it in the same transaction. Called by `handlers.py`.

Of a ticket number or person only one application counts: the stream that says which is found by keyed hash, taken with
the submission, and what counted before is superseded. Nothing is decided here.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Case
from services.exemption.domain.claims import claim_of
from services.exemption.domain.commands import (
    SubmitApplication,
    SupersedeApplication,
)
from services.exemption.domain.evidence import evidence_of, paper_key
from services.exemption.domain.flagging import FLAGS, FlagCertificates
from services.exemption.domain.followed import ACCOUNT_FOLLOWED
from services.exemption.domain.form import Photograph, value_of
from services.exemption.domain.rules import today
from services.exemption.domain.scheme import Rules
from services.exemption.domain.terms import Numbering
from services.exemption.domain.uniqueness import (
    HEAD,
    HeadCommand,
    HeadContext,
    Heads,
    ReleaseHead,
    TakeHead,
    counted_by_ticket,
    is_the_accounts,
    replaced_by,
    settled_by,
)
from services.exemption.domain.upload import UPLOAD, Accepted
from services.exemption.views.applications import count_numbers, find_head
from services.exemption.views.elsewhere import find_others_with_number, find_own_courses, find_own_other
from services.exemption.views.organisations import find_upwards
from services.exemption.views.people import known_of_another
from shared.kernel.messages import Receipt
from shared.runtime.event_store import Work
from shared.schemes.reading import certificate_number

CaseOf = Callable[[Work, str], Awaitable[tuple[Case, Context]]]


async def one_at_a_time(work: Work, what: str) -> None:
    """Until the end of the transaction."""
    connection = await work.tx.open()
    await connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"exemption/{what}")


async def known_photographs(work: Work, uploads: Iterable[str]) -> dict[str, Photograph]:
    known = {upload: (await work.load(UPLOAD, upload))[0] for upload in uploads}
    return {
        upload: Photograph(state.owner, state.application, state.slot, digest=state.digest)
        for upload, state in known.items()
        if isinstance(state, Accepted)
    }


def uploads_of(photos: Iterable[str], claims: Iterable[Any]) -> list[str]:
    return [*photos, *(upload for claim in claims for upload in claim["photos"].values())]


async def with_what_is_known(work: Work, case: Case, context: Context) -> Context:
    """All that a verdict about this application needs. The candidate's own requests wait for one another."""
    connection, rules = work.tx.connection, context.rules
    account, _ = await work.load(ACCOUNT_FOLLOWED, case.candidate)
    head, heads = await _heads(work, case, rules)
    other = replaced_by(heads, case.cycle, context.application)
    evidence = evidence_of(rules, case.form, [claim_of(each) for each in case.claims], account)
    hashes = [work.tx.hashed("certificate", paper_key(each.type, each.number)) for each in evidence if each.number]
    but = [context.application, *([other] if other else [])]
    ticket = counted_ticket(case, rules)
    return replace(
        context,
        photographs=await known_photographs(work, uploads_of(case.photos.values(), case.claims)),
        organisations=await find_upwards(connection, where_it_goes(case, context)),
        account=account,
        heads=heads,
        head=head,
        ticket_elsewhere=bool(ticket) and await known_of_another(work.tx, ticket, case.candidate),
        seen_elsewhere=tuple(await find_others_with_number(connection, case.candidate, hashes)),
        own_other=await find_own_other(
            connection,
            case.candidate,
            but,
            hashes,
            rules.jurisdiction,
            rules.book.cycle_of_certificates(case.cycle),
        ),
        own_courses=await find_own_courses(connection, case.candidate, but, rules.jurisdiction),
    )


def where_it_goes(case: Case, context: Context) -> str:
    """The organisation from which upwards it is reviewed."""
    return value_of(context.rules.book, "organisation", case.form) or context.cycle.organisation


def counted_ticket(case: Case, rules: Rules) -> str:
    """The ticket number by which applications are counted; empty where they are not, or before it is typed."""
    unique = rules.book.uniqueness
    by_ticket = unique is not None and unique.by == "ticket_number"
    return certificate_number(value_of(rules.book, "ticket_number", case.form) or "") if by_ticket else ""


def head_value(case: Case, rules: Rules) -> str | None:
    """Whose applications are counted together: None where the book does not, or the form does not say it yet."""
    unique = rules.book.uniqueness
    if unique is None:
        return None
    if unique.by == "person":
        return f"{rules.jurisdiction}/person/{case.candidate}"
    ticket = counted_ticket(case, rules)
    return counted_by_ticket(rules.jurisdiction, ticket) if ticket else None


async def _heads(work: Work, case: Case, rules: Rules) -> tuple[str, Heads]:
    value = head_value(case, rules)
    if value is None:
        return "", Heads()
    key = work.tx.hashed("head", value)
    await one_at_a_time(work, f"head/{key.hex()}")
    head = await find_head(work.tx.connection, key) or work.new_id("head")
    heads, _ = await work.load(HEAD, head)
    return head, heads


async def submit(work: Work, command: SubmitApplication, case: Case, context: Context, case_of: CaseOf) -> Receipt:
    """The application first, so that its receipt is the answer; then it takes the place of what counted before."""
    await one_at_a_time(work, f"submit/{case.candidate}")
    known = await with_what_is_known(work, case, context)
    if context.rules.book.number and not case.number:
        known = replace(known, number=await _next_number(work, context.rules.book.number, context.rules.jurisdiction))
    receipt = await work.execute(
        APPLICATION,
        command.application,
        command,
        known,
        case=command.application,
        person=case.candidate,
        expected=command.expected,
    )
    if known.seen_elsewhere:
        flag = FlagCertificates(applications=known.seen_elsewhere)
        subject = command.application
        await work.execute(FLAGS, subject, flag, context.rules, case=subject, person=case.candidate)
    await take_place(work, command.application, case, known)
    unique, other = context.rules.book.uniqueness, replaced_by(known.heads, case.cycle, command.application)
    if other and unique and unique.rule == "last_submission_wins":
        await _supersede(work, other, command.application, case_of)
    return receipt


async def take_place(work: Work, application: str, case: Case, known: Context) -> None:
    """From now on it counts for its ticket number or person, if it did not."""
    value = head_value(case, known.rules)
    if value is None:
        return
    take = TakeHead(cycle=case.cycle, application=application, value=value)
    await work.execute(HEAD, known.head, take, told_of(case, known), case=application, person=case.candidate)
    if case.head and case.head != known.head:  # it was sent back, and the ticket number put right
        before = ReleaseHead(cycle=case.cycle, application=application)
        await _of_head(work, case.head, before, application, known)


def told_of(case: Case, context: Context) -> HeadContext:
    ticket, account = counted_ticket(case, context.rules), context.account
    known = is_the_accounts(ticket, account.ticket_number if account else "")
    return HeadContext(case.candidate, context.rules, known_of_actor=known)


async def _supersede(work: Work, other: str, by: str, case_of: CaseOf) -> None:
    state, context = await case_of(work, other)
    command = SupersedeApplication(by=by)
    await work.execute(APPLICATION, other, command, context, case=other, person=state.candidate)


async def settle_head(work: Work, application: str, context: Context) -> None:
    """What came to its end, or was handed in with another one's ticket number, holds none any more."""
    case, _ = await work.load(APPLICATION, application)
    command = settled_by(case, application)
    if command is not None and isinstance(case, Case) and case.head:
        await _of_head(work, case.head, command, application, context)


async def _of_head(work: Work, head: str, command: HeadCommand, application: str, context: Context) -> None:
    await work.execute(HEAD, head, command, HeadContext(work.meta.actor, context.rules), case=application)


async def _next_number(work: Work, numbering: Numbering, jurisdiction: str) -> str:
    """Counted in the jurisdiction, one submission after the other: cycles of one day have one pattern."""
    await one_at_a_time(work, f"number/{jurisdiction}")
    return number_of(numbering, await count_numbers(work.tx.connection, jurisdiction) + 1, work.meta.at)


def number_of(numbering: Numbering, serial: int, now: datetime) -> str:
    """SD-20."""
    day = today(now)
    return numbering.pattern.format(
        year=f"{day:%Y}", month=f"{day:%m}", day=f"{day:%d}", serial=f"{serial:0{numbering.digits}}"
    )
