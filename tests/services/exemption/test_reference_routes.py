"""Courses and majors over HTTP, for everybody: found by what is typed, listed as the jurisdiction lists them."""

from typing import Any

import httpx
import pytest

from tests.services.exemption.office import Office, code

pytestmark = pytest.mark.servers


async def get(office: Office, path: str, **query: Any) -> httpx.Response:
    return await office.web.client.get(f"/v1/{path}", params=query)


async def test_a_course_is_found_by_an_alias_and_answered_with_its_official_name(office: Office) -> None:
    answer = await get(office, "courses", q="计算机基础")
    assert answer.status_code == 200, answer.text
    assert answer.json()["items"][0] == {
        "code": "00018",
        "name": "计算机应用基础",
        "aliases": ["计算机基础"],
        "kind": "theory",
        "credits": None,
        "twin": "00019",
        "found_by": "alias",
        "matched": "计算机基础",
    }


async def test_a_course_is_found_by_code_and_name_in_either_width_and_at_most_so_many(office: Office) -> None:
    for typed, by in (("１３０００", "code"), ("英语(专升本)", "name"), ("英语（专升本）", "name"), ("130", "prefix")):
        best = (await get(office, "courses", q=typed)).json()["items"][0]
        assert (best["code"], best["name"], best["credits"], best["found_by"]) == ("13000", "英语（专升本）", 7, by)
    assert len((await get(office, "courses", q="学")).json()["items"]) > 3
    assert len((await get(office, "courses", q="学", limit=3)).json()["items"]) == 3
    assert (await get(office, "courses", q="炼金术")).json() == {"items": []}


@pytest.mark.parametrize(
    "query",
    [{}, {"q": ""}, {"q": "学" * 61}, {"q": "学", "limit": 0}, {"q": "学", "limit": 101}, {"q": "学", "limit": "many"}],
)
async def test_a_search_without_measure_is_refused_and_not_repeated(office: Office, query: dict[str, Any]) -> None:
    answer = await get(office, "courses", **query)
    assert code(answer, 422) == "request.invalid"
    assert "学" * 61 not in answer.text


async def test_majors_are_listed_by_level_with_their_headings_and_the_closing_one_is_marked(office: Office) -> None:
    listed = (await get(office, "majors", jurisdiction="sx")).json()["items"]
    assert [each["level"] for each in listed] == ["专科"] * 7 + ["本科"] * 28
    assert listed[0] == {
        "level": "专科",
        "heading": "专科面向社会开考专业",
        "code": "030112",
        "name": "法律",
        "closing": False,
        "shown_as": None,
    }
    assert [each["code"] for each in listed if each["closing"]] == ["040112"]
    assert len({(each["level"], each["code"]) for each in listed}) == 35
    assert [each["code"] for each in listed if each["name"] == "法律"] == ["030112", "030106"]


@pytest.mark.parametrize("place", ["swust", "nowhere", "../sx", ""])
async def test_a_jurisdiction_without_majors_is_told_so(office: Office, place: str) -> None:
    assert code(await get(office, "majors", jurisdiction=place), 404) == "exemption.no_majors_listed"


async def test_both_are_described_with_what_they_answer(office: Office) -> None:
    paths = office.web.app.openapi()["paths"]
    search, listing = paths["/v1/courses"]["get"], paths["/v1/majors"]["get"]
    assert {each["name"]: each["required"] for each in search["parameters"]} == {"q": True, "limit": False}
    assert "exemption.no_majors_listed" in listing["responses"]["404"]["description"]
    assert "404" not in search["responses"]
    assert not search.get("security")
    assert not listing.get("security")
