"""How much may be claimed: claims, courses, majors, caps, and the set that a major is expected to claim. Pure.

Each law answers with nothing or raises `Refused`; `hand_in.py` asks them all.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.exemption.domain.claims import Claim
from services.exemption.domain.scheme import Rules
from services.exemption.domain.terms import Cap, Limit, MajorLimit, Plan
from services.exemption.domain.verdict import Findings
from shared.kernel.errors import Refused


@dataclass(frozen=True)
class Candidate:
    """What limits depend on: what the form says of the candidate, and the majors that were chosen."""

    own_major: str | None
    plan_version: str | None
    kind: str | None
    majors: tuple[str, ...]


def judge_limits(
    findings: Findings, rules: Rules, candidate: Candidate, claims: Sequence[Claim], typed: Sequence[Claim]
) -> None:
    """`typed` are the claims before they were read: a course that could not be read counts as one all the same."""
    book = rules.book
    codes = [course.code for claim in claims for course in claim.courses]
    named = {course.code for claim in typed for course in claim.courses}
    for name, limit, count in (("claims", book.claims, len(claims)), ("courses", book.courses, len(named))):
        if limit:
            findings.under(rules.clause(name, source=limit.source)).ask(
                lambda limit=limit, name=name, count=count: must_be_within(limit, name, count),  # type: ignore[misc]
                rule=f"{name}_must_be_within_the_limit",
                about=name,
                count=count,
                least=limit.least,
                most=limit.most,
            )
    if book.bases:
        findings.under(rules.clause("bases", source=book.bases[0].source)).ask(
            lambda: courses_must_be_claimed_once(claims), rule="courses_must_be_claimed_once", about="courses"
        )
    if book.majors:
        _judge_majors(findings, rules, book.majors, candidate, codes)
    _judge_caps(findings, rules, candidate, codes)
    _judge_expected(findings, rules, candidate.own_major, claims)


def must_be_within(limit: Limit, name: str, count: int) -> None:
    """SX-E-18, SX-E-24, SD-34."""
    what = {"claims": "证书或依据", "courses": "课程", "majors": "专业"}[name]
    if count < limit.least:
        raise Refused("exemption.too_few", what=what, name=name, least=limit.least, count=count)
    if count > limit.most:
        raise Refused("exemption.too_many", what=what, name=name, most=limit.most, count=count)


def courses_must_be_claimed_once(claims: Sequence[Claim]) -> None:
    """SD-34, SX-E-40: no course by two claims, nor twice in one."""
    codes = [course.code for claim in claims for course in claim.courses]
    if twins := sorted({code for code in codes if codes.count(code) > 1}):
        raise Refused("exemption.course_claimed_twice", codes=twins)


# --- majors


def _judge_majors(
    findings: Findings, rules: Rules, limit: MajorLimit, candidate: Candidate, codes: Collection[str]
) -> None:
    chosen = candidate.majors
    mine = findings.under(rules.clause("majors", source=limit.source))
    mine.ask(
        lambda: must_be_within(limit, "majors", len(set(chosen))),
        rule="majors_must_be_within_the_limit",
        about="majors",
        chosen=chosen,
        least=limit.least,
        most=limit.most,
    )
    mine.ask(lambda: majors_must_differ(chosen), rule="majors_must_differ", about="majors", chosen=chosen)
    mine.ask(lambda: majors_must_be_listed(rules, chosen), rule="majors_must_be_listed", about="majors")
    if closing := limit.closing:
        findings.under(rules.clause("majors", "closing", source=closing.source)).ask(
            lambda: closing_major_must_be_own(rules, chosen, candidate.own_major, closing.text),
            rule="closing_major_must_be_own",
            about="majors",
            own=candidate.own_major,
        )
    if cover := limit.cover:
        findings.under(rules.clause("majors", "cover", source=cover.source)).ask(
            lambda: courses_must_be_in_a_chosen_major(plans_of(rules, candidate), codes, cover.text),
            rule="courses_must_be_in_a_chosen_major",
            about="courses",
            courses=sorted(codes),
        )


def majors_must_differ(chosen: Sequence[str]) -> None:
    """SX-E-18, SX-E-40: the second major is another one."""
    if twins := sorted({each for each in chosen if chosen.count(each) > 1}):
        raise Refused("exemption.major_twice", majors=twins)


def majors_must_be_listed(rules: Rules, chosen: Sequence[str]) -> None:
    known = rules.choices().get("major", frozenset())
    if unknown := sorted(set(chosen) - known):
        raise Refused("exemption.no_such_major", majors=unknown[:10])


def closing_major_must_be_own(rules: Rules, chosen: Sequence[str], own: str | None, text: str) -> None:
    """SX-E-23 停: only for those who are its candidates already."""
    closing = (
        {f"{each.level} {each.code}" for each in rules.known.majors.majors if each.closing}
        if rules.known.majors
        else set()
    )
    if wrong := sorted((set(chosen) & closing) - {own}):
        raise Refused("exemption.major_is_closing", majors=wrong, text=text)


def plans_of(rules: Rules, candidate: Candidate) -> list[Plan]:
    """The plans of the chosen majors, in the candidate's version where the form asks for one."""
    version = candidate.plan_version
    return [each for each in rules.book.plans if each.major in candidate.majors and version in (None, each.version)]


def courses_must_be_in_a_chosen_major(plans: Sequence[Plan], codes: Collection[str], text: str) -> None:
    """SX-E-40."""
    covered = {code for plan in plans for code in plan.codes()}
    if outside := sorted(set(codes) - covered):
        raise Refused("exemption.course_outside_the_majors", codes=outside, text=text)


# --- caps


def _judge_caps(findings: Findings, rules: Rules, candidate: Candidate, codes: Collection[str]) -> None:
    for place, cap in enumerate(rules.book.caps):
        if not _holds_for(cap, candidate):
            continue
        mine = findings.under(rules.clause(f"caps[{place}]", source=cap.source))
        for most, counted in _counted(cap, rules, candidate, codes):
            mine.ask(
                lambda most=most, counted=counted: cap_must_hold(most, counted),  # type: ignore[misc]
                rule="cap_must_hold",
                about="courses",
                most=most,
                count=len(counted),
                kind=candidate.kind,
                plan_version=candidate.plan_version,
            )


def _holds_for(cap: Cap, candidate: Candidate) -> bool:
    return (not cap.plan_versions or candidate.plan_version in cap.plan_versions) and (
        not cap.candidate_kinds or candidate.kind in cap.candidate_kinds
    )


def _counted(
    cap: Cap, rules: Rules, candidate: Candidate, codes: Collection[str]
) -> Iterator[tuple[int, frozenset[str]]]:
    """The most there may be, and what counts towards it: all courses, or the professional ones of each plan."""
    if cap.share is None:
        yield cap.of(0), frozenset(codes)
        return
    for plan in plans_of(rules, candidate):
        yield cap.of(len(plan.professional())), plan.professional() & set(codes)


def cap_must_hold(most: int, counted: Collection[str]) -> None:
    if len(counted) > most:
        raise Refused("exemption.over_the_cap", most=most, count=len(counted), codes=sorted(counted))


# --- what a major is expected to claim


def _judge_expected(findings: Findings, rules: Rules, own_major: str | None, claims: Sequence[Claim]) -> None:
    for basis in rules.book.bases:
        chosen = {course.code for claim in claims if claim.basis == basis.id for course in claim.courses}
        for each in basis.expected:
            if each.major == own_major and any(claim.basis == basis.id for claim in claims):
                findings.under(rules.clause(f"bases[{basis.id}]", "expected", source=each.source)).ask(
                    lambda each=each, chosen=chosen: set_must_be_as_expected(set(each.courses), chosen),  # type: ignore[misc]
                    rule="set_must_be_as_expected",
                    about="courses",
                    label=basis.title,
                    warns=True,
                    expected=sorted(each.courses),
                    chosen=sorted(chosen),
                )


def set_must_be_as_expected(expected: set[str], chosen: set[str]) -> None:
    """HB-13 不要多选，更不要少选: both only warn."""
    facts: Mapping[str, list[str]] = {"missing": sorted(expected - chosen), "more": sorted(chosen - expected)}
    if facts["missing"]:
        more = f"，多 {'、'.join(facts['more'])}" if facts["more"] else ""
        raise Refused(
            "exemption.fewer_than_expected", missing=facts["missing"], more=facts["more"], said={"more": more}
        )
    if facts["more"]:
        raise Refused("exemption.more_than_expected", more=facts["more"])
