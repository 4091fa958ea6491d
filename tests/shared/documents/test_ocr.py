"""The real reader on our own crops: slow, so few."""

import io

import pytest
from PIL import Image

from shared.documents import hints, ocr
from shared.documents.hints import Reading, agreement
from tests.shared.documents.conftest import Papers


@pytest.fixture(scope="module")
def readings(pages: dict[str, bytes]) -> dict[str, Reading]:
    return {side: ocr.read(page) for side, page in pages.items()}


def test_name_and_id_number_are_read_from_the_front(readings: dict[str, Reading], papers: Papers) -> None:
    assert agreement(papers.card.name, hints.name(readings["front"])).verdict == "agrees"
    assert agreement(papers.card.number, hints.id_number(readings["front"])).verdict == "agrees"


def test_the_last_day_of_validity_is_read_from_the_back(readings: dict[str, Reading]) -> None:
    found = hints.valid_until(readings["back"])
    assert found is not None
    assert found.value == "2039-06-01"


def test_all_fields_are_read_from_the_certificate(readings: dict[str, Reading], papers: Papers) -> None:
    reading, paper = readings["certificate"], papers.paper
    found = [
        hints.name(reading),
        hints.id_number(reading),
        hints.certificate_title(reading),
        hints.certificate_number(reading),
        hints.valid_until(reading),
    ]
    wanted = [paper.name, paper.id_number, paper.title, paper.number, paper.valid_until.isoformat()]
    assert [one.value if one else None for one in found] == wanted


def test_a_name_typed_wrong_by_one_character_differs_from_the_card(readings: dict[str, Reading]) -> None:
    shown = agreement("李小明", hints.name(readings["front"]))
    assert [(one.position, one.typed, one.read) for one in shown.differences] == [(1, "小", "晓")]


def test_a_page_upside_down_is_turned_before_it_is_read(pages: dict[str, bytes]) -> None:
    held = io.BytesIO()
    Image.open(io.BytesIO(pages["back"])).rotate(180).save(held, "JPEG")
    found = hints.valid_until(ocr.read(held.getvalue()))
    assert found is not None
    assert found.value == "2039-06-01"


def test_a_picture_without_writing_reads_as_nothing() -> None:
    held = io.BytesIO()
    Image.new("RGB", (320, 240), "#8090a0").save(held, "JPEG")
    assert ocr.read(held.getvalue()) == Reading(())


def test_what_is_no_picture_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="not a picture"):
        ocr.read(b"<html>")
