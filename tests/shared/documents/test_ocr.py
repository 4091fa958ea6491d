"""The real reader on our own crops: slow, so few."""

import io
import resource

import pytest
from PIL import Image

from shared.documents import hints, ocr
from shared.documents.hints import Reading, agreement
from shared.documents.pool import Pool
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


async def test_the_models_are_loaded_before_the_first_picture_comes(pages: dict[str, bytes]) -> None:
    """In a worker that can open no file once it is ready, so neither a model nor a module."""
    pool = Pool(ocr.ready, size=1, waiting=1, seconds=60)
    pool.start()
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        await pool.run(resource.setrlimit, resource.RLIMIT_NOFILE, (0, hard))
        with pytest.raises(OSError, match="Too many open files"):
            await pool.run(open, __file__)
        found = hints.valid_until(await pool.run(ocr.read, pages["back"]))
        assert found is not None
        assert found.value == "2039-06-01"
    finally:
        await pool.stop()
