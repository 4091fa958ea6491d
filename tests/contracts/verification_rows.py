"""Which route of 身份认证 may be used by whom: rows of the table that `authorisation_rows.py` makes."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from services.identity.domain.commands import ReceivePersonPhotograph, StartVerification, SubmitPhotographs
from shared.kernel.messages import Command, Meta
from shared.testing.pictures import plain
from tests.contracts.authorising import CANDIDATES, STAFF, Asking, Desk, Row, at
from tests.services.identity import people
from tests.services.identity.photographed import ALL_SAME, BOOK, THREE

COUNTY = "county-a"


def verification_rows(office: people.Office, desk: Desk) -> Mapping[str, Row]:  # noqa: C901 - a list
    async def offices() -> None:
        headers = desk.web.as_staff("chief", ("administrator", "*"))
        for code, level, parent in (("sx-prov", "province", None), (COUNTY, "county", "sx-prov")):
            body = {"organisation": code, "title": "样本机构", "level": level, "parent": parent}
            answer = await desk.web.client.post("/v1/organisations", headers={**headers, **_key()}, json=body)
            assert answer.status_code in (201, 409), answer.text

    async def handled(person: str, *commands: Command) -> None:
        for command in commands:
            meta = Meta(command_id=uuid4(), actor=person, at=office.clock())
            await desk.web.service.handle(command, meta)

    def begun(person: str) -> StartVerification:
        return StartVerification(person=person, book=BOOK, route="new_candidate", organisation=COUNTY)

    async def both_begun() -> None:
        await offices()
        for person in (desk.owner, desk.candidate):
            await handled(person, begun(person))

    async def starting() -> Asking:
        await offices()
        return Asking(sent={"json": {"jurisdiction": "sx", "route": "new_candidate", "organisation": COUNTY}})

    async def uploading() -> Asking:
        await both_begun()
        files = {"file": ("p.jpg", plain((64, 48)), "image/jpeg")}
        return Asking(sent={"data": {"slot": "portrait"}, "files": files})

    async def empty() -> Asking:
        await both_begun()
        return Asking({"slot": "portrait"})

    async def waiting(sent: Mapping[str, Any] | None = None) -> Asking:
        await offices()
        person = await office.registered(people.Person())
        kept = [await desk.web.service.blobs.put(person, plain((64, 48)), "image/jpeg") for _ in range(6)]
        photographs = [
            ReceivePersonPhotograph(
                person=person,
                slot=slot,
                accepted=True,
                results=(),
                original=original.id,
                original_type=original.content_type,
                original_digest=original.digest,
                picture=picture.id,
                picture_digest=picture.digest,
            )
            for slot, original, picture in zip(THREE, kept[:3], kept[3:], strict=True)
        ]
        await handled(person, begun(person), *photographs, SubmitPhotographs(person=person))
        return Asking({"person": person, "slot": "portrait"}, sent or {})

    async def passing() -> Asking:
        return await waiting({"json": {"attempt": 1, "pairs": ALL_SAME}})

    async def failing() -> Asking:
        return await waiting({"json": {"attempt": 1, "reason": "not_one_person", "note": ""}})

    async def seeing() -> Asking:
        seen = {"jurisdiction": "sx", "organisation": COUNTY, "documents": ["id_card"], "evidence": "见本人"}
        return await waiting({"json": seen})

    async def of_a_place() -> Asking:
        return Asking(sent={"params": {"jurisdiction": "sx"}})

    async def telling() -> Asking:
        return Asking(sent={"json": {"jurisdiction": "sx", "form": {"occupation": "样本职业"}}})

    clerks = at("authority_clerk", "*")
    return {
        "GET /v1/me/personal-centre": Row(CANDIDATES, of_a_place),
        "PUT /v1/me/personal-centre": Row(CANDIDATES, telling),
        "GET /v1/me/personal-centre/photograph": Row(CANDIDATES, of_a_place, told="access.not_found"),
        "GET /v1/me/verification": Row(CANDIDATES),
        "POST /v1/me/verification": Row(CANDIDATES, starting),
        "POST /v1/me/verification/photographs": Row(CANDIDATES, uploading, told="identity.photo_refused"),
        "POST /v1/me/verification/submit": Row(CANDIDATES, empty, told="identity.photographs_missing"),
        "GET /v1/me/verification/photographs/{slot}": Row(CANDIDATES, empty, told="access.not_found"),
        "GET /v1/verifications": Row(STAFF | {"staff without a role"}),
        "GET /v1/verifications/{person}": Row(clerks, waiting),
        "GET /v1/verifications/{person}/photographs/{slot}": Row(clerks, waiting),
        "POST /v1/verifications/{person}/pass": Row(clerks, passing),
        "POST /v1/verifications/{person}/fail": Row(clerks, failing),
        "POST /v1/people/{person}/verification": Row(clerks, seeing),
    }


def _key() -> Mapping[str, str]:
    return {"Idempotency-Key": str(uuid4())}
