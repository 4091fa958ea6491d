"""What is refused, what is kept, and that every rule says what it measured."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin
from pydantic import TypeAdapter

from shared.documents.images import inspect, prepare
from shared.documents.photo_rules import MAX_BYTES, MAX_PIXELS, PhotoReport, PhotoRules, RuleResult
from shared.testing import pictures
from shared.testing.pictures import Shot, id_front, paper_alone, photograph
from tests.shared.documents.conftest import DOCUMENT, Papers

SMALL = (1200, 900)


def failed(report: PhotoReport) -> list[str]:
    return [result.code for result in report.failures]


def only_failure(report: PhotoReport) -> RuleResult:
    (result,) = report.failures
    return result


def opened(picture: bytes | None) -> Image.Image:
    assert picture is not None
    return Image.open(io.BytesIO(picture))


# --- what a file is ---------------------------------------------------


def test_a_png_named_jpg_is_refused_by_its_content_where_only_jpeg_is_asked() -> None:
    report = inspect(pictures.plain(form="PNG"), PhotoRules(formats=("JPEG",)))
    assert only_failure(report) == RuleResult("photo.wrong_format", False, "PNG", ("JPEG",))


def test_a_png_is_accepted_where_the_rules_allow_it() -> None:
    prepared = prepare(pictures.plain(form="PNG"), PhotoRules())
    assert prepared.report.accepted
    assert opened(prepared.picture).format == "JPEG"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (pictures.plain(form="GIF"), "GIF"),
        (pictures.plain(form="BMP"), "BMP"),
        (pictures.plain(form="TIFF"), "TIFF"),
        (pictures.plain(form="WEBP"), "WEBP"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(64), "HEIC"),
        (b"%PDF-1.7\n" + bytes(64), "PDF"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "HTML"),
        (b"just words", "unknown"),
    ],
)
def test_anything_but_jpeg_and_png_is_refused_and_called_by_its_name(data: bytes, kind: str) -> None:
    prepared = prepare(data, PhotoRules())
    assert only_failure(prepared.report) == RuleResult("photo.wrong_format", False, kind, ("JPEG", "PNG"))
    assert prepared.picture is None


def test_an_empty_file_is_refused() -> None:
    assert only_failure(inspect(b"", PhotoRules())) == RuleResult("photo.empty", False, 0, 1)


def test_a_truncated_jpeg_is_refused_although_its_head_is_whole() -> None:
    whole = paper_alone(id_front(), SMALL)
    report = inspect(pictures.truncated(whole), PhotoRules(min_width=2000))
    assert failed(report) == ["photo.too_small", "photo.unreadable"]
    assert (report.width, report.height) == SMALL


def test_html_with_a_jpeg_head_is_refused() -> None:
    assert failed(inspect(pictures.html_with_jpeg_head(), PhotoRules())) == ["photo.unreadable"]


def test_a_bomb_of_20000_by_20000_in_50_kb_is_refused_before_it_is_decoded() -> None:
    bomb = pictures.bomb_png()
    assert len(bomb) < 50 * 1024
    assert only_failure(inspect(bomb, PhotoRules())) == RuleResult(
        "photo.too_many_pixels", False, 20_000**2, MAX_PIXELS
    )


def test_a_picture_just_over_the_pixel_limit_is_refused_where_pillow_would_only_warn() -> None:
    report = inspect(pictures.bomb_png(8001), PhotoRules())
    assert only_failure(report) == RuleResult("photo.too_many_pixels", False, 8001**2, MAX_PIXELS)


def test_30_megabytes_are_refused_undecoded_whatever_the_rules_say() -> None:
    heavy = pictures.plain() + bytes(30 * 1024 * 1024)
    report = inspect(heavy, PhotoRules(max_bytes=None))
    assert only_failure(report) == RuleResult("photo.too_many_bytes", False, len(heavy), MAX_BYTES)
    assert report.width == 0


def test_a_cmyk_jpeg_is_refused_unless_the_rules_convert_it() -> None:
    cmyk = pictures.plain(mode="CMYK")
    assert only_failure(inspect(cmyk, PhotoRules())) == RuleResult("photo.wrong_colours", False, "CMYK", "RGB")
    assert opened(prepare(cmyk, PhotoRules(cmyk_allowed=True)).picture).mode == "RGB"


def test_a_phones_multi_picture_jpeg_counts_as_jpeg() -> None:
    held = io.BytesIO()
    first, second = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue"))
    first.save(held, "MPO", save_all=True, append_images=[second])
    prepared = prepare(held.getvalue(), PhotoRules(formats=("JPEG",)))
    assert prepared.report.format == "JPEG"
    assert np.asarray(opened(prepared.picture))[15, 20, 0] > 200


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_an_rgb_jpeg(mode: str) -> None:
    held = io.BytesIO()
    Image.new(mode, (40, 30)).save(held, "PNG")
    assert opened(prepare(held.getvalue(), PhotoRules()).picture).mode == "RGB"


def test_what_is_transparent_becomes_white_paper() -> None:
    held = io.BytesIO()
    Image.new("RGBA", (40, 30), (0, 0, 0, 0)).save(held, "PNG")
    assert np.asarray(opened(prepare(held.getvalue(), PhotoRules()).picture)).min() > 250


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    held = io.BytesIO()
    Image.fromarray(np.full((30, 40), 0x8000, dtype=np.uint16)).save(held, "PNG")
    assert abs(int(np.asarray(opened(prepare(held.getvalue(), PhotoRules()).picture)).mean()) - 128) <= 2


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_by_a_code_and_never_raise(data: bytes) -> None:
    assert not inspect(data, DOCUMENT).accepted


@given(st.sampled_from(["JPEG", "PNG"]), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=12))
def test_a_picture_with_flipped_bytes_is_judged_and_never_raises(form: str, flips: list[tuple[int, int]]) -> None:
    data = bytearray(pictures.plain((33, 21), form=form))
    for place, value in flips:
        data[place % len(data)] = value
    prepared = prepare(bytes(data), DOCUMENT)
    assert "photo.too_small" in failed(prepared.report) or not prepared.report.width


# --- what is kept -----------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(orientation: int) -> None:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:16, :16], pixels[32:, :16], pixels[:16, 48:] = 255, (255, 0, 0), (0, 0, 255)
    data = pictures.jpeg(pixels, orientation=orientation, quality=95)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))).astype(int)
    prepared = prepare(data, PhotoRules())
    kept = np.asarray(opened(prepared.picture)).astype(int)
    assert kept.shape == wanted.shape == (prepared.report.height, prepared.report.width, 3)
    assert np.abs(kept - wanted).mean() < 4


def test_no_metadata_survives(papers: Papers, pages: dict[str, bytes]) -> None:
    assert Image.open(io.BytesIO(papers.front)).getexif().get_ifd(0x8825), "the phone wrote a place"
    for page in pages.values():
        image = opened(page)
        assert not image.getexif()
        assert {"icc_profile", "comment", "photoshop", "exif"}.isdisjoint(image.info)
        assert b"Specimen Phone" not in page


def test_an_icc_profile_a_text_chunk_and_trailing_bytes_are_dropped() -> None:
    held, text = io.BytesIO(), PngImagePlugin.PngInfo()
    text.add_text("Comment", "<script>alert(1)</script>")
    Image.new("RGB", (40, 30)).save(held, "PNG", pnginfo=text, icc_profile=b"a profile of somebody")
    picture = prepare(held.getvalue() + b"<html>trailing</html>", PhotoRules()).picture
    assert picture is not None
    assert not any(part in picture for part in (b"script", b"profile", b"html"))


def test_a_broken_exif_block_costs_nobody_a_good_photograph() -> None:
    whole = pictures.jpeg(np.full((60, 80, 3), 90, np.uint8), orientation=6)
    tag = whole.index(b"Exif\x00\x00") + 6
    broken = whole[: tag + 4] + b"\xff\xff\xff\xff" + whole[tag + 8 :]
    assert prepare(broken, PhotoRules()).report.accepted


def test_a_refused_photograph_leaves_no_picture() -> None:
    prepared = prepare(paper_alone(id_front(), SMALL), PhotoRules(min_width=5000))
    assert prepared.picture is None


# --- the rules --------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "size", "code"),
    [
        (PhotoRules(min_width=212, min_height=282, max_width=480, max_height=640), (212, 282), None),
        (PhotoRules(min_width=212, min_height=282, max_width=480, max_height=640), (480, 640), None),
        (PhotoRules(min_width=212, min_height=282, max_width=480, max_height=640), (211, 282), "photo.too_small"),
        (PhotoRules(min_width=212, min_height=282, max_width=480, max_height=640), (480, 641), "photo.too_large"),
        (PhotoRules(min_width=800, min_height=600, pixels_inclusive=False), (800, 601), "photo.too_small"),
        (PhotoRules(min_width=800, min_height=600, pixels_inclusive=False), (801, 601), None),
        (PhotoRules(min_width=800, min_height=600, pixels_inclusive=False), (601, 801), "photo.too_small"),
        (PhotoRules(min_width=800, min_height=600, either_orientation=True), (600, 800), None),
        (PhotoRules(max_width=480, pixels_inclusive=False), (480, 9), "photo.too_large"),
        (PhotoRules(max_width=480, pixels_inclusive=False), (479, 2000), None),
        (PhotoRules(min_height=600, pixels_inclusive=False), (1, 601), None),
        (PhotoRules(aspect=(5, 7)), (295, 413), None),
        (PhotoRules(aspect=(5, 7)), (480, 640), "photo.wrong_aspect"),
        (PhotoRules(aspect=(5, 7)), (413, 295), "photo.wrong_aspect"),
        (PhotoRules(aspect=(5, 7), either_orientation=True), (413, 295), None),
        (PhotoRules(aspect=(5, 7), aspect_tolerance=0.05), (480, 640), None),
    ],
)
def test_pixels_and_aspect_are_held_to_their_bounds(rules: PhotoRules, size: tuple[int, int], code: str | None) -> None:
    assert failed(inspect(pictures.plain(size), rules)) == ([code] if code else [])


def test_a_bound_is_reported_with_the_measured_value_and_the_limit() -> None:
    report = inspect(pictures.plain((480, 640)), PhotoRules(min_width=800, min_height=600, aspect=(5, 7)))
    assert report.failures == (
        RuleResult("photo.too_small", False, (480, 640), (800, 600)),
        RuleResult("photo.wrong_aspect", False, 0.75, "5:7 ±0.01"),
    )


def test_bytes_are_held_to_their_bounds_inclusive_or_not() -> None:
    data = pictures.plain()
    size = len(data)
    assert inspect(data, PhotoRules(min_bytes=size, max_bytes=size)).accepted
    strict = PhotoRules(min_bytes=size, max_bytes=size, bytes_inclusive=False)
    assert failed(inspect(data, strict)) == ["photo.too_few_bytes", "photo.too_many_bytes"]
    assert inspect(data, replace(strict, min_bytes=size - 1, max_bytes=size + 1)).accepted


def test_every_broken_rule_is_named_at_once() -> None:
    rules = replace(DOCUMENT, formats=("JPEG",), max_bytes=100, aspect=(1, 1), backgrounds=("white",))
    assert failed(inspect(pictures.plain(mode="RGB", form="PNG"), rules)) == [
        "photo.too_many_bytes",
        "photo.wrong_format",
        "photo.too_small",
        "photo.wrong_aspect",
        "photo.too_blurred",
        "photo.wrong_background",
    ]


def test_a_rule_that_is_not_asked_is_not_reported() -> None:
    codes = {result.code for result in inspect(pictures.plain(), PhotoRules()).results}
    assert codes == {"photo.empty", "photo.too_many_bytes", "photo.wrong_format", "photo.wrong_colours"}


def test_a_blurred_photograph_is_refused_and_a_sharp_one_is_not() -> None:
    sharp, blurred = (inspect(paper_alone(id_front(), blur=blur), DOCUMENT) for blur in (0.0, 4.0))
    assert sharp.accepted
    result = only_failure(blurred)
    assert (result.code, result.limit) == ("photo.too_blurred", 60)
    assert isinstance(result.measured, float)
    assert result.measured < 60 < (sharp.sharpness or 0)


def test_a_larger_blurred_photograph_does_not_pass_for_a_sharp_one() -> None:
    near, far = (inspect(paper_alone(id_front(), size, blur=size[0] / 400), DOCUMENT) for size in (SMALL, (3200, 2016)))
    assert failed(near) == failed(far) == ["photo.too_blurred"]


def test_the_reflection_of_a_lamp_is_a_hint_and_refuses_nothing() -> None:
    plain, shining = (
        inspect(photograph(id_front(), Shot(size=SMALL, orientation=1, glare=glare)), DOCUMENT) for glare in (0.0, 0.12)
    )
    assert [hint.passed for hint in (*plain.hints, *shining.hints)] == [True, False]
    assert shining.hints[0].code == "photo.glare"
    assert shining.accepted


@pytest.mark.parametrize(
    ("colour", "asked", "accepted"),
    [
        ("#438edb", ("blue", "white"), True),
        ("#4a90d9", ("blue",), True),
        ("#ffffff", ("blue", "white"), True),
        ("#ffffff", ("light_blue",), False),
        ("#a06040", ("white", "white_grey", "blue"), False),
        ("#a06040", ("#a06040",), True),
    ],
)
def test_the_background_of_a_portrait_is_one_of_the_colours_asked_for(
    colour: str, asked: tuple[str, ...], accepted: bool
) -> None:
    portrait = Image.new("RGB", (295, 413), colour)
    portrait.paste((40, 40, 60), (40, 280, 255, 413))  # shoulders
    portrait.paste((230, 190, 160), (95, 90, 200, 300))  # a head
    report = inspect(pictures.jpeg(np.asarray(portrait)), PhotoRules(backgrounds=asked))
    assert report.accepted is accepted
    assert accepted or only_failure(report).code == "photo.wrong_background"


# --- the rules themselves ---------------------------------------------


@pytest.mark.parametrize(
    "asked", [{"formats": ("HEIC",)}, {"formats": ()}, {"backgrounds": ("pale",)}, {"backgrounds": ("#12345",)}]
)
def test_rules_that_nobody_can_measure_are_refused_when_the_book_is_read(asked: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match="are"):
        PhotoRules(**asked)  # type: ignore[arg-type]


def test_rules_are_read_from_a_book() -> None:
    asked = {"formats": ["JPEG"], "max_bytes": 51200, "aspect": [5, 7], "backgrounds": ["light_blue"]}
    rules = TypeAdapter(PhotoRules).validate_python(asked)
    assert rules == PhotoRules(("JPEG",), max_bytes=51200, aspect=(5, 7), backgrounds=("light_blue",))
