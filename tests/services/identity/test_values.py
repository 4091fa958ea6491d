"""What people type: numbers, passwords, names; and the counters that limit how often. Persons here are invented."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.identity.api.verification_desk import Fail, Pass
from services.identity.domain import rules
from services.identity.domain.counting import Allowed, Counter, Wait, refunded, spend
from services.identity.domain.scheme import CaptchaRule, IdentityScheme, Limit
from shared.kernel.errors import Refused
from tests.services.identity.past import ID_NUMBER, MOBILE, NOW, SCHEME

TODAY = date(2026, 3, 2)
RULE = SCHEME.password

# --- one login field


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("139 0000 0001", ("mobile", "13900000001")),
        ("+86 13900000001", ("mobile", "13900000001")),
        ("１３９００００００００１", None),  # twelve digits, and full-width: see below
        ("14010519990307123x", ("id_number", "14010519990307123X")),
        ("810000199001010019", ("id_number", "810000199001010019")),
        ("820000198506150022", ("id_number", "820000198506150022")),
        ("830000199202290030", ("id_number", "830000199202290030")),
        ("010123456789", ("ticket_number", "010123456789")),
        ("360426199101010072", None),  # wrong check digit, and of the form of an ID number
        ("", None),
        ("<script>", None),
        ("' or 1=1 --", None),
        ("𠮷", None),
    ],
)
def test_one_field_takes_an_id_number_a_ticket_number_or_a_mobile(typed: str, named: tuple[str, str] | None) -> None:
    expected = ("ticket_number", "139000000001") if typed.startswith("１") else named
    assert rules.login_name(typed, TODAY) == expected


@given(st.text(max_size=60))
def test_whatever_is_typed_as_login_is_one_thing_or_nothing(typed: str) -> None:
    named = rules.login_name(typed, TODAY)
    assert named is None or (named[0] in {"mobile", "id_number", "ticket_number"} and named[1])


@pytest.mark.parametrize("typed", [MOBILE, ID_NUMBER, "11010120231101217x", "12345", "1" * 21, "=1+1AAA", "A B C D"])
def test_a_ticket_number_never_looks_like_somebodys_mobile_or_id_number(typed: str) -> None:
    with pytest.raises(Refused, match=r"identity\.ticket_number_malformed"):
        rules.parse_ticket_number(typed)


def test_no_ticket_number_is_an_answer_too() -> None:
    assert rules.parse_ticket_number("  ") == ""


# --- passwords


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short-9", "identity.password_too_short"),
        ("一二三四五六七八九", "identity.password_too_short"),
        ("QwertyuioP", "identity.password_too_common"),
        ("woaini1314", "identity.password_too_common"),
        ("ababababab", "identity.password_too_common"),
        (f"xx{MOBILE}yy", "identity.password_is_personal"),
        (f"My{ID_NUMBER}", "identity.password_is_personal"),
        ("p14010519990307123xq", "identity.password_is_personal"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(password: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        rules.password_must_be_hard_to_guess(password, RULE)
    assert refused.value.code == code


@pytest.mark.parametrize("password", ["correct horse battery", "𠮷野家的牛肉饭很好吃呀", "'; drop table people; --"])
def test_a_long_password_of_any_script_is_taken(password: str) -> None:
    rules.password_must_be_hard_to_guess(rules.parse_password(password, RULE), RULE)


def test_a_password_over_the_limit_or_with_control_characters_is_refused() -> None:
    with pytest.raises(Refused, match=r"request\.text_length"):
        rules.parse_password("x" * 129, RULE)
    with pytest.raises(Refused, match=r"request\.text_has_control_characters"):
        rules.parse_password("good password\x07", RULE)


def test_the_same_password_from_two_keyboards_is_the_same() -> None:
    assert rules.parse_password("cafe\u0301 au lait", RULE) == rules.parse_password("caf\u00e9 au lait", RULE)


@pytest.mark.parametrize("inside", ["20231101", "012176", MOBILE])
def test_ones_own_birthday_last_six_and_mobile_are_personal(inside: str) -> None:
    assert rules.is_personal(f"abcd{inside}", MOBILE, ID_NUMBER)
    assert not rules.is_personal("correct horse battery", MOBILE, ID_NUMBER)


# --- other values


@pytest.mark.parametrize("typed", ["ab", "1abc", "a b c", "a" * 33, "<b>", "李雷雷"])
def test_a_staff_login_has_small_letters_digits_and_a_few_marks(typed: str) -> None:
    with pytest.raises(Refused, match=r"identity\.staff_login_malformed"):
        rules.parse_staff_login(typed)


@pytest.mark.parametrize("typed", ["=1+1", "x", "a/../b", "𠮷𠮷", "-ab"])
def test_an_organisations_code_is_a_plain_word(typed: str) -> None:
    with pytest.raises(Refused, match=r"identity\.organisation_code_malformed"):
        rules.parse_organisation(typed)


def test_telephone_numbers_are_taken_as_offices_write_them() -> None:
    assert rules.parse_phones(["0816-2419999", "400-810-1234转8"]) == ("0816-2419999", "400-810-1234转8")
    with pytest.raises(Refused, match=r"identity\.phone_malformed"):
        rules.parse_phones(["=cmd|calc"])


# --- counting

FIVE = Limit(most=5, per_seconds=900, pause_seconds=900, growth=2, source="assumption")
DAILY = Limit(most=10, per_seconds=86_400, source="assumption")


def test_the_sixth_attempt_waits_and_the_fifth_says_that_it_was_the_last() -> None:
    counter: Counter | None = None
    verdicts = []
    for _ in range(6):
        counter, verdict = spend(counter, FIVE, NOW)
        verdicts.append(verdict)
    assert [verdict.last for verdict in verdicts[:5] if isinstance(verdict, Allowed)] == [False] * 4 + [True]
    assert verdicts[5] == Wait(NOW + timedelta(minutes=15))


def test_each_further_pause_is_twice_as_long_and_never_longer_than_a_day() -> None:
    counter: Counter | None = None
    now, pauses = NOW, []
    for _ in range(10):
        for _ in range(5):
            counter, verdict = spend(counter, FIVE, now)
        assert isinstance(verdict, Allowed)
        pauses.append((verdict.ends - now) // timedelta(minutes=15))
        now = verdict.ends
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 96, 96, 96]


def test_after_a_quiet_day_the_pauses_start_again_at_the_shortest() -> None:
    counter = Counter(5, 6, True, NOW)
    for _ in range(5):
        counter, verdict = spend(counter, FIVE, NOW + timedelta(days=1))
    assert verdict == Allowed(True, NOW + timedelta(days=1, minutes=15))


def test_attempts_of_an_old_period_are_forgotten() -> None:
    counter, _ = spend(Counter(4, 0, False, NOW), FIVE, NOW)
    assert counter.spent == 1


def test_a_limit_without_a_pause_waits_for_the_rest_of_its_period() -> None:
    counter: Counter | None = None
    for minute in range(10):
        counter, _ = spend(counter, DAILY, NOW + timedelta(minutes=minute))
    assert spend(counter, DAILY, NOW + timedelta(hours=1))[1] == Wait(NOW + timedelta(days=1))


@pytest.mark.parametrize("limit", [FIVE, DAILY])
def test_nobody_waits_longer_because_the_clock_was_set_back(limit: Limit) -> None:
    counter: Counter | None = None
    for _ in range(limit.most):
        counter, allowed = spend(counter, limit, NOW)
    assert isinstance(allowed, Allowed)
    earlier = NOW - timedelta(hours=1)
    longest = allowed.ends - NOW
    counter, verdict = spend(counter, limit, earlier)
    assert verdict == Wait(earlier + longest)
    assert spend(counter, limit, NOW)[1] == (
        Wait(verdict.until) if verdict.until > NOW else Allowed(False, NOW + longest)
    )


def test_an_attempt_that_was_right_is_given_back() -> None:
    counter, _ = spend(Counter(4, 0, False, NOW + timedelta(minutes=1)), FIVE, NOW)
    assert counter.full
    again = refunded(counter)
    assert (again.spent, again.pauses, again.full) == (4, 0, False)


@given(st.lists(st.integers(0, 400), max_size=120))
def test_however_they_are_spread_ten_attempts_take_at_least_a_quarter_of_an_hour(gaps: list[int]) -> None:
    """Four may fall at the end of one period and five at the start of the next; then there is a pause."""
    counter: Counter | None = None
    now, allowed = NOW, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        counter, verdict = spend(counter, FIVE, now)
        if isinstance(verdict, Allowed):
            allowed.append(now)
    assert all(tenth - first >= timedelta(minutes=15) for first, tenth in zip(allowed, allowed[9:], strict=False))


# --- the book


def test_the_book_of_the_platform_gives_a_picture_without_characters_that_are_mistaken() -> None:
    assert not set("0O17I") & set(SCHEME.captcha.alphabet)
    with pytest.raises(ValidationError, match="easily confused"):
        CaptchaRule(alphabet="0123456789", length=4, valid_seconds=300, source="SD-11")


@pytest.mark.parametrize(
    ("field", "value", "law"),
    [
        ("administrator", "emperor", "roles that are not declared"),
        ("administrator", "university_admin", "can be held everywhere"),
        ("clerks", {"emperor"}, "roles that are not declared"),
        ("levels", {}, "levels that are not declared"),
    ],
)
def test_a_book_that_names_what_it_does_not_declare_is_refused(field: str, value: object, law: str) -> None:
    with pytest.raises(ValidationError, match=law):
        IdentityScheme.model_validate({**SCHEME.model_dump(), field: value})


def test_a_code_is_short_lived_and_hard_to_guess_and_tokens_end_within_five_minutes() -> None:
    assert SCHEME.sms_code.digits == 6
    assert SCHEME.sms_code.valid_seconds == 300
    assert SCHEME.sms_code.attempts == 5
    assert SCHEME.limits.sms_cool_down == Limit(most=1, per_seconds=60, source="SD-12")
    assert SCHEME.sessions.access_seconds <= 300


@pytest.mark.parametrize("answer", [1, "yes", "true"])
def test_only_true_and_false_say_whether_two_photographs_show_one_person(answer: Any) -> None:
    with pytest.raises(ValidationError, match="boolean"):
        Pass.model_validate({"attempt": 1, "pairs": {"a b": answer}})
    with pytest.raises(ValidationError, match="boolean"):
        Fail.model_validate({"attempt": 1, "reason": "x", "note": "x", "pairs": {"a b": answer}})
