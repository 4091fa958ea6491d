"""Photographs over HTTP with the real workers: what is kept, what is refused, and what OCR hints at (SW-06..SW-12)."""

import asyncio
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from services.exemption.main import BOOKS
from shared.testing.pictures import (
    IdCard,
    Shot,
    SkillCertificate,
    bomb_png,
    certificate,
    html_with_jpeg_head,
    id_back,
    id_front,
    photograph,
    plain,
    truncated,
)
from tests.full_disk import our_files_at_most
from tests.services.exemption.office import CLERK, SCHEME, Office, Person, code
from tests.shared.runtime.web import Logged, logged

pytestmark = pytest.mark.servers
__all__ = ["logged"]

CARD = IdCard()
SMALLER = (2000, 1500)


async def upload(
    office: Office, who: Person, application: str, slot: str, data: bytes, name: str = "p.jpg", **more: Any
) -> httpx.Response:
    return await office.me(
        who,
        "post",
        "/v1/uploads",
        data={"application": application, "slot": slot},
        files={"file": (name, data, "image/jpeg")},
        **more,
    )


def blobs_of(office: Office) -> set[Path]:
    return {path for path in Path(office.web.service.settings.blobs).rglob("*") if path.is_file()}


async def started(office: Office, who: Person) -> str:
    answer = await office.me(who, "post", "/v1/applications", json={"cycle": await office.open_cycle()})
    application = str(answer.json()["id"])
    saved = await office.me(who, "put", f"/v1/applications/{application}/draft", json={"form": who.form()})
    assert saved.status_code == 200, saved.text
    return application


async def test_a_phone_picture_is_cropped_kept_and_compared_with_what_was_typed(office: Office) -> None:
    who = await office.somebody("李小明", id_number=CARD.number)
    application = await started(office, who)
    original = photograph(id_front(CARD), Shot(orientation=6, size=SMALLER, share=0.5))
    answer = await upload(office, who, application, "id_front", original)
    assert answer.status_code == 201, answer.text
    kept = answer.json()
    assert kept["cropped"] is True
    assert all(result["passed"] for result in kept["results"])
    compared = {each["field"]: each for each in kept["agreement"]}
    assert compared["id_number"]["verdict"] == "agrees"
    assert compared["name"]["verdict"] == "differs"
    assert compared["name"]["differences"] == [{"position": 1, "typed": "小", "read": "晓"}]
    path = f"/v1/uploads/{kept['id']}/picture"
    assert (await office.me(who, "get", path, params={"original": "true"})).content == original
    picture = await office.me(who, "get", path)
    assert picture.content.startswith(b"\xff\xd8")
    assert picture.content != original
    with Image.open(io.BytesIO(picture.content)) as shown:
        assert max(shown.size) > 1000  # of a card that fills half of 2000 pixels
    assert b"Exif" not in picture.content


async def test_a_certificate_agrees_although_it_prints_its_name_another_way(office: Office) -> None:
    paper = SkillCertificate()
    who = await office.somebody(paper.name, id_number=paper.id_number, certificate_number=paper.number)
    application = await started(office, who)
    data = photograph(certificate(paper), Shot(orientation=1, size=SMALLER, share=0.7))
    answer = await upload(office, who, application, "certificate_photo", data)
    assert answer.status_code == 201, answer.text
    verdicts = {each["field"]: each["verdict"] for each in answer.json()["agreement"]}
    assert verdicts == dict.fromkeys(["name", "certificate", "certificate_number", "valid_until"], "agrees")


async def test_every_failed_rule_is_told_with_what_was_measured_and_nothing_is_kept(office: Office) -> None:
    who = await office.somebody()
    application = await started(office, who)
    answer = await upload(office, who, application, "id_front", plain((320, 200)))
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "exemption.photo_refused"
    failed = {each["code"]: each for each in problem["facts"]["failed"]}
    assert {"photo.too_small", "photo.too_blurred"} <= set(failed)
    assert failed["photo.too_small"]["measured"] == [320, 200]
    assert failed["photo.too_small"]["zh"]
    assert "仅保留有效内容" in problem["facts"]["hint"]
    async with office.web.service.reading() as connection:
        assert await connection.fetchval("select count(*) from uploads where application = $1", application) == 0


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "photo.empty"),
        (html_with_jpeg_head(), "photo.unreadable"),
        (truncated(plain((900, 700))), "photo.unreadable"),
        (plain((900, 700), form="GIF"), "photo.wrong_format"),
        (plain((900, 700), mode="CMYK"), "photo.wrong_colours"),
        (bomb_png(), "photo.too_many_pixels"),
    ],
    ids=["empty", "html", "truncated", "gif", "cmyk", "bomb"],
)
async def test_bad_files_are_refused_by_their_content(office: Office, data: bytes, code: str) -> None:
    who = await office.somebody()
    answer = await upload(office, who, await started(office, who), "id_front", data, "../../etc/passwd.jpg")
    assert answer.status_code == 422, answer.text
    assert code in [each["code"] for each in answer.json()["facts"]["failed"]]
    assert "passwd" not in answer.text


async def test_30_megabytes_are_refused_before_they_are_looked_at(office: Office) -> None:
    who = await office.somebody()
    answer = await upload(office, who, await started(office, who), "id_front", b"\xff\xd8" + bytes(30 * 1024 * 1024))
    assert answer.status_code == 413
    assert answer.json()["code"] == "request.too_large"


async def test_so_many_photographs_a_day_are_looked_at_and_no_more_until_tomorrow(office: Office) -> None:
    who = await office.somebody()
    application = await started(office, who)
    most = BOOKS.rules(SCHEME).book.photos_a_day.most
    for _ in range(most - 1):
        await office.photograph(who, application, "id_back")
    headers = {"Idempotency-Key": "the last of the day".replace(" ", "-")}
    data = {"application": application, "slot": "id_back"}

    async def once_more(**more: Any) -> httpx.Response:
        return await office.me(
            who, "post", "/v1/uploads", data=data, files={"file": ("p.jpg", b"no picture", "image/jpeg")}, **more
        )

    last = await once_more(headers=headers)
    assert last.json()["code"] == "exemption.photo_refused"  # it counts as well: it was looked at
    late = await once_more()
    assert code(late, 429) == "exemption.too_many_photographs"
    assert late.json()["facts"]["most"] == most
    again = await once_more(headers=headers)
    assert again.json()["code"] == "exemption.photo_refused"  # the same request gets the same answer
    front = await upload(office, who, application, "id_front", b"no picture")
    assert front.json()["code"] == "exemption.photo_refused"
    elsewhere = await office.somebody()
    assert (await upload(office, elsewhere, await started(office, elsewhere), "id_back", b"x")).status_code == 422
    before = office.clock.now
    try:
        office.clock.now = before + timedelta(days=1)
        assert (await once_more()).json()["code"] == "exemption.photo_refused"
    finally:
        office.clock.now = before


async def test_of_many_photographs_sent_at_once_no_more_than_allowed_are_taken(office: Office) -> None:
    who = await office.somebody()
    application = await started(office, who)
    most = BOOKS.rules(SCHEME).book.photos_a_day.most
    for _ in range(most - 2):
        await office.photograph(who, application, "id_back")
    answers = await asyncio.gather(*(upload(office, who, application, "id_back", b"%d" % n) for n in range(5)))
    assert sorted(answer.status_code for answer in answers) == [422, 422, 429, 429, 429]


async def test_nobody_uploads_into_the_application_of_another_or_after_submission(office: Office) -> None:
    who, other = await office.somebody(), await office.somebody()
    application = await started(office, who)
    nothing = "00000000-0000-4000-8000-000000000000"
    answers = [await upload(office, other, each, "id_front", plain()) for each in (application, nothing)]
    assert answers[0].status_code == 404
    assert answers[0].json() == answers[1].json()
    staff = await office.staff(
        "post", "/v1/uploads", CLERK, data={"application": application, "slot": "id_front"}, files={"file": b"x"}
    )
    assert staff.status_code == 403
    unknown: Any = await upload(office, who, application, "passport", plain())
    assert unknown.json()["code"] == "exemption.unknown_slot"
    sent = await office.submitted(who, await office.open_cycle())
    late = await upload(office, who, sent, "id_front", plain())
    assert late.json()["code"] == "exemption.already_submitted"


@pytest.mark.parametrize("field", ["application", "slot"])
@pytest.mark.parametrize("typed", ["\0", "id_front\0", "' or 1=1 --", "../id_front", "x" * 41, ""])
async def test_what_is_typed_beside_a_file_is_checked_like_everything_else(
    office: Office, field: str, typed: str
) -> None:
    who = await office.somebody()
    named = {"application": await started(office, who), "slot": "id_front", field: typed}
    answer = await office.me(who, "post", "/v1/uploads", data=named, files={"file": ("p.jpg", b"x", "image/jpeg")})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] in ("request.invalid", "exemption.unknown_slot")
    assert typed not in answer.text or not typed


async def test_with_the_folder_of_blobs_full_an_upload_is_refused_and_the_same_one_is_taken_when_there_is_room(
    office: Office, logged: Logged
) -> None:
    who = await office.somebody()
    application = await started(office, who)
    data = photograph(id_back(CARD), Shot(orientation=1, size=SMALLER, share=0.7))
    kept = blobs_of(office)
    same = {"Idempotency-Key": "the-same-upload"}
    with our_files_at_most(len(data) // 2):
        answer = await upload(office, who, application, "id_back", data, headers=same)
        assert code(answer, 503) == "service.unavailable"
        assert int(answer.headers["retry-after"]) > 0
    assert [line["event"] for line in logged() if line["level"] == "error"] == ["service.fault"]
    assert blobs_of(office) == kept
    mine = "select count(*) from uploads where owner = $1"
    assert await office.web.service.pool.fetchval(mine, who.id) == 0
    answer = await upload(office, who, application, "id_back", data, headers=same)
    assert answer.status_code == 201, answer.text
    assert await office.web.service.pool.fetchval(mine, who.id) == 1
    assert len(blobs_of(office)) == len(kept) + 2
