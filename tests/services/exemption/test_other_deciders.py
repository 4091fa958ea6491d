"""Photographs, hand-off batches, and what is learnt from identity; 批次 are in `test_cycle.py`."""

import csv
import io

import pytest

from services.exemption.domain import export
from services.exemption.domain.batch import BATCH, BatchContext, must_concern
from services.exemption.domain.commands import (
    AcknowledgeBatch,
    FollowAccount,
    FollowClosing,
    FollowOrganisation,
    FollowRenaming,
    ReceivePhotograph,
    RecordBatch,
    ViewDocuments,
)
from services.exemption.domain.followed import ACCOUNT_FOLLOWED, ORGANISATION_FOLLOWED, Organisation, at_level
from services.exemption.domain.upload import UPLOAD, Accepted, UploadContext
from services.exemption.domain.viewing import VIEWING, ViewingContext
from shared.events.exemption import (
    AccountFollowed,
    BatchAcknowledged,
    BatchHandedOff,
    DocumentsViewed,
    OrganisationFollowed,
    PhotographAccepted,
    PhotographRefused,
)
from shared.kernel.errors import Refused
from shared.testing.given import given
from tests.services.exemption.story import (
    CANDIDATE,
    CASE,
    NOON,
    SWUST,
    draft,
    first_passed,
    granted,
    nothing,
    submitted,
)

# --- photographs

RECEIVED = ReceivePhotograph(
    application=CASE, slot="id_front", accepted=True, results=({"code": "photo.bytes", "passed": True},),
    original="o", original_type="image/jpeg", original_digest="d", picture="p", picture_digest="e",
    reading={"id_number": "11010119900307109X"},
)  # fmt: skip


def test_a_photograph_is_kept_with_everything_that_was_measured() -> None:
    context = UploadContext(NOON, CANDIDATE, SWUST, draft().state, 0)
    outcome = given(UPLOAD).when(RECEIVED, context).then_kinds(PhotographAccepted)
    assert outcome.state == Accepted(CANDIDATE, CASE, "id_front")
    assert isinstance(outcome.state, Accepted)
    assert outcome.state.digest == "d"


def test_a_refused_photograph_is_a_fact_and_nothing_of_it_is_kept() -> None:
    failed = ReceivePhotograph(
        application=CASE, slot="id_front", accepted=False, results=({"code": "photo.too_blurred"},)
    )
    (event,) = given(UPLOAD).when(failed, UploadContext(NOON, CANDIDATE, SWUST, draft().state, 0)).happened()
    assert isinstance(event, PhotographRefused)
    assert not hasattr(event, "original")


def test_photographs_are_taken_only_for_the_own_application_while_it_may_be_edited() -> None:
    for past, who, code in (
        (nothing(), CANDIDATE, "access.not_found"),
        (draft(), "candidate-other", "access.not_found"),
        (submitted(), CANDIDATE, "exemption.already_submitted"),
        (granted(), CANDIDATE, "exemption.already_submitted"),
    ):
        given(UPLOAD).when(RECEIVED, UploadContext(NOON, who, SWUST, past.state, 0)).refused(code)
    other_slot = ReceivePhotograph(application=CASE, slot="passport", accepted=True, results=())
    given(UPLOAD).when(other_slot, UploadContext(NOON, CANDIDATE, SWUST, draft().state, 0)).refused(
        "exemption.unknown_slot"
    )


def test_the_last_photograph_of_the_day_is_taken_and_the_next_is_told_when() -> None:
    most = SWUST.book.photos_a_day.most
    given(UPLOAD).when(RECEIVED, UploadContext(NOON, CANDIDATE, SWUST, draft().state, most - 1)).happened()
    given(UPLOAD).when(RECEIVED, UploadContext(NOON, CANDIDATE, SWUST, draft().state, most)).refused(
        "exemption.too_many_photographs", slot="id_front", most=most, again="2026-03-11 00:00:00"
    )


def test_looking_at_the_papers_of_others_is_a_fact_and_at_the_own_is_not() -> None:
    look = ViewDocuments(application=CASE, documents=("form", "id_front"))

    def by(who: str, *roles: tuple[str, str]) -> ViewingContext:
        return ViewingContext(who, frozenset(roles), first_passed().state)

    seen = DocumentsViewed(
        viewer="li", role="teaching_point_admin", organisation="point-a", documents=("form", "id_front")
    )
    given(VIEWING).when(look, by("li", ("teaching_point_admin", "point-a"))).then(seen)
    given(VIEWING).when(look, by(CANDIDATE)).then()
    given(VIEWING).when(look, by("chen", ("teaching_point_admin", "point-b"))).refused("access.not_found")
    given(VIEWING).when(look, by("root", ("administrator", "*"))).refused("access.not_found")


# --- batches

BATCHED = RecordBatch(
    scheme=SWUST.ref, cycle="c", organisation="uni", receiver="authority", applications=(CASE,), digest="sha256:1"
)
YES = AcknowledgeBatch(batch="b", reference="川考2026-7")


def staff(role: str, organisation: str) -> BatchContext:
    return BatchContext(f"staff-{role}", frozenset({(role, organisation)}), SWUST)


def test_a_batch_goes_from_the_university_to_its_authority_and_is_acknowledged_once() -> None:
    sent = given(BATCH).and_then(BATCHED, staff("university_admin", "uni"))
    assert isinstance(sent.past[-1], BatchHandedOff)
    for place in ("authority", "*"):
        done = sent.and_then(YES, staff("authority_clerk", place))
        assert isinstance(done.past[-1], BatchAcknowledged)
    done.when(YES, staff("authority_clerk", "authority")).refused("exemption.already_acknowledged")


def test_others_can_neither_send_nor_acknowledge_nor_see_a_batch() -> None:
    sent = given(BATCH).and_then(BATCHED, staff("university_admin", "uni"))
    for role, organisation in (("teaching_point_admin", "point-a"), ("university_admin", "other-uni")):
        given(BATCH).when(BATCHED, staff(role, organisation)).refused("access.not_allowed")
        sent.when(YES, staff(role, organisation)).refused("access.not_found")
        with pytest.raises(Refused, match=r"access\.not_found"):
            must_concern(sent.state, frozenset({(role, organisation)}))
    sent.when(YES, staff("university_admin", "uni")).refused("access.not_allowed")
    sent.when(YES, staff("authority_clerk", "elsewhere")).refused("access.not_found")


def test_a_batch_is_neither_empty_nor_larger_than_the_book_allows() -> None:
    def of(count: int) -> RecordBatch:
        applications = tuple(f"a{number}" for number in range(count))
        return RecordBatch(
            scheme=SWUST.ref, cycle="c", organisation="uni", receiver="r", applications=applications, digest="d"
        )

    given(BATCH).when(of(0), staff("university_admin", "uni")).refused("exemption.batch_empty")
    given(BATCH).when(of(201), staff("university_admin", "uni")).refused("exemption.batch_too_large", most=200)
    given(BATCH).when(of(200), staff("university_admin", "uni")).happened()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", " ="])
def test_no_cell_of_a_sheet_is_run_as_a_formula(start: str) -> None:
    typed = f'{start}cmd|"/c calc"!A1'
    assert in_a_sheet(typed) == f"'{typed}"


@pytest.mark.parametrize("number", ["110101199003071233", "00900", "080123456789"])
def test_no_number_of_a_sheet_loses_digits(number: str) -> None:
    assert in_a_sheet(number) == f"'{number}"


@pytest.mark.parametrize("plain", ["13800138000", "X20230000000001", "2028-06-29", "甲助学点", ""])
def test_what_a_spreadsheet_leaves_alone_stands_in_it_as_it_was_typed(plain: str) -> None:
    assert in_a_sheet(plain) == plain


def in_a_sheet(cell: str) -> str:
    sheet = export.as_csv(["备注"], [[cell]])
    return list(csv.reader(io.StringIO(sheet.removeprefix("\ufeff"), newline="")))[1][0]


# --- what identity says


def test_an_organisation_is_followed_through_its_life() -> None:
    added = FollowOrganisation(organisation="p", title="甲", level="teaching_point", parent="uni", phones=())
    known = given(ORGANISATION_FOLLOWED).and_then(added, None)
    known.when(added, None).then()
    renamed = known.and_then(FollowRenaming(organisation="p", title="甲二", phones=("0816-6000000",)), None)
    closed = renamed.and_then(FollowClosing(organisation="p"), None)
    assert closed.state == OrganisationFollowed(
        title="甲二", level="teaching_point", parent="uni", phones=("0816-6000000",), closed=True
    )
    given(ORGANISATION_FOLLOWED).when(FollowClosing(organisation="p"), None).then()


def test_an_account_keeps_what_a_later_word_does_not_mention() -> None:
    first = FollowAccount(person="p", holder="张三丰", id_number="1", mobile="2")
    known = given(ACCOUNT_FOLLOWED).and_then(first, None)
    known.when(first, None).then()
    known.when(FollowAccount(person="p", mobile="3"), None).then(
        AccountFollowed(holder="张三丰", id_number="1", mobile="3")
    )


def test_a_ring_of_organisations_does_not_hang() -> None:
    ring = {"a": Organisation("a", "甲", "x", "b"), "b": Organisation("b", "乙", "y", "a")}
    assert at_level("a", "y", ring) == "b"
    assert at_level("a", "z", ring) is None
