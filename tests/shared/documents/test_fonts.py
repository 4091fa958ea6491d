"""A font with Chinese characters is found offline, and what it lacks is known before it is printed."""

from pathlib import Path

import pylopdf_fonts_zh_cn
import pytest

from shared.documents.fonts import Font, chinese_font, missing_glyphs

WHEEL = Font(pylopdf_fonts_zh_cn.sans_path())


@pytest.mark.parametrize("bold", [False, True])
def test_a_chinese_font_is_found_on_this_machine(bold: bool) -> None:
    font = chinese_font(bold=bold)
    assert Path(font.path).is_file()
    assert missing_glyphs("西省自学考试：李晓明 · 1+X（中级）\n", font) == ""


def test_the_wheels_font_says_that_it_lacks_a_rare_character() -> None:
    assert missing_glyphs("𠮷野家𠮷", WHEEL) == "𠮷"


def test_every_missing_character_is_named_once_in_order() -> None:
    assert missing_glyphs("甲\ue000乙\U0010fffd\ue000", WHEEL) == "\ue000\U0010fffd"
