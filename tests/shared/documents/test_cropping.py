"""A crop to the shape asked for is offered, never forced: what comes out keeps the rules, or nothing comes out."""

import io

import numpy as np
import pytest
from PIL import Image

from services.exemption.domain.scheme import ExemptionScheme
from shared.documents.cropping import offered
from shared.documents.images import inspect
from shared.documents.photo_rules import PhotoRules
from shared.schemes.catalog import Catalog
from shared.testing.pictures import plain, truncated

BLUE = "#a8d0f0"
ONE_INCH = PhotoRules(**Catalog.load().get("sd/exemption@1").part("exemption", ExemptionScheme).photos[0].photo.asked())


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def noise(size: tuple[int, int]) -> bytes:
    """Hard to compress, as grain is."""
    pixels = np.random.default_rng(7).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=95)
    return held.getvalue()


@pytest.mark.parametrize(
    "size", [(212, 297), (295, 413), (480, 640), (600, 800), (3000, 4000), (4000, 3000), (413, 413), (300, 2000)]
)
def test_whatever_is_large_enough_becomes_a_one_inch_photograph(size: tuple[int, int]) -> None:
    """SD-27, SD-28, SD-29, SD-47."""
    made = offered(plain(size, colour=BLUE), ONE_INCH)
    assert made is not None
    assert inspect(made, ONE_INCH).accepted
    width, height = size_of(made)
    assert width * 7 == height * 5 or size == (212, 297), "exactly, where there is room for it"
    assert width <= size[0]
    assert height <= size[1]


@pytest.mark.parametrize("size", [(211, 297), (212, 282), (200, 4000), (4000, 290)])
def test_what_is_too_small_is_not_made_larger(size: tuple[int, int]) -> None:
    assert offered(plain(size, colour=BLUE), ONE_INCH) is None


def test_a_picture_of_more_than_fifty_kilobytes_is_made_smaller_until_it_fits() -> None:
    grain = noise((455, 637))
    assert len(grain) > 51_200
    made = offered(grain, ONE_INCH)
    assert made is not None
    assert len(made) <= 51_200


def test_a_picture_that_keeps_the_rules_stays_as_it_is() -> None:
    assert size_of(offered(plain((295, 413), colour=BLUE), ONE_INCH) or b"") == (295, 413)


def test_more_is_cut_from_below_than_from_above_where_the_head_is() -> None:
    tall = np.zeros((1000, 500, 3), dtype=np.uint8)
    tall[:100], tall[-200:] = (255, 0, 0), (0, 255, 0)
    held = io.BytesIO()
    Image.fromarray(tall).save(held, "JPEG", quality=95)
    with Image.open(io.BytesIO(offered(held.getvalue(), ONE_INCH) or b"")) as made:
        rows = np.asarray(made)
    assert (rows[2, :, 0] > 128).all(), "the red of the top is still there"
    assert not (rows[-2, :, 1] > 128).any(), "the green of the bottom is not"


def test_the_rotation_in_the_metadata_is_obeyed_first() -> None:
    lying = Image.new("RGB", (413, 295), BLUE)
    exif = lying.getexif()
    exif[0x0112] = 6
    held = io.BytesIO()
    lying.save(held, "JPEG", exif=exif)
    assert size_of(offered(held.getvalue(), ONE_INCH) or b"") == (295, 413)


def test_a_png_and_a_cmyk_picture_become_what_is_asked() -> None:
    for mode, form in (("RGB", "PNG"), ("CMYK", "JPEG")):
        made = offered(plain((600, 840), mode=mode, form=form), ONE_INCH)
        assert made is not None
        assert {"photo.wrong_format", "photo.wrong_colours"}.isdisjoint(
            each.code for each in inspect(made, ONE_INCH).failures
        )


@pytest.mark.parametrize("data", [b"", b"no picture", truncated(plain((600, 840)))])
def test_what_cannot_be_read_or_has_no_shape_to_be_cut_to_is_not_offered(data: bytes) -> None:
    assert offered(data, ONE_INCH) is None
    assert offered(plain((600, 840)), PhotoRules()) is None
