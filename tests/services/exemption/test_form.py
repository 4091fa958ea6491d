"""What may stand in the form: completeness, each kind of field, and the bad input people send."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.exemption.domain.commands import SaveDraft
from services.exemption.domain.followed import Account
from services.exemption.domain.form import Surroundings, checked_form
from shared.events.exemption import ApplicationSubmitted, DraftSaved
from shared.kernel.errors import Refused
from tests.services.exemption.story import (
    ACCOUNT,
    CANDIDATE,
    CASE,
    FORM,
    NOON,
    ORGANISATIONS,
    PHOTOGRAPHS,
    PHOTOS,
    START,
    SUBMIT,
    SWUST,
    draft,
    me,
    nothing,
    save,
)

AROUND = Surroundings(NOON, CANDIDATE, CASE, ORGANISATIONS, ACCOUNT, PHOTOGRAPHS)


def faults(**changes: Any) -> dict[str, str]:
    """Field -> code of its fault when the sample form is handed in with `changes`."""
    account = Account(
        ACCOUNT.holder, changes.get("id_number", ACCOUNT.id_number), changes.get("mobile", ACCOUNT.mobile)
    )
    around = Surroundings(NOON, CANDIDATE, CASE, ORGANISATIONS, account, PHOTOGRAPHS)
    try:
        checked_form(SWUST, {**FORM, **changes}, PHOTOS, around)
    except Refused as refused:
        if refused.code != "exemption.form_wrong":
            raise
        named = refused.facts["faults"]
    else:
        named = []
    assert all(fault["zh"] and fault["en"] and fault["label"] for fault in named)
    return {fault["field"]: fault["code"] for fault in named}


def test_every_fault_is_listed_at_once_by_field() -> None:
    outcome = nothing().and_then(START, me()).when(SUBMIT, me())
    assert outcome.refusal is not None
    named = {fault["field"]: fault["code"] for fault in outcome.refusal.facts["faults"]}
    needed = {each.name for each in SWUST.book.fields if each.required} | set(PHOTOS)
    assert named == dict.fromkeys(needed, "exemption.missing")


def test_only_the_remark_and_the_ticket_number_may_stay_empty() -> None:
    for field in SWUST.book.fields:
        expected = {} if field.name in {"remark", "ticket_number"} else {field.name: "exemption.missing"}
        assert faults(**{field.name: "  "}) == expected


@pytest.mark.parametrize("slot", list(PHOTOS))
def test_each_of_the_three_photographs_is_needed(slot: str) -> None:
    less = {each: upload for each, upload in PHOTOS.items() if each != slot}
    past = nothing().and_then(START, me()).and_then(SaveDraft(application=CASE, form=FORM, photos=less), me())
    outcome = past.when(SUBMIT, me()).refused("exemption.form_wrong", count=1)
    assert outcome.refusal is not None
    assert outcome.refusal.facts["faults"][0]["field"] == slot


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("360426199101010072", "identity.id_number_wrong_check_digit"),
        ("110101199002301239", "identity.id_number_impossible_date"),
        ("110101900307109", "identity.id_number_15_digits"),
        ("1234", "identity.id_number_malformed"),
        ("11010119900307109X' OR 1=1 --", "identity.id_number_malformed"),
    ],
)
def test_a_wrong_id_number_is_named_for_what_is_wrong(typed: str, code: str) -> None:
    assert faults(id_number=typed) == {"id_number": code}


@pytest.mark.parametrize("number", ["810000199001010019", "820000198506150022", "830000199202290030"])
def test_residence_permits_are_accepted(number: str) -> None:
    assert faults(id_number=number) == {}


@pytest.mark.parametrize("typed", ["12800138000", "1380013800", "+8529876543", "138-0013-800x"])
def test_a_wrong_mobile_number_is_refused(typed: str) -> None:
    assert faults(mobile=typed) == {"mobile": "identity.mobile_malformed"}


@pytest.mark.parametrize(
    ("field", "typed"),
    [("name", "李四"), ("mobile", "13900139000"), ("id_number", "14010519990307123X")],
)
def test_name_id_number_and_mobile_must_be_those_of_the_account(field: str, typed: str) -> None:
    with pytest.raises(Refused) as refused:
        checked_form(SWUST, {**FORM, field: typed}, PHOTOS, AROUND)
    (fault,) = refused.value.facts["faults"]
    assert (fault["field"], fault["code"]) == (field, "exemption.not_the_account_holder")
    assert typed not in str(refused.value.facts)
    assert ACCOUNT.mobile not in str(refused.value.facts)


def test_a_person_whose_account_is_not_known_yet_is_asked_to_wait() -> None:
    outcome = draft().when(SUBMIT, me(account=None)).refused("exemption.form_wrong")
    assert outcome.refusal is not None
    assert {fault["code"] for fault in outcome.refusal.facts["faults"]} == {"exemption.account_not_known_yet"}


def test_the_certificate_and_its_level_come_from_the_list_of_the_system() -> None:
    assert faults(certificate="flying_carpet") == {"certificate": "exemption.not_on_the_list"}
    assert faults(certificate_level="特级") == {"certificate_level": "exemption.not_on_the_list"}


def test_a_level_below_the_lowest_is_refused_and_higher_ones_are_not() -> None:
    def with_level(level: str) -> Any:
        saved = save(certificate="smart_finance", certificate_level=level)
        return draft().and_then(saved, me()).when(SUBMIT, me())

    with_level("初级").refused("exemption.level_too_low", lowest="中级")
    for level in ("中级", "高级"):
        assert isinstance(with_level(level).happened()[0], ApplicationSubmitted)


@pytest.mark.parametrize(
    ("typed", "code"),
    [("2026-02-30", "exemption.not_a_date"), ("soon", "exemption.not_a_date"), ("长期", None), ("2026.3.10", None)],
)
def test_a_validity_date_is_a_date_or_long_term(typed: str, code: str | None) -> None:
    assert faults(valid_until=typed) == ({"valid_until": code} if code else {})


def test_an_expired_certificate_is_refused_and_its_last_day_still_counts() -> None:
    today = draft().and_then(save(valid_until="2026-03-10"), me())
    today.when(SUBMIT, me()).happened()
    today.when(SUBMIT, me(NOON + timedelta(days=1))).refused("exemption.certificate_expired")


@pytest.mark.parametrize("number", ["AB", "x" * 41, "=HYPERLINK(1)", "<b>12345678</b>", "12345678'; drop table"])
def test_a_certificate_number_is_letters_and_digits_only(number: str) -> None:
    assert set(faults(certificate_number=number)) == {"certificate_number"}


def test_full_width_and_spaced_certificate_numbers_are_one_number() -> None:
    full_width = "".join(chr(ord(char) + 0xFEE0) for char in "X20230000000001")
    spellings = ["X20230000000001", "x2023 0000 000001", full_width]
    read = [checked_form(SWUST, {**FORM, "certificate_number": each}, PHOTOS, AROUND) for each in spellings]
    assert {form["certificate_number"] for form in read} == {"X20230000000001"}


@pytest.mark.parametrize("remark", ["<script>alert(1)</script>", "'; DROP TABLE x; --", "=1+1", "𠮷野家 👍"])
def test_free_text_that_looks_like_code_is_only_text(remark: str) -> None:
    submitted, _ = draft().and_then(save(remark=remark), me()).when(SUBMIT, me()).happened()
    assert isinstance(submitted, ApplicationSubmitted)
    assert submitted.form["remark"] == remark


@pytest.mark.parametrize("name", ["𠮷田", "阿卜杜拉·买买提", "Anna-Maria O’Neill"])
def test_rare_and_minority_names_are_names(name: str) -> None:
    account = Account(name, ACCOUNT.id_number, ACCOUNT.mobile)
    around = Surroundings(NOON, CANDIDATE, CASE, ORGANISATIONS, account, PHOTOGRAPHS)
    assert checked_form(SWUST, {**FORM, "name": name}, PHOTOS, around)["name"] == name


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"favourite_colour": "red"}, "exemption.unknown_field"),
        ({"remark": "x" * 4001}, "request.text_length"),
        ({"remark": "a\x00b"}, "request.text_has_control_characters"),
        ({"remark": {"nested": "thing"}}, "exemption.not_text"),
        ({"remark": 7}, "exemption.not_text"),
    ],
)
def test_a_draft_keeps_only_known_fields_and_plain_text(form: dict[str, Any], code: str) -> None:
    draft().when(SaveDraft(application=CASE, form=form, photos={}), me()).refused(code)


@pytest.mark.parametrize("typed", ["\ufeff样本", "样\u200b本", "样\u202e本"])
def test_what_was_pasted_with_invisible_characters_is_kept_and_refused_by_its_field(typed: str) -> None:
    """SW-34: nothing else that was typed is lost with it."""
    (saved,) = draft().when(save(remark=typed), me()).happened()
    assert isinstance(saved, DraftSaved)
    assert saved.form["remark"] == typed
    assert faults(remark=typed) == {"remark": "request.text_has_control_characters"}


def test_a_draft_has_no_unknown_photograph() -> None:
    draft().when(SaveDraft(application=CASE, form={}, photos={"passport": "u-front"}), me()).refused(
        "exemption.unknown_slot", slots=["passport"]
    )


def test_a_teaching_point_of_another_university_is_refused() -> None:
    saved = draft().and_then(save(teaching_point="other-point"), me())
    saved.when(SUBMIT, me()).refused("exemption.organisation_not_in_this_cycle")


def test_a_university_is_no_teaching_point_and_an_unknown_one_is_not_either() -> None:
    assert faults(teaching_point="uni") == {"teaching_point": "exemption.not_on_the_list"}
    assert faults(teaching_point="nowhere") == {"teaching_point": "exemption.not_on_the_list"}


@for_all(st.dictionaries(st.sampled_from([each.name for each in SWUST.book.fields]), st.text(max_size=50)))
def test_whatever_is_typed_is_either_kept_or_refused_with_a_code(typed: dict[str, str]) -> None:
    outcome = draft().when(SaveDraft(application=CASE, form=typed, photos=PHOTOS), me())
    if outcome.refusal is None:
        (saved,) = outcome.events
        assert isinstance(saved, DraftSaved)
        handed_in = outcome.before.and_then(SaveDraft(application=CASE, form=typed, photos=PHOTOS), me()).when(
            SUBMIT, me()
        )
        assert handed_in.refusal is None or handed_in.refusal.code.startswith("exemption.")
