"""What is asked of an application before it is handed in: every rule at once. Pure; called by APPLICATION and the API.

The verdict that a candidate can ask for beforehand and the decision itself are this one function.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from services.exemption.domain import rules as laws
from services.exemption.domain import uniqueness
from services.exemption.domain.access import Context, may_submit, must_be_payable, title_for_the_candidate
from services.exemption.domain.case import Application, Case, Returned
from services.exemption.domain.claims import Claim, Judge, claim_of
from services.exemption.domain.evidence import Evidence, evidence_of, paper_key
from services.exemption.domain.followed import at_level
from services.exemption.domain.form import Surroundings, judged_form, value_of
from services.exemption.domain.limits import Candidate, judge_limits
from services.exemption.domain.scheme import Rules
from services.exemption.domain.verdict import CALLED, Finding, Findings
from shared.kernel.errors import Refused
from shared.schemes.forms import PhotoSlot


@dataclass(frozen=True)
class Judged:
    """What was found, and what would be written down if nothing speaks against it."""

    findings: Findings
    form: Mapping[str, Any]
    claims: Sequence[Claim]
    evidence: Sequence[Evidence]
    organisations: Mapping[str, str]

    def course_codes(self, rules: Rules) -> tuple[str, ...]:
        if self.claims:
            return tuple(dict.fromkeys(course.code for claim in self.claims for course in claim.courses))
        certificate = value_of(rules.book, "certificate", self.form)
        return rules.book.certificate(certificate).courses if certificate else ()


def surroundings(context: Context) -> Surroundings:
    return Surroundings(
        context.now,
        context.actor,
        context.application,
        context.organisations,
        context.account,
        context.photographs,
    )


def verdict(case: Case, context: Context) -> list[Finding]:
    """Whether it could be handed in now: the guard of handing in, then every rule."""
    deadline = context.rules.book.submit
    findings = _of(Findings(), context, "submit", source=deadline.source)
    findings.ask(
        lambda: may_submit(cast(Application, case), context),
        rule="may_be_handed_in_now",
        about="window",
        window=deadline.window,
        now=context.now.isoformat(),
        state=title_for_the_candidate(case, context),
    )
    return [*findings.found, *judged(case, context).findings.found]


def judged(case: Case, context: Context) -> Judged:
    """Every rule of the book about what was saved last; the window and the state are guards in `access.py`."""
    rules, around, findings = context.rules, surroundings(context), Findings()
    book = rules.book
    _judge_conditions(findings, context)
    form = judged_form(findings, rules, case.form, case.photos, around)
    own_major = value_of(book, "major", form)
    typed = [claim_of(each) for each in case.claims]
    claims = Judge(findings, rules, around, own_major).claims(typed)
    candidate = Candidate(
        own_major, value_of(book, "plan_version", form), value_of(book, "candidate_kind", form), case.majors
    )
    judge_limits(findings, rules, candidate, claims, typed)
    evidence = evidence_of(rules, form, claims, context.account)
    _judge_evidence(findings, evidence, context)
    _judge_photographs_twice(findings, claims, context)
    _judge_courses_elsewhere(findings, claims, context)
    _judge_uniqueness(findings, case, context)
    kept = book.uniqueness.keeps if book.uniqueness and case.submissions else ()
    for what in kept:
        _judge_kept(findings, what, case, context)
    organisations = _organisations(findings, form, context)
    found = Judged(findings, form, claims, evidence, organisations)
    _judge_payment(findings, case, len(found.course_codes(rules)), context)
    return found


def first_stage(case: Case, context: Context) -> str:
    """Where it is reviewed once it is handed in."""
    return case.resume_at if isinstance(case, Returned) else context.rules.book.stages[0].name


# --- what it costs


def _judge_payment(findings: Findings, case: Case, courses: int, context: Context) -> None:
    """Nobody hands in what can only lapse; and whoever asks beforehand learns what is going to be due."""
    book = context.rules.book
    said, owed = book.payment, book.owed_before(first_stage(case, context), courses, case.paid)
    if said is None or not owed:
        return
    _of(findings, context, "payment", source=said.source).ask(
        lambda: must_be_payable(context),
        rule="fee_must_be_payable",
        about="payment",
        label=said.title,
        window=said.window,
        fen=owed,
        count=said.count(courses),
    )


# --- who may


def _judge_conditions(findings: Findings, context: Context) -> None:
    said, account = context.rules.book.conditions, context.account
    if verified := said.person_verified:
        _of(findings, context, "conditions", "person_verified", source=verified.source).ask(
            lambda: laws.person_must_be_verified(account, context.rules.jurisdiction, verified.text),
            rule="person_must_be_verified",
            about="candidate",
        )
    if enrolled := said.enrolled:
        _of(findings, context, "conditions", "enrolled", source=enrolled.source).ask(
            lambda: laws.candidate_must_be_enrolled(account, enrolled.text),
            rule="candidate_must_be_enrolled",
            about="candidate",
        )
    if education := said.prior_education:
        _of(findings, context, "conditions", "prior_education", source=education.source).ask(
            lambda: laws.prior_education_must_be_there(account, education, education.when),
            rule="prior_education_must_be_there",
            about="candidate",
            when=education.when,
        )


def _of(findings: Findings, context: Context, *path: str, source: str) -> Findings:
    return findings.under(context.rules.clause(*path, source=source))


# --- what proves it


def _judge_evidence(findings: Findings, evidence: Sequence[Evidence], context: Context) -> None:
    book = context.rules.book
    for each in evidence:
        mine = findings.under(each.clause)
        if each.level is not None and each.lowest is not None:
            mine.ask(
                lambda each=each: laws.level_must_reach_the_lowest(each.level, each.lowest, each.ladder),  # type: ignore[misc]
                rule="level_must_reach_the_lowest",
                about=each.about,
                label=each.label,
                level=each.level,
                lowest=each.lowest,
            )
        if each.valid_until is not None and (valid := book.certificate_valid):
            _of(findings, context, "certificate_valid", source=valid.source).ask(
                lambda each=each, valid=valid: laws.certificate_must_be_valid(  # type: ignore[misc]
                    each.valid_until, context.now, valid.text
                ),
                rule="certificate_must_be_valid",
                about=each.about,
                label=each.label,
                valid_until=each.valid_until,
            )
    if book.certificates_are_used_once and evidence:
        word = "certificate_once" if book.certificate_once else "certificate_seen_elsewhere"
        said = book.certificate_once or book.certificate_seen_elsewhere
        assert said is not None  # a form with certificates asks their number
        mine = _of(findings, context, word, source=said.source)
        mine.ask(
            lambda: laws.certificate_must_be_used_once(context.own_other),
            rule="certificate_must_be_used_once",
            about="evidence",
        )
        _judge_twice(mine, evidence)


def _judge_twice(findings: Findings, evidence: Sequence[Evidence]) -> None:
    """A diploma may be named by several claims: what it gives is told by its courses."""
    before: set[str] = set()
    for each in evidence:
        if each.number and each.record is None:
            key = paper_key(each.type, each.number)
            findings.ask(
                lambda key=key: laws.certificate_must_stand_once(key, before),  # type: ignore[misc]
                rule="certificate_must_stand_once",
                about=each.about,
                label=each.label,
                in_form=True,
            )
            before.add(key)


def _judge_photographs_twice(findings: Findings, claims: Sequence[Claim], context: Context) -> None:
    """Materials may serve several claims; the picture of a certificate is that certificate's own."""
    before: dict[str, str] = {}  # upload -> digest of its file
    for place, claim in enumerate(claims):
        basis = context.rules.book.basis(claim.basis)
        for slot in basis.asked_photos() if basis else ():
            if upload := claim.photos.get(slot.slot):
                mine = _of(findings, context, f"bases[{claim.basis}]", source=slot.source)
                known = context.photographs.get(upload)
                _judge_photograph(mine, upload, known.digest if known else "", before, f"claims[{place}]", slot)


def _judge_photograph(
    findings: Findings, upload: str, digest: str, before: dict[str, str], claim: str, slot: PhotoSlot
) -> None:
    about = f"{claim}.{slot.slot}"
    findings.ask(
        lambda: laws.photograph_must_stand_once(upload, before),
        rule="photograph_must_stand_once",
        about=about,
        label=slot.label,
        in_form=True,
    )
    if upload not in before:
        findings.ask(
            lambda: laws.photographs_should_differ(digest, before.values()),
            rule="photographs_should_differ",
            about=about,
            label=slot.label,
            warns=True,
        )
    before[upload] = digest


def _judge_courses_elsewhere(findings: Findings, claims: Sequence[Claim], context: Context) -> None:
    """What the law of certificates, where there is one, has already named is not said twice."""
    book = context.rules.book
    if (once := book.course_once) is None:
        return
    codes = sorted({course.code for claim in claims for course in claim.courses})
    named = context.own_other if book.certificates_are_used_once else None
    elsewhere = {course: other for course, other in context.own_courses.items() if other != named}
    _of(findings, context, "course_once", source=once.source).ask(
        lambda: laws.course_must_be_granted_once(codes, elsewhere, once.text),
        rule="course_must_be_granted_once",
        about="courses",
        courses=codes,
    )


# --- how often


def _judge_uniqueness(findings: Findings, case: Case, context: Context) -> None:
    unique = context.rules.book.uniqueness
    if unique is None:
        return
    mine = _of(findings, context, "uniqueness", source=unique.source)
    asked = context.rules.book.field_of("ticket_number") if unique.by == "ticket_number" else None
    typed = str(case.form.get(asked.name, "")) if asked else ""
    known = context.account.ticket_number if context.account else ""
    mine.ask(
        lambda: uniqueness.must_be_the_holder(
            context.heads,
            context.actor,
            known_of_actor=uniqueness.is_the_accounts(typed, known),
            known_of_another=context.ticket_elsewhere,
        ),
        rule="ticket_must_be_of_the_candidate",
        about="candidate",
    )
    if asked and context.account and not asked.same_as_account:
        mine.ask(
            lambda: uniqueness.ticket_must_be_of_the_account(typed, known, asked.name) if typed.strip() else None,
            rule="ticket_must_be_of_the_account",
            about=asked.name,
            label=asked.label,
            in_form=True,
        )
    mine.ask(
        lambda: uniqueness.must_count(unique, context.heads, case.cycle, context.application, context.actor),
        rule="application_must_count",
        about="candidate",
        uniqueness=unique.rule,
    )


def _judge_kept(findings: Findings, what: str, case: Case, context: Context) -> None:
    """SX-E-51: what must be as it was handed in before."""
    book = context.rules.book
    assert book.uniqueness is not None  # it names what is kept
    asked = book.field_of("organisation")
    name = asked.name if asked else ""
    compared: Mapping[str, tuple[Any, Any]] = {
        "organisation": (case.handed_in.form.get(name), case.form.get(name)),
        "majors": (case.handed_in.majors, case.majors),
        "claims": (case.handed_in.claims, case.claims),
    }
    before, now = compared[what]
    called = asked.label if asked and what == "organisation" else CALLED[what]
    _of(findings, context, "uniqueness", "keeps", source=book.uniqueness.source).ask(
        lambda: laws.what_is_kept_must_be_as_it_was(what, called, before, now),
        rule="what_is_kept_must_be_as_it_was",
        about=what,
        label=called,
    )


# --- who reviews


def _organisations(findings: Findings, form: Mapping[str, Any], context: Context) -> Mapping[str, str]:
    """Scope of every stage and of what comes after -> the organisation there."""
    asked = context.rules.book.field_of("organisation")
    chosen = value_of(context.rules.book, "organisation", form)
    if asked and chosen is None:
        return {}  # the fault of its field is among the findings
    start = chosen or context.cycle.organisation
    mine = _of(findings, context, "stages", source=context.rules.book.stages[0].source)
    mine.ask(
        lambda: laws.organisation_must_belong_to_the_cycle(start, context.cycle.organisation, context.organisations),
        rule="organisation_must_belong_to_the_cycle",
        about=asked.name if asked else "cycle",
        label=asked.label if asked else "",
        organisation=start,
    )
    found = mine.ask(
        lambda: {scope: _there(start, scope, context) for scope in context.rules.book.scopes()},
        rule="somebody_must_review",
        about=asked.name if asked else "cycle",
        label=asked.label if asked else "",
        organisation=start,
    )
    return found or {}


def _there(start: str, scope: str, context: Context) -> str:
    organisation = at_level(start, scope, context.organisations)
    if organisation is None:
        raise no_organisation(scope, context.rules)
    return organisation


def no_organisation(level: str, rules: Rules) -> Refused:
    """Nobody there to go on with it."""
    said = {"level": rules.known.offices.get(level, level)}
    return Refused("exemption.no_organisation_to_review", level=level, said=said)
