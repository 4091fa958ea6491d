"""Nobody is refused without a reason they can read."""

import inspect as source_of
import re

import pytest

from shared.documents import (
    archive_parts,
    archive_rar,
    archive_zip,
    archives,
    images,
    payment_receipt,
    pool,
    printing,
    record_table,
    registration_form,
)
from shared.documents.photo_rules import RuleResult, Value
from shared.documents.refusals import REFUSALS, RULES, explain

RAISING = (
    archive_parts,
    archive_rar,
    archive_zip,
    archives,
    images,
    payment_receipt,
    pool,
    printing,
    record_table,
    registration_form,
)


def test_every_code_that_can_be_raised_has_a_text_and_every_text_a_code() -> None:
    judged = set(re.findall(r'judge\("(\w+)"', source_of.getsource(images)))
    raising = "".join(source_of.getsource(module) for module in RAISING)
    named = set(re.findall(r'"((?:photo|documents)\.\w+)"', raising))
    assert {f"photo.{code}" for code in judged} | named == REFUSALS.keys() | RULES.keys()
    assert {code.split(".")[0] for code in REFUSALS} == {"documents"}
    assert len(judged) >= 12


@pytest.mark.parametrize(
    ("code", "measured", "limit", "chinese", "english"),
    [
        ("too_many_bytes", 51201, 51200, "51,201 B，超过 50 KB", "51,201 B, over the limit of 50 KB"),
        ("too_many_bytes", 3 << 20, 2 << 20, "3 MB，超过 2 MB", "3 MB, over"),
        ("too_small", (480, 640), (800, 600), "480×640 像素，小于要求的 800×600", "480×640 pixels, below 800×600"),
        ("too_large", (500, 9), (480, 0), "500×9 像素，大于要求的 480×不限", "above 480×any"),
        ("wrong_format", "HEIC", ("JPEG", "PNG"), "HEIC，应为 JPEG、PNG", "HEIC; it must be JPEG, PNG"),
        ("wrong_format", "unknown", ("JPEG",), "未知格式", "of an unknown kind"),
        ("mostly_background", 0.021, 0.15, "2.1%（要求不低于 15.0%）", "2.1% of the picture (at least 15.0%"),
        (
            "wrong_background",
            0.5,
            ("light_blue", "#aabbcc"),
            "50.0% 符合要求的颜色（淡蓝、#aabbcc）",
            "light_blue, #aabbcc",
        ),
        ("too_blurred", 20.7, 60, "清晰度 20.7，要求不低于 60", "sharpness 20.7, at least 60"),
        ("wrong_aspect", 0.75, "5:7 ±0.01", "0.75，应为 5:7 ±0.01", "0.75; it must be 5:7 ±0.01"),
    ],
)
def test_a_broken_rule_is_explained_with_what_was_measured(
    code: str, measured: Value, limit: Value, chinese: str, english: str
) -> None:
    zh, en = explain(RuleResult(f"photo.{code}", False, measured, limit))
    assert chinese in zh
    assert english in en
