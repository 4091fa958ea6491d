"""What people type is read, not guessed at: lookalikes of digits, noughts, and text in which nothing stands."""

from datetime import date
from typing import Any

import pytest

from services.identity.domain.rules import parse_staff_login, parse_ticket_number
from shared.kernel.errors import Refused
from shared.kernel.values import kept_text, parse_id_number, parse_mobile, parse_name, parse_text
from shared.schemes.forms import FormField
from shared.schemes.reading import certificate_key, certificate_number, examples_must_pass, read_value

TODAY = date(2026, 3, 2)
FILLERS = ("\u3164\u3164", "\u115f", "\uffa0\uffa0", "\u2800\u2800", "\u00ad\u00ad", "----", "。", "👍", "·")
"""Blank to the eye, or signs only."""


def read(kind: str, typed: str, **said: Any) -> str:
    field = FormField.model_validate({"name": "it", "label": "项目", "kind": kind, "source": "TT-11", **said})
    return read_value(field, typed, TODAY, {})


def refused(kind: str, typed: str, **said: Any) -> str:
    with pytest.raises(Refused) as answer:
        read(kind, typed, **said)
    return answer.value.code


# --- text in which nothing stands


@pytest.mark.parametrize("typed", FILLERS)
@pytest.mark.parametrize("kind", ["text", "certificate_number", "ticket_number"])
def test_what_must_be_filled_in_holds_a_letter_or_a_digit(kind: str, typed: str) -> None:
    assert refused(kind, typed) == "request.text_says_nothing"


@pytest.mark.parametrize("typed", ["a", "1", "张", "𠮷", "号（1）", "-1-", "١"])
def test_one_letter_or_digit_of_any_script_is_enough(typed: str) -> None:
    assert read("text", typed) == typed


def test_what_may_be_left_out_may_be_signs_only() -> None:
    assert parse_text("——", "opinion", most=500) == "——"


@pytest.mark.parametrize("typed", ["\u3164\u3164", "张\u3164三", "\uffa0", "··", "- -"])
def test_letters_that_nobody_sees_are_no_part_of_a_name(typed: str) -> None:
    with pytest.raises(Refused) as answer:
        parse_name(typed)
    assert answer.value.code in {"identity.name_malformed", "request.text_says_nothing"}


# --- what looks like a digit


def test_full_width_is_read_and_nothing_else_becomes_a_digit() -> None:
    assert certificate_number(" ９９－ａ　1 ") == "99-A1"
    assert certificate_number("99①²½") == "99①²½"


@pytest.mark.parametrize("typed", ["37010000000①", "3701000000𝟎1", "370100000½"])
def test_a_ticket_number_with_a_letter_that_looks_like_a_digit_is_refused(typed: str) -> None:
    asked = {"pattern": "[0-9]{9,12}", "example": "370100000001"}
    assert refused("ticket_number", typed, **asked) == "exemption.does_not_fit_the_pattern"
    assert read("ticket_number", "３７０1 0000 0001", **asked) == "370100000001"
    with pytest.raises(Refused, match=r"identity\.ticket_number_malformed"):
        parse_ticket_number(typed)


def test_nor_do_mobiles_id_numbers_telephones_and_logins_take_one() -> None:
    with pytest.raises(Refused):
        parse_mobile("1390000000①")
    with pytest.raises(Refused):
        parse_id_number("1401051999030712③X", TODAY)
    with pytest.raises(Refused):
        read("landline", "010-1234567⑧")
    with pytest.raises(Refused):
        parse_staff_login("li.lei②")
    assert parse_mobile("１３９　0000 0001") == "13900000001"
    assert parse_staff_login("ｌｉ.lei2") == "li.lei2"


@pytest.mark.parametrize("typed", ["060", "00", "060.5", "60.", "1e2"])
def test_a_number_is_written_without_a_nought_before_it(typed: str) -> None:
    assert refused("number", typed, lowest=0, highest=100, decimals=1) == "exemption.not_a_number"


@pytest.mark.parametrize(("typed", "kept"), [("0", "0"), ("60", "60"), ("60.0", "60"), ("0.5", "0.5"), ("100", "100")])
def test_a_number_is_kept_as_what_it_is(typed: str, kept: str) -> None:
    assert read("number", typed, lowest=0, highest=100, decimals=1) == kept


def test_of_several_numbers_each_is_written_so() -> None:
    asked = {"lowest": 0, "highest": 100, "count": 3, "separator": ";", "example": "60;65;70"}
    assert refused("numbers", "060;065;070", **asked) == "exemption.not_a_number"
    assert read("numbers", "60;65;70", **asked) == "60;65;70"


@pytest.mark.parametrize("typed", ["ab 12-3", "AB123", "（ＡＢ）１２３", "a.b/12_3", "AB12③", "AB12\u200b3"])
def test_one_number_in_several_spellings_is_found_as_one(typed: str) -> None:
    assert certificate_key(typed) == "AB123"


# --- drafts


@pytest.mark.parametrize("typed", ["a\u200bb", "\ufeff123", "a\u202eb", "a\u2028b", "<b>", "\u3164"])
def test_a_draft_keeps_what_was_pasted(typed: str) -> None:
    assert kept_text(typed, "it", 40) == typed


@pytest.mark.parametrize("typed", ["a\x00b", "\ud800", "a\x1b[2Jb", "\uffff"])
def test_but_not_what_no_store_and_no_document_can_keep(typed: str) -> None:
    with pytest.raises(Refused, match=r"request\.text_has_control_characters"):
        kept_text(typed, "it", 40)


def test_nor_what_has_no_end() -> None:
    with pytest.raises(Refused, match=r"request\.text_length"):
        kept_text("x" * 41, "it", 40)


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ({"kind": "month", "past": True, "example": "2019年03月"}, True),
        ({"kind": "month", "past": True, "example": "2031年03月"}, False),
        ({"kind": "month", "example": "三月"}, False),
        ({"kind": "landline", "example": "0351-1234567"}, True),
        ({"kind": "landline", "example": "1234567"}, False),
        ({"kind": "number", "lowest": 0, "highest": 100, "passing": 60, "example": "59"}, False),
        ({"kind": "certificate_number", "pattern": "[a-z]+", "example": "abc"}, False),
        ({"kind": "text", "most": 3, "example": "abcd"}, False),
        ({"kind": "valid_until", "example": "长期"}, True),
        ({"kind": "choice", "list": "any", "example": "whatever"}, True),  # it is chosen, not typed
    ],
)
def test_an_example_passes(said: dict[str, Any], passes: bool) -> None:
    field = FormField(name="asked", label="栏", source="assumption", **said)
    if passes:
        examples_must_pass([field])
        return
    with pytest.raises(ValueError, match="asked: its example is refused"):
        examples_must_pass([field])
