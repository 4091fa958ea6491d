"""Values picked out of readings, and how they agree with what was typed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.documents import hints
from shared.documents.hints import Agreement, Difference, Found, Line, Reading, agreement
from shared.kernel.values import id_check_digit

NUMBER = "899999199903070014"
WITH_X = "89999919990307009X"


def reading(*rows: str | tuple[str, ...], confidence: float = 0.99) -> Reading:
    """Rows from top to bottom; a tuple stands side by side."""
    lines = []
    for place, row in enumerate(rows):
        for column, text in enumerate((row,) if isinstance(row, str) else row):
            left, top = 300.0 * column, 100.0 * place + 3 * column
            box = ((left, top), (left + 250, top), (left + 250, top + 40), (left, top + 40))
            lines.append(Line(text, confidence, box))
    return Reading(tuple(reversed(lines)))


def value(found: Found | None) -> str | None:
    return found.value if found else None


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ((("公民身份号码", NUMBER),), NUMBER),
        ((f"公民身份号码{NUMBER}",), NUMBER),
        ((f"证件号码：{NUMBER}",), NUMBER),
        ((f"公民身份号码 {WITH_X.lower()}",), WITH_X),
        ((f"身份证号：{WITH_X[:-1]}×",), WITH_X),
        (("8 9999919990307 0014",), NUMBER),
        ((NUMBER[:-1] + "5",), None),  # the check digit is wrong: misread
        ((NUMBER + "7",), None),  # a longer number
        (("89999919991307001" + id_check_digit("89999919991307001"),), None),  # a thirteenth month
        ((f"证书编号：{NUMBER}",), None),  # a certificate's number that happens to look like one
        ((f"证书编号：{WITH_X}", f"证件号码：{NUMBER}"), NUMBER),
        (("姓名李晓明",), None),
        ((), None),
    ],
)
def test_the_id_number_is_found_only_with_its_right_check_digit(
    rows: tuple[str | tuple[str, ...], ...], wanted: str | None
) -> None:
    assert value(hints.id_number(reading(*rows))) == wanted


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ((("姓名", "李晓明"),), "李晓明"),
        (("姓名李晓明",), "李晓明"),
        (("姓 名：李晓明",), "李晓明"),
        (("姓名李晓明性别男民族汉",), "李晓明"),
        ((("姓名：李晓明", "性别：男"),), "李晓明"),
        ((("姓名：李晓明", "证件号码：" + NUMBER),), "李晓明"),
        (("姓名阿卜杜拉•买买提",), "阿卜杜拉·买买提"),
        (("姓名𠮷田",), "𠮷田"),
        (("性别男",), None),
        (("姓名", "性别男"), None),
    ],
)
def test_the_name_is_found_although_label_and_value_run_together(
    rows: tuple[str | tuple[str, ...], ...], wanted: str | None
) -> None:
    assert value(hints.name(reading(*rows))) == wanted


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (("证书编号：99900120230000001234",), "99900120230000001234"),
        ((("证书编号", "AB-2023/0001"),), "AB-2023/0001"),
        (("编号：１２３４５６７",), "1234567"),
        (("证书编号：",), None),
    ],
)
def test_the_certificate_number_is_found(rows: tuple[str | tuple[str, ...], ...], wanted: str | None) -> None:
    assert value(hints.certificate_number(reading(*rows))) == wanted


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (("证书名称：网店运营推广",), "网店运营推广"),
        (("证书名称网店运营推广证书等级中级",), "网店运营推广"),
        (("网店运营推广职业技能等级证书",), "网店运营推广"),
        (("职业技能等级证书",), None),
    ],
)
def test_the_certificate_title_is_found(rows: tuple[str, ...], wanted: str | None) -> None:
    assert value(hints.certificate_title(reading(*rows))) == wanted


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ((("有效期限", "2019.06.01-2039.06.01"),), "2039-06-01"),
        (("有效期限2019.06.01-长期",), "长期"),
        (("有效期限 2019.06.01 — 2039.06.01",), "2039-06-01"),
        (("2019.06.01-2039.06.01",), "2039-06-01"),
        (("发证日期：2023年06月30日", "有效期至：2028年6月29日"), "2028-06-29"),
        (("有效期：2023年06月30日至2028年06月29日",), "2028-06-29"),
        (("有效期至：长期",), "长期"),
        (("有效期限2019.06.01-2039.06.31",), None),  # no such day: misread
        (("有效期限2019.06.01-2O39.06.01",), None),  # the first day is not the last
        (("有效期限2019.06.11-2O39.06.01",), None),
        (("发证日期：2023年06月30日",), None),
    ],
)
def test_the_last_day_of_validity_is_found(rows: tuple[str | tuple[str, ...], ...], wanted: str | None) -> None:
    assert value(hints.valid_until(reading(*rows))) == wanted


def test_a_value_is_as_sure_as_the_least_sure_part_of_its_row() -> None:
    label, text = reading("姓名", confidence=0.7).lines[0], reading(("", "李晓明")).lines[0]
    found = hints.name(Reading((label, text)))
    assert found == Found("李晓明", 0.7)


# --- comparing --------------------------------------------------------


def test_one_wrong_character_of_a_name_is_shown_at_its_place() -> None:
    assert agreement("李小明", Found("李晓明", 0.9)) == Agreement("differs", "李晓明", (Difference(1, "小", "晓"),))


def test_a_missing_and_a_surplus_digit_are_shown_at_their_places() -> None:
    assert agreement("12345", Found("1245", 0.9)).differences == (Difference(2, "3", ""),)
    assert agreement("1245", Found("12345", 0.9)).differences == (Difference(2, "", "3"),)


@pytest.mark.parametrize(
    ("typed", "read"),
    [(WITH_X.lower(), WITH_X), (" 李 晓明 ", "李晓明"), ("阿卜•买", "阿卜·买"), ("ＡＢ-１", "ab-1")],
)
def test_blanks_width_case_and_dots_are_no_difference(typed: str, read: str) -> None:
    assert agreement(typed, Found(read, 0.9)).verdict == "agrees"


def test_what_was_not_or_hardly_read_is_unreadable_and_not_different() -> None:
    assert agreement("李小明", None) == agreement("李小明", Found("李晓明", 0.4)) == Agreement("unreadable")


@settings(max_examples=40)
@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_replacing_the_differences_in_what_was_typed_gives_what_was_read(typed: str, read: str) -> None:
    shown = agreement(typed, Found(read, 1.0))
    ours, theirs = hints.plain(typed).upper(), hints.plain(read).upper()
    for difference in reversed(shown.differences):
        end = difference.position + len(difference.typed)
        assert ours[difference.position : end] == difference.typed
        ours = ours[: difference.position] + difference.read + ours[end:]
    assert ours == theirs
    assert (shown.verdict == "agrees") == (not shown.differences)


@given(st.lists(st.text(max_size=40), max_size=8))
def test_whatever_was_read_nothing_raises(texts: list[str]) -> None:
    for pick in (
        hints.id_number,
        hints.name,
        hints.certificate_number,
        hints.certificate_title,
        hints.valid_until,
    ):
        assert pick(reading(*texts)) is None or texts
