"""SW-46: the paper is found on the table, and a picture that is mostly table is refused."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from shared.documents.images import inspect, prepare
from shared.documents.outline import straighten
from shared.documents.photo_rules import PhotoRules
from shared.testing.pictures import Pixels, Shot, certificate, id_back, id_front, jpeg, paper_alone, photograph
from tests.shared.documents.conftest import DOCUMENT, Papers

SMALL = (1600, 1200)
PAPERS = {"front": id_front, "back": id_back, "certificate": certificate}


def likeness(page: bytes, paper: Pixels) -> float:
    """How alike the crop and the paper that was drawn are, 1 for the same."""
    size = (80, 50)  # a hair of margin must not count
    grey = [
        np.asarray(Image.fromarray(pixels).convert("L").resize(size), dtype=float)
        for pixels in (np.asarray(Image.open(io.BytesIO(page))), paper[:, :, :3])
    ]
    return float(np.corrcoef(grey[0].ravel(), grey[1].ravel())[0, 1])


def test_a_photographed_paper_is_cropped_and_straightened(papers: Papers, pages: dict[str, bytes]) -> None:
    drawn = {"front": id_front(papers.card), "back": id_back(papers.card), "certificate": certificate(papers.paper)}
    for side, paper in drawn.items():
        width, height = Image.open(io.BytesIO(pages[side])).size
        assert width / height == pytest.approx(paper.shape[1] / paper.shape[0], rel=0.06)
        assert likeness(pages[side], paper) > 0.85, side


def test_the_four_corners_are_proposed_clockwise_from_the_top_left(papers: Papers) -> None:
    corners = inspect(papers.front, DOCUMENT).corners
    assert corners is not None
    (left, top), (right, _), (_, bottom), (left_too, _) = corners
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1
    assert left_too < 0.2


@pytest.mark.parametrize("side", PAPERS)
@pytest.mark.parametrize("share", [0.2, 0.45, 0.7])
@pytest.mark.parametrize("tilt", [0.0, 0.05])
def test_the_share_of_the_document_is_measured(side: str, share: float, tilt: float) -> None:
    shot = Shot(orientation=1, size=SMALL, share=share, tilt=tilt, seed=round(share * 100))
    report = inspect(photograph(PAPERS[side](), shot), DOCUMENT)
    assert report.accepted
    assert report.corners is not None
    assert report.document_share == pytest.approx(share, rel=0.15)


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_a_picture_that_is_mostly_background_is_refused_with_the_share(share: float) -> None:
    prepared = prepare(photograph(id_front(), Shot(orientation=1, size=SMALL, share=share)), DOCUMENT)
    (result,) = prepared.report.failures
    assert (result.code, result.limit) == ("photo.mostly_background", 0.15)
    assert result.measured == pytest.approx(share, abs=0.02)
    assert prepared.picture is None


def test_a_table_without_a_document_is_mostly_background() -> None:
    bare = jpeg(np.random.default_rng(1).normal(120, 4, (900, 1200, 3)).clip(0, 255).astype(np.uint8))
    (result,) = inspect(bare, PhotoRules(min_document_share=0.15)).failures
    assert (result.code, result.measured) == ("photo.mostly_background", 0.0)


@pytest.mark.parametrize("side", PAPERS)
def test_a_paper_that_fills_the_frame_is_accepted_uncropped(side: str) -> None:
    prepared = prepare(paper_alone(PAPERS[side]()), DOCUMENT)
    assert prepared.report.accepted
    assert not prepared.cropped
    assert Image.open(io.BytesIO(prepared.picture or b"")).size == (1600, 1008)


def test_the_picture_stays_whole_where_no_crop_is_asked(papers: Papers) -> None:
    prepared = prepare(papers.front, replace(DOCUMENT, crop_to_document=False))
    assert prepared.report.corners is None
    assert prepared.report.document_share == pytest.approx(0.38, abs=0.04)
    width, height = Image.open(io.BytesIO(prepared.picture or b"")).size
    assert height > width
    assert height <= 2400


def test_a_blurred_picture_is_called_blurred_and_not_background() -> None:
    report = inspect(paper_alone(certificate(), blur=15.0), DOCUMENT)
    assert [result.code for result in report.failures] == ["photo.too_blurred"]


def test_straightening_takes_exactly_what_lies_between_the_corners() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[20:60, 40:120] = 200
    page = straighten(picture, ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6)))
    assert page.shape == (40, 80, 3)
    assert page[2:-2, 2:-2].min() == 200
