"""The laws of exemption, one function each, named for what must be. Pure; called by the deciders.

A law raises `Refused` with a code of `refusals.py`, or says nothing. Laws that depend on a book take the book's words
as arguments; the row that a law comes from stands in its first line.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Literal

from services.exemption.domain.followed import Account, Organisations, upwards
from services.exemption.domain.terms import PriorEducationNeeded
from shared.kernel.errors import Refused
from shared.kernel.time import SHANGHAI, spoken
from shared.schemes.forms import LONG_TERM, FormField
from shared.schemes.procedure import Item, Outcome, Phase, Purpose, Reason, Refusing, Stage, Window

EVERYWHERE = "*"
"""The organisation scope of those whose role holds everywhere."""

_WRONG_WITH_WINDOWS = {
    "to_day_before_from_day": "截止日早于开始日",
    "longer_than_two_years": "长于两年",
    "no_day_after_it": "截止日之后再无日期",
    "never_open": "没有一天开放",
    "hours_of_another_zone": "时间须为北京时间",
    "hours_end_as_they_start": "某一时段起止时间相同",
    "hours_overlap": "时段互相重叠",
    "hours_end_before_they_start": "时段的结束早于开始",
    "results_before_handing_in_is_over": "提交截止前不能开放结果查询",
    "over_before_handing_in_is": "不能在提交截止之前结束",
    "over_before_paying_is": "不能在缴费截止之前结束",
    "prior_education_after_handing_in_is_over": "须在提交截止之前开始",
    "paying_ends_with_handing_in": "缴费须晚于提交截止",
}
"""What `Window.faults` and the laws of windows find."""

Roles = Collection[tuple[str, str]]


def holds(held: Roles, role: str, organisation: str) -> bool:
    """Whether somebody has a role at an organisation: there, or everywhere."""
    return (role, organisation) in held or (role, EVERYWHERE) in held


def today(now: datetime) -> date:
    """The calendar day where the procedure is."""
    return now.astimezone(SHANGHAI).date()


# --- windows and cycles


def window_must_be_open(window: Window, title: str, now: datetime) -> None:
    """SW-13 逾期不予受理: inside the window; the closing instant itself is outside unless the book says otherwise."""
    if not window.holds(now):
        opens, ends = window.next_opening(now), window.last_closing()
        raise Refused(
            "exemption.window_closed" if opens is None else "exemption.window_not_open_yet",
            window=title,
            opens=spoken(opens) if opens else None,
            ended=spoken(ends) if ends else None,
        )


def cycle_must_not_be_closed(closed: bool) -> None:
    """SW-13: a cycle that was closed by hand takes nothing any more."""
    if closed:
        raise Refused("exemption.cycle_closed")


def opener_must_hold(
    open_by: Collection[str], open_at: str | None, organisation: str, known: Organisations, held: Roles
) -> None:
    """SW-13: cycles are opened, extended and closed for an organisation by those responsible for it."""
    places = [each.id for each in upwards(organisation, known) if open_at in {None, each.level}]
    if organisation not in known:  # its own people are told so, since it may be on its way here
        places = [organisation]
    if not any(holds(held, role, place) for role in open_by for place in (*places, EVERYWHERE)):
        raise Refused("access.not_allowed")
    if organisation not in known:
        raise Refused("exemption.no_such_organisation")


def organisation_must_be_of_the_jurisdiction(organisation: str, known: Organisations, own: Collection[str]) -> None:
    """Each jurisdiction opens its own procedures; `own` are the organisations it lists, none where it lists none."""
    if own and not {each.id for each in upwards(organisation, known)} & set(own):
        raise Refused("exemption.organisation_of_another_jurisdiction")


def windows_must_match_the_book(purposes: Sequence[Purpose], given: Collection[str]) -> None:
    """Each window the book knows gets dates, and no other."""
    if set(given) != {each.id for each in purposes}:
        needed, said = [each.id for each in purposes], {"needed": [each.title for each in purposes]}
        raise Refused("exemption.wrong_windows", needed=needed, given=sorted(given), said=said)


def window_must_make_sense(purpose: Purpose, window: Window) -> None:
    if faults := window.faults():
        raise _impossible(purpose, *faults)


def _impossible(purpose: Purpose, *faults: str) -> Refused:
    said = {"purpose": purpose.title, "faults": [_WRONG_WITH_WINDOWS[each] for each in faults]}
    return Refused("exemption.impossible_window", purpose=purpose.id, faults=list(faults), said=said)


def results_must_open_after_handing_in(purpose: Purpose, results: Window, handing_in: Window) -> None:
    """SX-E-39: with a query that is open before, every decision would be seen as it is made."""
    opens, over = next(results.intervals(), None), handing_in.last_closing()
    if opens and over and opens[0] < over:
        raise _impossible(purpose, "results_before_handing_in_is_over")


def paying_must_end_after_handing_in(purpose: Purpose, paying: Window, handing_in: Window) -> None:
    """Whoever hands in at the last moment has time to pay."""
    over, last = paying.over_at(), handing_in.over_at()
    if over and last and over <= last:
        raise _impossible(purpose, "paying_ends_with_handing_in")


def window_must_outlast(purpose: Purpose, window: Window, earlier: Window, *, paying: bool) -> None:
    """SD-41, HB-07: what is over before handing in is leaves no time to put right, or to use, what was handed in; and
    on site nobody confirms what is paid for afterwards."""
    over, last = window.over_at(), earlier.over_at()
    if over and last and over < last:
        raise _impossible(purpose, "over_before_paying_is" if paying else "over_before_handing_in_is")


def prior_education_must_open_before_handing_in_is_over(purpose: Purpose, prior: Window, handing_in: Window) -> None:
    """HB-03: a diploma that is taken only afterwards comes too late for every application."""
    opens, over = next(prior.intervals(), None), handing_in.over_at()
    if opens and over and opens[0] >= over:
        raise _impossible(purpose, "prior_education_after_handing_in_is_over")


def fee_must_be_payable(what: str, phase: Phase) -> None:
    if phase == "closed":
        raise Refused("exemption.pay_window_over", what=what)


def nights_must_be_of_the_book(purpose: Purpose, window: Window) -> None:
    """Hours that end on the next day are a slip of the pen, unless the book has a use for them."""
    if window.ends_overnight and not purpose.overnight:
        raise _impossible(purpose, "hours_end_before_they_start")


def extension_must_be_later(purpose: Purpose, window: Window, to_day: date, now: datetime) -> None:
    """A window is extended, never shortened, and not into the past."""
    if to_day <= window.to_day or to_day < today(now):
        raise Refused("exemption.extension_not_later", ends=window.to_day.isoformat())
    window_must_make_sense(purpose, replace(window, to_day=to_day))


def extension_must_open(purpose: Purpose, window: Window, to_day: date, off: Sequence[date]) -> None:
    """An extension by nothing but days off would be none."""
    longer = replace(window, to_day=to_day, excluded=(*window.excluded, *off))
    if longer.over_at() == window.over_at():
        said = {"purpose": purpose.title}
        raise Refused("exemption.extension_of_days_off", purpose=purpose.id, to_day=to_day.isoformat(), said=said)


def window_must_be_over(purpose: str, over: datetime, now: datetime) -> None:
    """Its end is recorded when it has come, and not when some clock is fast."""
    if now < over:
        raise Refused("exemption.window_not_over", purpose=purpose, ends=spoken(over))


# --- what a candidate hands in


def applicant_must_be_the_account_holder(field: FormField, value: str, account: Account | None) -> None:
    """SW-11, SW-15: name, ID number and mobile are those the account was verified with, where the book asks it."""
    if field.same_as_account is None:
        return
    if account is None or not account.holder:
        raise Refused("exemption.account_not_known_yet")
    if value != getattr(account, field.same_as_account):
        raise Refused("exemption.not_the_account_holder", field=field.name)


def drafts_must_be_few(drafts: int, most: int) -> None:
    """Whoever begins applications without end fills our tables: one of those that are there goes on, or is given up."""
    if drafts >= most:
        raise Refused("exemption.too_many_drafts", most=most)


def photographs_must_be_few(slot: str, received_today: int, most: int, now: datetime) -> None:
    """Whoever sends files without end fills our disks: after so many in a day the next one waits for tomorrow."""
    if received_today >= most:
        tomorrow = datetime.combine(today(now) + timedelta(days=1), time(0), SHANGHAI)
        raise Refused("exemption.too_many_photographs", slot=slot, most=most, again=spoken(tomorrow))


def organisation_must_belong_to_the_cycle(organisation: str, cycles: str, known: Organisations) -> None:
    """SW-01: the candidate's teaching point is one of those the cycle was opened for."""
    if cycles not in {each.id for each in upwards(organisation, known)}:
        raise Refused("exemption.organisation_not_in_this_cycle")


def person_must_be_verified(account: Account | None, jurisdiction: str, text: str) -> None:
    """SX-E-10: identity verified the person for this jurisdiction."""
    if account is None or jurisdiction not in account.verified:
        raise Refused("exemption.person_not_verified", text=text)


def candidate_must_be_enrolled(account: Account | None, text: str) -> None:
    """SX-E-17 在籍: identity knows an admission ticket number of theirs."""
    if account is None or not account.ticket_number:
        raise Refused("exemption.not_enrolled", text=text)


def prior_education_must_be_there(
    account: Account | None, asked: PriorEducationNeeded, when: Literal["effective", "submitted"]
) -> None:
    """HB-08, HB-38: 生效, or handed in to identity in time where the book lets the answer come later."""
    enough = {"effective"} if when == "effective" else {"effective", "submitted"}
    records = account.education.values() if account else ()
    fitting = (each for each in records if not asked.categories or each.category in asked.categories)
    if not any(each.standing in enough for each in fitting):
        raise Refused("exemption.prior_education_not_there", text=asked.text)


def level_must_reach_the_lowest(level: str, lowest: str, ladder: Mapping[str, str]) -> None:
    """SW-32, SW-45: 证书等级符合免试要求. `ladder` has the titles, the lowest first."""
    steps = list(ladder)
    if steps.index(level) < steps.index(lowest):
        said = {"level": ladder[level], "lowest": ladder[lowest]}
        raise Refused("exemption.level_too_low", level=level, lowest=lowest, said=said)


def what_is_kept_must_be_as_it_was(what: str, label: str, before: object, now: object) -> None:
    """SX-E-51: what the book lets nobody change when handing in again."""
    if before != now:
        raise Refused("exemption.must_stay_as_it_was", what=what, said={"what": label})


def certificate_must_be_valid(valid_until: str, now: datetime, text: str) -> None:
    """SW-27, SW-38: the last day of validity still counts; asked at submission and again at later stages."""
    if valid_until != LONG_TERM and date.fromisoformat(valid_until) < today(now):
        raise Refused("exemption.certificate_expired", today=today(now).isoformat(), text=text)


def certificate_must_stand_once(key: str, before: Collection[str]) -> None:
    """SX-E-24, SX-E-26, SX-E-40: two claims, or the two of a pair, are two certificates."""
    if key in before:
        raise Refused("exemption.certificate_claimed_twice")


def photographs_should_differ(digest: str, before: Collection[str]) -> None:
    """SX-E-46: one file that was uploaded twice shows one certificate; both are told, and the reviewer looks."""
    if digest and digest in before:
        raise Refused("exemption.photographs_are_equal")


def photograph_must_stand_once(upload: str, before: Collection[str]) -> None:
    """SX-E-46: each certificate has a photograph of its own."""
    if upload in before:
        raise Refused("exemption.photograph_used_twice")


def certificate_must_be_used_once(own_other: str | None) -> None:
    """SW-38: one person has one certificate in one application at a time (other people's are flagged, not refused)."""
    if own_other is not None:
        raise Refused("exemption.certificate_in_another_application", application=own_other)


def course_must_be_granted_once(codes: Iterable[str], elsewhere: Mapping[str, str], text: str) -> None:
    """HB-21, HB-34: what one route has, or had in another cycle, the other does not give again."""
    if twins := sorted(set(codes) & set(elsewhere)):
        raise Refused(
            "exemption.course_in_another_application", codes=twins, application=elsewhere[twins[0]], text=text
        )


# --- what a reviewer decides


def reviewer_must_hold(role: str, organisation: str, held: Roles) -> None:
    """SW-28: a reviewer decides only what waits for their role at their organisation."""
    if not holds(held, role, organisation):
        raise Refused("exemption.not_your_stage", role=role)


def reviewers_must_differ(stage: Stage, reviewer: str, candidate: str, decided: Collection[tuple[str, str]]) -> None:
    """SW-38: nobody decides at two stages of one application, and nobody about their own."""
    if reviewer == candidate:
        raise Refused("exemption.your_own_application")
    if stage.separate_from_others and any(who == reviewer and where != stage.name for where, who in decided):
        raise Refused("exemption.already_reviewed_by_you")


def checklist_must_be_complete(stage: Stage, answers: Mapping[str, bool]) -> None:
    """SW-25, SW-29: every item is answered, and every answer is yes; what is not right is sent back."""
    _items_must_be_known(stage.checklist, answers)
    if missing := [item for item in stage.checklist if item.id not in answers]:
        raise Refused("exemption.checklist_incomplete", items=[each.id for each in missing], said=_texts(missing))
    if failed := [item for item in stage.checklist if not answers[item.id]]:
        raise Refused("exemption.checklist_failed", items=[each.id for each in failed], said=_texts(failed))


def _items_must_be_known(items: Sequence[Item], given: Mapping[str, bool]) -> None:
    """What was sent is not repeated to a person: the page that they have open is of another book or stage."""
    if unknown := sorted(set(given) - {item.id for item in items}):
        raise Refused("exemption.checklist_unknown", items=unknown, count=len(unknown))


def _texts(items: Sequence[Item]) -> dict[str, list[str]]:
    return {"items": [item.text for item in items]}


def person_must_not_be_erased(form: Mapping[str, object]) -> None:
    """What was erased can no longer be judged, printed or handed on."""
    if not form:
        raise Refused("exemption.person_erased")


def ticket_must_be_the_candidates(*, released: bool) -> None:
    """SD-46: under a ticket number that a clerk saw to be another one's nothing is approved, or stays so."""
    if released:
        raise Refused("exemption.ticket_released")


def outcome_must_be_of_the_stage(stage: Stage, outcome: Outcome) -> None:
    """A stage ends only as the book says."""
    if outcome not in stage.outcomes:
        raise Refused("exemption.no_such_outcome", stage=stage.name)


def stage_must_have_begun(stage: Stage, phase: Phase | None) -> None:
    """The book lets nobody decide before a window is over, since until then another application may count."""
    if phase not in {None, "closed"}:
        raise Refused("exemption.stage_not_begun", stage=stage.name)


def refusing_reason_must_be_given(known: Sequence[Refusing], code: str) -> Refusing:
    """Refused, unlocked or revoked only for a reason that the book has for it."""
    found = next((each for each in known if each.code == code), None)
    if found is None:
        raise _no_such_reason(known)
    return found


def everything_must_be_seen(items: Sequence[Item], seen: Mapping[str, bool]) -> None:
    """SX-E-35: a clerk unlocks after seeing the candidate, and what the book asks for."""
    _items_must_be_known(items, seen)
    if missing := [item for item in items if not seen.get(item.id)]:
        raise Refused("exemption.not_everything_seen", items=[each.id for each in missing], said=_texts(missing))


def reason_must_be_given(stage: Stage, code: str) -> Reason:
    """SW-26, SW-30: sent back only for a reason that the book has for this stage."""
    reason = stage.reason(code)
    if reason is None:
        raise _no_such_reason(stage.reasons)
    return reason


def _no_such_reason(known: Sequence[Reason | Refusing]) -> Refused:
    said = {"known": [each.text for each in known]}
    return Refused("exemption.no_such_reason", known=[each.code for each in known], said=said)
