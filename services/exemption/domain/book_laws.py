"""What every exemption book must keep to, one law each; a broken one raises ValueError, which names the clause. Pure.

`scheme.py` asks them when a book is read. What a book says about reference data (courses, levels, majors) is compared
with it by `strangers.py`, since that data belongs to no version of a book.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from services.exemption.domain.naming_laws import NAMING_LAWS, every_field
from shared.schemes.forms import Kind, fields_must_have_one_meaning, placeholders
from shared.schemes.procedure import (
    ASKED_ELSEWHERE,
    DISCARDED,
    DRAFT,
    ENGINE_STATES,
    EXPIRED,
    HANDED_OFF,
    LAPSED,
    REFUSED,
    RETURNED,
    REVOKED,
    SUBMITTED,
    SUPERSEDED,
    UNPAID,
    no_twins,
)
from shared.schemes.reading import examples_must_pass

if TYPE_CHECKING:
    from services.exemption.domain.scheme import ExemptionScheme

Law = Callable[["ExemptionScheme"], None]


def names_are_unique(book: "ExemptionScheme") -> None:
    no_twins([each.id for each in book.windows], "windows")
    no_twins([each.name for each in book.fields], "fields")
    no_twins([each.slot for each in book.photos], "photos")
    no_twins([each.slot for each in book.photos] + [each.name for each in book.fields], "photos and fields")
    no_twins([each.id for each in book.states], "states")
    no_twins([each.title for each in book.states], "titles of states")
    no_twins([each.name for each in book.stages], "stages")
    no_twins([each.state for each in book.stages], "states of stages")
    no_twins([each.id for each in book.certificates], "certificates")
    no_twins([each.name for each in book.certificates], "names of certificates")
    no_twins([each.id for each in book.levels], "levels")
    no_twins([each.id for each in book.bases], "bases")
    no_twins([each.title for each in book.bases], "titles of bases")
    no_twins([str(each.number) for each in book.bases if each.number], "numbers of bases")
    no_twins([each.slot for each in book.materials], "materials")
    no_twins([f"{each.major} {each.version}" for each in book.plans], "plans")
    for basis in book.bases:
        asked = [each.slot for each in book.claim_photos(basis)] + [each.name for each in basis.asked_fields()]
        no_twins(asked, f"photos, fields and materials of {basis.id}")


def every_window_has_a_purpose(book: "ExemptionScheme") -> None:
    declared = {each.id for each in book.windows}
    handing = set(_windows_of_acts(book))
    others = {each.window for each in (book.validity, *(stage.starts_after for stage in book.stages)) if each}
    paying = {book.payment.window} if book.payment else set()
    asked = {each.id for each in book.windows if each.query} | (declared & ASKED_ELSEWHERE)
    if (handing | paying) & asked:
        raise ValueError(f"windows: nothing can be handed in: {', '.join(sorted((handing | paying) & asked))}")
    used = handing | others | paying | ({book.results.window} if book.results else set())
    if used - declared:
        raise ValueError(f"windows: not declared: {', '.join(sorted(used - declared))}")
    if declared - used - asked:
        raise ValueError(f"windows: nothing depends on: {', '.join(sorted(declared - used - asked))}")
    if book.results and not any(each.id == book.results.window and each.query for each in book.windows):
        raise ValueError(f"results: {book.results.window} is no window with `query: true`")
    if book.submit.lapses:
        raise ValueError("submit: only what was sent back can lapse")


def _windows_of_acts(book: "ExemptionScheme") -> Iterator[str]:
    """Windows in which somebody does something."""
    yield book.submit.window
    yield book.once_resubmitted.window
    yield from (stage.onsite.window for stage in book.stages if stage.onsite)
    if book.uniqueness and book.uniqueness.unlocking:
        yield book.uniqueness.unlocking.window


def every_state_can_be_reached(book: "ExemptionScheme") -> None:
    own = {stage.state for stage in book.stages}
    if ENGINE_STATES & own:
        raise ValueError("stages: a passed stage needs a state of its own")
    needed = {state for state, leads in _engine_states(book).items() if leads} | own
    declared = {state.id for state in book.states}
    if needed - declared:
        raise ValueError(f"states: missing: {', '.join(sorted(needed - declared))}")
    if declared - needed:
        raise ValueError(f"states: can never be reached: {', '.join(sorted(declared - needed))}")


def _engine_states(book: "ExemptionScheme") -> dict[str, bool]:
    """State of the engine -> whether the words of this book can lead to it."""
    unique = book.uniqueness
    outcomes = {outcome for stage in book.stages for outcome in stage.outcomes}
    return {
        DRAFT: True,
        SUBMITTED: True,
        DISCARDED: True,
        RETURNED: "return" in outcomes or (unique is not None and unique.unlocking is not None),
        REFUSED: "refuse" in outcomes,
        SUPERSEDED: unique is not None and unique.rule == "last_submission_wins",
        UNPAID: book.payment is not None,
        LAPSED: book.once_resubmitted.lapses or bool(book.payment) or any(stage.onsite for stage in book.stages),
        EXPIRED: book.validity is not None,
        REVOKED: book.revocation is not None or (unique is not None and unique.release is not None),
        HANDED_OFF: book.hand_off is not None,
    }


def every_state_is_in_the_progress(book: "ExemptionScheme") -> None:
    shown = [state for step in book.progress for state in step.states]
    no_twins(shown, "progress")
    if set(shown) != {state.id for state in book.states} - {DISCARDED}:
        raise ValueError("progress: must show every state but discarded, and no other")


def the_form_can_be_judged(book: "ExemptionScheme") -> None:
    fields_must_have_one_meaning(book.fields)
    needed: list[Kind] = ["certificate", "certificate_number"] if book.certificates else []
    if book.certificates:
        needed.append("organisation")
    if book.uniqueness and book.uniqueness.by == "ticket_number":
        needed.append("ticket_number")
    if (book.majors and book.majors.closing) or any(_asks_own_major(book)):
        needed.append("major")
    if any(cap.plan_versions for cap in book.caps):
        needed.append("plan_version")
    if any(cap.candidate_kinds for cap in book.caps):
        needed.append("candidate_kind")
    missing = [kind for kind in needed if not (found := book.field_of(kind)) or not found.required]
    if missing:
        raise ValueError(f"fields: a required field is needed of kind {', '.join(missing)}")
    unknown = {each.list for each in every_field(book) if each.list} - set(book.lists)
    if unknown - {"modules"}:
        raise ValueError(f"fields: no such list: {', '.join(sorted(unknown - {'modules'}))}")
    ladder = {level.id for level in book.levels}
    for certificate in book.certificates:
        if certificate.lowest_level not in ladder:
            raise ValueError(f"certificates: {certificate.id}: no such level: {certificate.lowest_level}")


def _asks_own_major(book: "ExemptionScheme") -> Iterator[bool]:
    for basis in book.bases:
        yield bool(basis.expected)
        yield any(offer.majors for offer in basis.courses.offers)
        yield any(hint.majors for hint in basis.hints)


def claims_make_sense(book: "ExemptionScheme") -> None:
    if bool(book.bases) != (book.claims is not None):
        raise ValueError(f"{'bases' if book.bases else 'claims'}: bases and the number of claims come together")
    if book.bases and book.certificates:
        raise ValueError("bases: a book has certificates in its form or claims, not both")
    if not book.bases and not book.certificates:
        raise ValueError("bases: nothing proves anything")
    only_claims = ("courses", "course_names", "materials", "caps", "plans", "majors")
    if stray := [name for name in only_claims if getattr(book, name) and not book.bases]:
        raise ValueError(f"{', '.join(stray)}: only for a book with bases")
    known = {each.id for each in book.bases}
    for material in book.materials:
        if strange := set(material.bases) - known:
            raise ValueError(f"materials: {material.slot}: no such basis: {', '.join(sorted(strange))}")
    for basis in book.bases:
        kinds = {field.kind for field in basis.fields}
        if "certificate" in kinds or "organisation" in kinds:
            raise ValueError(f"bases: {basis.id}: the basis says which certificate, the form which organisation")


def what_is_read_is_asked(book: "ExemptionScheme") -> None:
    """What OCR finds on a photograph is compared with a field: of the claim it belongs to, or of the form."""
    form = {field.kind for field in book.fields}
    read = [(slot, form) for slot in book.photos]
    for basis in book.bases:
        read += [
            (slot, form | {field.kind for field in basis.shown_on(slot.slot)}) for slot in book.claim_photos(basis)
        ]
    for slot, asked in read:
        if strange := [kind for kind in slot.reads if kind not in asked]:
            raise ValueError(f"photos: {slot.slot}: it reads what nobody asks: {', '.join(strange)}")


def pages_hold_the_whole_form(book: "ExemptionScheme") -> None:
    """Where pages name their fields, each field of the form stands on one of them."""
    pages = book.texts.pages
    no_twins([each.id for each in pages], "texts: pages")
    named = [name for page in pages for name in page.fields]
    no_twins(named, "texts: pages: fields")
    if stray := [page.id for page in pages if page.fields and "fields" not in page.holds]:
        raise ValueError(f"texts: pages: {stray[0]}: it names fields and holds none")
    if named and set(named) != (known := {each.name for each in book.fields}):
        raise ValueError(f"texts: pages: not once on a page: {', '.join(sorted(set(named) ^ known))}")


def plans_cover_what_is_counted(book: "ExemptionScheme") -> None:
    counted = any(cap.share for cap in book.caps) or bool(book.majors and book.majors.cover)
    if counted != bool(book.plans):
        raise ValueError("plans: there for caps by share and for `cover` of majors, and for nothing else")


def stages_make_sense(book: "ExemptionScheme") -> None:
    known = book.documents()
    returning = [stage for stage in book.stages if "return" in stage.outcomes]
    if book.uniqueness and book.uniqueness.rule == "once" and returning:
        raise ValueError(f"stages: {returning[0].name}: what is handed in once cannot be sent back")
    for stage in book.stages:
        for reason in stage.reasons:
            if reason.document not in known:
                raise ValueError(f"stages: {stage.name}: {reason.code}: no such document: {reason.document}")
        if "certificate_valid" in stage.rechecks and not any(each.kind == "valid_until" for each in every_field(book)):
            raise ValueError(f"stages: {stage.name}: certificate_valid needs a field of kind valid_until")
        if "prior_education_effective" in stage.rechecks and book.conditions.prior_education is None:
            raise ValueError(f"stages: {stage.name}: prior_education_effective needs the condition prior_education")


def numbers_of_certificates_are_compared(book: "ExemptionScheme") -> None:
    """Of a diploma of prior education the number is what identity knows."""
    asked = any(each.kind in {"certificate_number", "prior_education"} for each in every_field(book))
    if asked != (book.certificate_seen_elsewhere is not None):
        raise ValueError("certificate_seen_elsewhere: there where the number of a certificate is asked, and only there")
    if book.certificate_once and not asked:
        raise ValueError("certificate_once: no number of a certificate is asked")


def what_may_become_effective_later_is_rechecked(book: "ExemptionScheme") -> None:
    asked = book.conditions.prior_education
    rechecked = any("prior_education_effective" in stage.rechecks for stage in book.stages)
    if asked and asked.when == "submitted" and not rechecked:
        raise ValueError("conditions: prior_education: some stage must recheck prior_education_effective")


def payment_makes_sense(book: "ExemptionScheme") -> None:
    """The window to pay in outlives a cycle that is closed by hand, so nothing else is done in it. And nobody learns
    from a fee, or from its going back, what the results hide."""
    if (said := book.payment) is None:
        return
    names = [stage.name for stage in book.stages]
    if said.before not in names:
        raise ValueError(f"payment: no such stage: {said.before}")
    if said.window in set(_windows_of_acts(book)):
        raise ValueError(f"payment: something else is done in the window {said.window}")
    if book.results and said.before != names[0]:
        raise ValueError(f"payment: before {said.before} it tells what was decided, and the results hide that")
    if book.results and "refused" in said.refunds.when:
        raise ValueError("payment: refunds: refused: it tells what was decided, and the results hide that")


def windows_can_end_one_after_the_other(book: "ExemptionScheme") -> None:
    """Else no cycle could be opened."""
    for window, earlier in book.outlasting():
        if (earlier, window) in book.outlasting():
            raise ValueError(f"windows: {window} would have to end before and after {earlier}")


def examples_pass(book: "ExemptionScheme") -> None:
    """SD-31, HB-26: who is refused is shown the example."""
    examples_must_pass(every_field(book))


def a_number_that_is_shown_is_given(book: "ExemptionScheme") -> None:
    """SD-20."""
    if book.number:
        return
    if book.form_document:
        raise ValueError("form_document: it shows a number, and no `number:` gives one")
    if named := [name for name, slot in book.slots().items() if "number" in placeholders(slot.file_name or "")]:
        raise ValueError(f"{named[0]}: file_name: it holds a number, and no `number:` gives one")


LAWS: tuple[Law, ...] = (
    names_are_unique,
    every_window_has_a_purpose,
    every_state_can_be_reached,
    every_state_is_in_the_progress,
    the_form_can_be_judged,
    claims_make_sense,
    what_is_read_is_asked,
    pages_hold_the_whole_form,
    plans_cover_what_is_counted,
    stages_make_sense,
    numbers_of_certificates_are_compared,
    what_may_become_effective_later_is_rechecked,
    payment_makes_sense,
    windows_can_end_one_after_the_other,
    examples_pass,
    a_number_that_is_shown_is_given,
    *NAMING_LAWS,
)
