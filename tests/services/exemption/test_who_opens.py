"""Cycles are opened by the office whose book it is, by no lower and no foreign one (SX-E-14, SD-03, HB-03, SW-01)."""

from datetime import timedelta

import pytest

from services.exemption.domain.commands import FollowOrganisation
from shared.kernel.time import SHANGHAI
from tests.services.exemption.office import RECEIVER, SCHEME, code
from tests.services.exemption.sx_office import CENTRE, POINT, RESULTS_IN, SX, Shanxi

pytestmark = pytest.mark.servers

HUBEI = {"prior_education", "apply", "correct"}
FOREIGN = "exemption.organisation_of_another_jurisdiction"


@pytest.mark.parametrize(
    ("scheme", "purposes", "organisation", "role", "status", "refusal"),
    [
        (SX, {"apply"}, "sx-point-a", POINT, 403, "access.not_allowed"),
        (SX, {"apply"}, "sx-prov", POINT, 403, "access.not_allowed"),
        (SX, {"apply"}, "authority", RECEIVER, 422, FOREIGN),
        ("sd/exemption@1", {"apply", "graduation"}, "sx-prov", CENTRE, 422, FOREIGN),
        ("hb/recognition@1", HUBEI, "sx-prov", CENTRE, 422, FOREIGN),
        ("hb/recognition@1", HUBEI, "sx-point-a", POINT, 403, "access.not_allowed"),
    ],
)
async def test_a_lower_and_a_foreign_office_open_no_cycle_and_no_tile(
    sx: Shanxi, scheme: str, purposes: set[str], organisation: str, role: tuple[str, str], status: int, refusal: str
) -> None:
    sx.office.clock.now += timedelta(days=60)  # the cycle of this test is over
    day = sx.office.clock.now.astimezone(SHANGHAI).date()
    later = day + timedelta(days=RESULTS_IN)
    windows = {each: {"from_day": f"{day}", "to_day": f"{day}"} for each in purposes}
    if scheme == SX:
        windows["results"] = {"from_day": f"{later}", "to_day": f"{later}"}
    body = {"scheme": scheme, "organisation": organisation, "title": "私开批次", "windows": windows}
    assert code(await sx.office.staff("post", "/v1/cycles", role, json=body), status) == refusal
    assert await sx.tile("exemption") == (False, "未开放")


@pytest.mark.parametrize(
    ("organisation", "role"),
    [
        ("far-school", ("university_admin", "far-school")),
        ("far-point", ("university_admin", "far-school")),
        ("authority", ("administrator", "authority")),
        ("far-school", ("administrator", "*")),
    ],
)
async def test_another_school_and_the_authority_above_both_open_no_cycle_of_the_one_whose_book_it_is(
    sx: Shanxi, organisation: str, role: tuple[str, str]
) -> None:
    """SW-01: each school would bring its own teaching points."""
    for place, level, parent in (
        ("far-school", "university", "authority"),
        ("far-point", "teaching_point", "far-school"),
    ):
        told = FollowOrganisation(organisation=place, title=f"样本{place}", level=level, parent=parent, phones=())
        await sx.office.tell(told)
    day = sx.office.clock.now.astimezone(SHANGHAI).date()
    window = {"from_day": f"{day}", "to_day": f"{day + timedelta(days=9)}"}
    body = {"scheme": SCHEME, "organisation": organisation, "title": "外校批次", "windows": {"apply": window}}
    assert code(await sx.office.staff("post", "/v1/cycles", role, json=body), 422) == FOREIGN


async def test_who_may_not_open_it_neither_extends_nor_closes_it(sx: Shanxi) -> None:
    longer = {"purpose": "apply", "to_day": "2027-01-01", "reason": "系统维护"}
    for act, body in (("extend", longer), ("close", {"reason": "私自关闭"})):
        for role in (POINT, RECEIVER):
            answer = await sx.office.staff("post", f"/v1/cycles/{sx.cycle}/{act}", role, json=body)
            assert code(answer, 403) == "access.not_allowed"
