"""Which route may be used by whom: one row each, and what is made ready for it to be used on.

Called by `test_authorisation.py`, which asks each of them as everybody.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from services.identity.main import SCHEME
from services.notification.domain.commands import LearnContact, RequestMessage
from shared.kernel.messages import Command, Meta
from shared.testing.pictures import plain
from tests.contracts.authorising import CANDIDATES, SERVICES, STAFF, Asking, Desk, Row, at
from tests.contracts.verification_rows import verification_rows
from tests.services.exemption import office as exemptions
from tests.services.identity import people, schooling

FEED = {route: Row(SERVICES | {"auditor@*"}) for route in ("GET /v1/events", "GET /v1/events/head")}
ADMINISTRATORS_OF_A_POINT = at("administrator", "point-a", "swust", "authority", "*")
ADMINISTRATORS_OF_UNI = at("administrator", "swust", "authority", "*")
CLERKS = frozenset(caller for caller in STAFF if caller.split("@")[0] in SCHEME.clerks)
FIRST, FINAL = at("teaching_point_admin", "point-a", "*"), at("university_admin", "swust", "*")
RECEIVERS = at("authority_clerk", "authority", "*")
ANY_STAFF = STAFF | {"staff without a role"}


# --- identity


def identity_rows(  # noqa: C901 - a list
    office: people.Office, owner: people.Person, desk: Desk
) -> Mapping[str, Row]:
    async def done(path: str, body: Mapping[str, Any]) -> Any:
        headers = desk.web.as_staff("chief", ("administrator", "*"))
        answer = await desk.web.client.post(path, headers=headers, json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def new(prefix: str) -> str:
        return f"{prefix}{uuid4().hex[:8]}"

    async def colleague() -> str:
        body = {"login": new("c"), "name": "样本职员", "organisation": "point-a"}
        return str((await done("/v1/staff", body))["staff"])

    async def somebody_new() -> str:
        return await office.registered(people.Person())

    async def point() -> str:
        body = {"organisation": new("p"), "title": "样本助学点", "level": "teaching_point", "parent": "swust"}
        await done("/v1/organisations", body)
        return body["organisation"]

    async def own_password() -> Asking:
        return Asking(sent={"json": {"current": people.PASSWORD, "password": people.PASSWORD}})

    async def new_mobile() -> Asking:
        office.clock.move(seconds=61)
        return Asking(sent={"json": {"mobile": people.Person().mobile, **await office.captcha()}})

    async def mobile_code() -> Asking:
        answer = await desk.ask("POST /v1/me/mobile-codes", "owner", await new_mobile())
        assert answer.status_code == 202, answer.text
        return Asking(sent={"json": {"code": await office.sms_code(desk.owner)}})

    async def id_number() -> Asking:
        return Asking(sent={"json": {"id_number": owner.id_number}})

    async def seen() -> Asking:
        body = {"mobile": people.Person().mobile, "evidence": "身份证原件"}
        return Asking({"person": await somebody_new()}, {"json": body})

    async def erasing() -> Asking:
        return Asking({"person": await somebody_new()}, {"json": {"ground": "asked_by_person"}})

    async def adding() -> Asking:
        return Asking(sent={"json": {"login": new("a"), "name": "样本职员", "organisation": "point-a"}})

    async def of_colleague() -> Asking:
        return Asking({"person": await colleague()})

    role = {"role": "teaching_point_admin", "organisation": "point-a"}

    async def granting() -> Asking:
        return Asking({"person": await colleague()}, {"json": role})

    async def revoking() -> Asking:
        asking = await granting()
        await done(f"/v1/staff/{asking.path['person']}/roles", role)
        return asking

    async def founding() -> Asking:
        body = {"organisation": new("p"), "title": "样本助学点", "level": "teaching_point", "parent": "swust"}
        return Asking(sent={"json": body})

    async def renaming() -> Asking:
        return Asking({"organisation": await point()}, {"json": {"title": "样本新名"}})

    async def closing() -> Asking:
        return Asking({"organisation": await point()})

    async def of_owner() -> Asking:
        return Asking({"person": desk.owner})

    async def of_a_cycle() -> Asking:
        return Asking({"cycle": await schooling.open_cycle(office.service, date(2026, 12, 31))})

    async def starting() -> Asking:
        cycle = (await of_a_cycle()).path["cycle"]
        return Asking(sent={"json": {"cycle": cycle, "commitment": 1}})

    async def record() -> Asking:
        answer = await desk.ask("POST /v1/prior-educations", "owner", await starting())
        assert answer.status_code == 201, answer.text
        return Asking({"record": str(answer.json()["stream"]).removeprefix("education-")})

    async def typing() -> Asking:
        return replace(await record(), sent={"json": {"form": schooling.form()}})

    async def typed() -> Asking:
        asking = await typing()
        assert (await desk.ask("PUT /v1/prior-educations/{record}", "owner", asking)).status_code == 200
        return replace(asking, sent={})

    async def contradicted() -> Asking:
        record, request = await schooling.contradicted(office.service, await somebody_new())
        settlement = {"request": request, "seen": 2, "counts": 2, "note": "样本：以第二次反馈为准"}
        return Asking({"record": record}, {"json": settlement})

    async def shared() -> Asking:
        number, holders = schooling.number(), [await somebody_new() for _ in range(2)]
        first, _ = [await schooling.in_effect(office.service, each, number) for each in holders]
        return Asking({"record": first})

    async def looked_at() -> Asking:
        return replace(await contradicted(), sent={})

    return {
        "GET /v1/me": Row(frozenset({"owner", "candidate"})),
        **verification_rows(office, desk),
        "GET /v1/prior-education-cycles/{cycle}": Row(CANDIDATES, of_a_cycle),
        "GET /v1/prior-educations": Row(CANDIDATES),
        "POST /v1/prior-educations": Row(CANDIDATES, starting),
        "GET /v1/prior-educations/{record}": Row(frozenset({"owner"}), record),
        "PUT /v1/prior-educations/{record}": Row(frozenset({"owner"}), typing),
        "POST /v1/prior-educations/{record}/submit": Row(frozenset({"owner"}), typed),
        "POST /v1/prior-educations/{record}/take-back": Row(
            frozenset({"owner"}), typed, told="identity.education_cannot_be_taken_back"
        ),
        "GET /v1/contradicted-educations": Row(ANY_STAFF),
        "GET /v1/contradicted-educations/{record}": Row(at("authority_clerk", "*"), looked_at),
        "POST /v1/contradicted-educations/{record}/settlement": Row(at("authority_clerk", "*"), contradicted),
        "GET /v1/shared-diplomas": Row(ANY_STAFF),
        "GET /v1/shared-diplomas/{record}": Row(at("authority_clerk", "*"), shared),
        "POST /v1/me/password": Row(frozenset({"owner", "candidate"}), own_password),
        "POST /v1/me/mobile-codes": Row(CANDIDATES, new_mobile),
        "POST /v1/me/mobile": Row(frozenset({"owner"}), mobile_code, kept_out="identity.sms_code_expired"),
        "POST /v1/people/find": Row(CLERKS, id_number),
        "POST /v1/people/{person}/mobile": Row(CLERKS, seen),
        "POST /v1/people/{person}/erasure": Row(at("administrator", "*"), erasing),
        "GET /v1/staff": Row(frozenset(caller for caller in STAFF if caller.startswith("administrator@"))),
        "POST /v1/staff": Row(ADMINISTRATORS_OF_A_POINT, adding),
        "POST /v1/staff/{person}/activation": Row(ADMINISTRATORS_OF_A_POINT, of_colleague),
        "POST /v1/staff/{person}/roles": Row(ADMINISTRATORS_OF_A_POINT, granting),
        "POST /v1/staff/{person}/roles/revoke": Row(ADMINISTRATORS_OF_A_POINT, revoking),
        "POST /v1/organisations": Row(ADMINISTRATORS_OF_UNI, founding),
        "POST /v1/organisations/{organisation}/title": Row(ADMINISTRATORS_OF_UNI, renaming),
        "POST /v1/organisations/{organisation}/closure": Row(ADMINISTRATORS_OF_UNI, closing),
        "GET /v1/directory/people/{person}": Row(frozenset({"service"}), of_owner),
        "GET /v1/directory/staff/{person}": Row(SERVICES, of_colleague),
        **FEED,
    }


# --- exemption


def exemption_rows(  # noqa: C901 - a list
    office: exemptions.Office, owner: exemptions.Person, cycle: str
) -> Mapping[str, Row]:
    async def new_one() -> exemptions.Person:
        """A case of the owner's own each time: of one certificate there is only one, of photographs so many a day."""
        office.clock.now += timedelta(hours=1)
        return replace(owner, certificate_number=f"9990012023{uuid4().int % 10**10:010}")

    async def started() -> Asking:
        answer = await office.me(owner, "post", "/v1/applications", json={"cycle": cycle})
        return Asking({"application": str(answer.json()["id"])})

    async def saving() -> Asking:
        return replace(await started(), sent={"json": {"form": owner.form()}})

    async def drafted() -> Asking:
        return Asking({"application": await office.draft(await new_one(), cycle)})

    async def submitted() -> Asking:
        return Asking({"application": await office.submitted(await new_one(), cycle)})

    async def photographing() -> Asking:
        application = (await started()).path["application"]
        files = {"file": ("p.jpg", plain((320, 200)), "image/jpeg")}
        return Asking(sent={"data": {"application": application, "slot": "id_front"}, "files": files})

    async def looking_up() -> Asking:
        return Asking(sent={"json": {"number": owner.id_number}})

    async def passing() -> Asking:
        body = {"stage": "初审", "checklist": exemptions.checklist("初审")}
        return replace(await submitted(), sent={"json": body})

    async def passing_the_second() -> Asking:
        asking = await submitted()
        answer = await office.passed(asking.path["application"], "初审", exemptions.CLERK)
        assert answer.status_code == 200, answer.text
        return replace(asking, sent={"json": {"stage": "复核", "checklist": exemptions.checklist("复核")}})

    async def returning() -> Asking:
        body = {"stage": "初审", "reason_code": "id_front_unclear", "note": "请重拍"}
        return replace(await submitted(), sent={"json": body})

    async def refusing() -> Asking:
        body = {"stage": "初审", "reason_code": "not_eligible", "note": "不符合规定"}
        return replace(await submitted(), sent={"json": body})

    async def unlocking() -> Asking:
        body = {"seen": {"id_card": True}, "reason_code": "wrong_material", "note": "本人到场"}
        return replace(await submitted(), sent={"json": body})

    async def releasing() -> Asking:
        body = {"seen": {"ticket": True}, "reason_code": "not_theirs", "note": "见准考证原件"}
        return replace(await submitted(), sent={"json": body})

    async def revoking() -> Asking:
        return replace(await granted(), sent={"json": {"reason_code": "not_in_plan", "note": "见文件"}})

    async def granted() -> Asking:
        return Asking({"application": await office.granted(await new_one(), cycle)})

    async def pictured() -> Asking:
        application = (await submitted()).path["application"]
        shown = (await office.me(owner, "get", f"/v1/applications/{application}")).json()
        return Asking({"upload": shown["photos"][0]["upload"]})

    async def opening() -> Asking:
        window = {"from_day": "2026-03-01", "to_day": "2026-06-30"}
        body = {"scheme": exemptions.SCHEME, "organisation": "swust", "title": "测试批次", "windows": {"apply": window}}
        return Asking(sent={"json": body})

    async def extending() -> Asking:
        body = {"purpose": "apply", "to_day": "2026-12-30", "reason": "系统维护"}
        return Asking({"cycle": await office.open_cycle()}, {"json": body})

    async def closing() -> Asking:
        return Asking({"cycle": await office.open_cycle()}, {"json": {"reason": "提前结束"}})

    async def one_cycle() -> Asking:
        return Asking({"cycle": cycle})

    async def handing_off() -> Asking:
        application = (await granted()).path["application"]
        return Asking(sent={"json": {"cycle": cycle, "applications": [application]}})

    async def handed_off() -> Asking:
        answer = await office.staff("post", "/v1/batches", exemptions.DEAN, **(await handing_off()).sent)
        assert answer.status_code == 201, answer.text
        return Asking({"batch": str(answer.json()["id"])}, {"json": {"reference": "考2026-1"}})

    async def exported() -> Asking:
        return Asking((await handed_off()).path)

    openers = at("university_admin", "swust", "authority", "*") | ADMINISTRATORS_OF_UNI
    own = frozenset({"owner"})
    return {
        "POST /v1/applications": Row(CANDIDATES, opening_of(cycle)),
        "GET /v1/applications": Row(CANDIDATES),
        "GET /v1/applications/{application}": Row(own | FIRST, submitted),
        "PUT /v1/applications/{application}/draft": Row(own, saving),
        "POST /v1/applications/{application}/submit": Row(own, drafted),
        "POST /v1/applications/{application}/discard": Row(own, drafted),
        "GET /v1/applications/{application}/offers": Row(own, started),
        "POST /v1/applications/{application}/verdict": Row(own, drafted),
        "GET /v1/applications/{application}/receipt": Row(own, submitted, told="exemption.no_receipt"),
        "GET /v1/applications/{application}/receipt-document": Row(own, submitted, told="exemption.no_receipt"),
        "GET /v1/applications/{application}/form-document": Row(own, drafted, told="exemption.no_form_document"),
        "POST /v1/uploads": Row(own, photographing, told="exemption.photo_refused"),
        "POST /v1/uploads/crop": Row(own, photographing, told="exemption.nothing_to_crop"),
        "GET /v1/uploads/{upload}/picture": Row(own | FIRST, pictured),
        "GET /v1/work": Row(ANY_STAFF),
        "POST /v1/applications/find": Row(ANY_STAFF, looking_up),
        "POST /v1/applications/{application}/pass": Row(FIRST, passing),
        "POST /v1/applications/{application}/pass second": Row(
            FINAL, passing_the_second, kept_out="exemption.not_your_stage"
        ),
        "POST /v1/applications/{application}/return": Row(FIRST, returning),
        "POST /v1/applications/{application}/refuse": Row(FIRST, refusing, told="exemption.no_such_outcome"),
        "POST /v1/applications/{application}/unlock": Row(
            FIRST, unlocking, told="exemption.no_unlocking", kept_out="exemption.no_unlocking"
        ),
        "POST /v1/applications/{application}/release-ticket": Row(
            FIRST, releasing, told="exemption.no_ticket_release", kept_out="exemption.no_ticket_release"
        ),
        "POST /v1/applications/{application}/revoke": Row(
            FINAL, revoking, told="exemption.no_revocation", kept_out="exemption.no_revocation"
        ),
        "POST /v1/applications/{application}/record-table": Row(FINAL, granted),
        "POST /v1/cycles": Row(openers, opening),
        "POST /v1/cycles/{cycle}/extend": Row(openers, extending),
        "POST /v1/cycles/{cycle}/close": Row(openers, closing),
        "GET /v1/cycles/{cycle}/history": Row(openers, one_cycle),
        "GET /v1/batches": Row(ANY_STAFF),
        "POST /v1/batches": Row(FINAL, handing_off, kept_out="exemption.not_granted"),
        "POST /v1/batches/{batch}/acknowledge": Row(RECEIVERS, handed_off),
        "GET /v1/batches/{batch}/export": Row(FINAL | RECEIVERS, exported),
        **FEED,
    }


def opening_of(cycle: str) -> Any:
    async def made() -> Asking:
        return Asking(sent={"json": {"cycle": cycle}})

    return made


# --- notification


def notification_rows(desk: Desk) -> Mapping[str, Row]:
    async def told() -> Asking:
        case = f"case-{uuid4()}"
        learning = LearnContact(
            mobile="13900000001",
            given_at=desk.web.clock(),
            origin="application",
            case=case,
            scheme=exemptions.SCHEME,
            organisations=("point-a", "swust"),
        )
        for command in (learning, RequestMessage(moment="exemption.granted", facts={})):
            receipt = await _handled(desk, command, case)
        return Asking({"message": receipt.split("-", 1)[1], "case": case})

    own = frozenset({"owner"})
    reviewing = frozenset(caller for caller in STAFF if caller.split("@")[1] in ("point-a", "swust", "*"))
    return {
        "GET /v1/inbox": Row(CANDIDATES),
        "POST /v1/inbox/{message}/read": Row(own, told),
        "POST /v1/messages/{message}/resend": Row(own, told, told="notification.still_sending"),
        "GET /v1/cases/{case}/messages": Row(reviewing | SERVICES, told),
        **FEED,
    }


async def _handled(desk: Desk, command: Command, case: str) -> str:
    meta = Meta(command_id=uuid4(), actor="exemption", at=desk.web.clock(), case=case, person=desk.owner)
    return (await desk.web.service.handle(command, meta)).stream
