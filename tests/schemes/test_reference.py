"""Reference data: what the sources list is there, whole, and bad data is refused with file, line, field and law."""

import shutil
from collections import Counter
from datetime import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.schemes import app, faults
from ops.schemes.sealing import broken_seals
from shared.schemes.catalog import BOOKS, REFERENCE, BadBook, Catalog
from shared.schemes.reference import ServiceHours

REAL = Catalog.load().reference


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A copy of the real shelf, to spoil."""
    return Path(shutil.copytree(BOOKS, tmp_path / "books"))


def spoil(shelf: Path, file: str, old: str, new: str) -> int:
    """Replaces the first `old` and returns its line."""
    text = (shelf / file).read_text("utf-8")
    assert old in text
    (shelf / file).write_text(text.replace(old, new, 1), "utf-8")
    return text[: text.index(old)].count("\n") + 1


def refused(shelf: Path) -> list[str]:
    with pytest.raises(BadBook) as bad:
        Catalog.load(shelf)
    return bad.value.faults


# --- what the sources list


def test_the_annexs_seventeen_offices_have_their_twenty_numbers() -> None:
    listed = REAL.organisations["sd"].organisations
    assert Counter(each.level for each in listed) == {"province": 1, "city": 16}
    numbers = [phone for each in listed for phone in each.phones]
    assert (len(numbers), len(set(numbers))) == (20, 20)
    assert {each.name for each in listed if len(each.phones) == 2} == {"济南", "德州", "菏泽"}
    assert all(each.phones for each in listed)
    assert {each.parent for each in listed if each.level == "city"} == {"sd-prov"}
    second = REAL.organisations["sd"].get("sd-dezhou")
    assert second is not None
    assert second.phones == ("0534-2311817", "0534-2388603")  # printed without its prefix


def test_the_technical_support_answers_on_working_days_and_after_holidays() -> None:
    (support,) = REAL.organisations["sd"].support
    assert (support.phones, support.qq_group) == (("0531-68866385",), "1128118036")
    assert support.hours == ServiceHours(
        days="working_days", daily=((time(8, 30), time(11, 30)),), on_holidays="postponed"
    )


def test_organisations_have_one_id_in_the_whole_platform() -> None:
    ids = Counter(each.id for listed in REAL.organisations.values() for each in listed.organisations)
    assert {each for each, times in ids.items() if times > 1} == set()
    assert set(REAL.organisations) == {"sd", "sx", "hb", "swust"}
    county = REAL.organisations["sx"].get("sx-xiaodian")
    assert county is not None
    assert (county.name, county.parent) == ("太原市小店区招办", "sx-prov")


def test_seven_and_twenty_eight_majors_are_known_by_level_and_code_and_not_by_name() -> None:
    majors = REAL.majors["sx"]
    assert Counter(each.level for each in majors.majors) == {"专科": 7, "本科": 28}
    names = Counter(each.name for each in majors.majors)
    twice = {each for each, times in names.items() if times == 2}
    assert twice == {"法律", "汉语言文学", "会计", "市场营销", "新闻学", "学前教育"}
    for name in twice:
        assert len({each.code for each in majors.majors if each.name == name}) == 2
    law = majors.get("本科", "030106")
    assert law is not None
    assert law.name == "法律"
    assert majors.get("专科", "030106") is None
    assert majors.heading("专科") == "专科面向社会开考专业"


def test_one_major_is_closing_and_one_name_was_cut_off_by_the_screen() -> None:
    majors = REAL.majors["sx"].majors
    assert [(each.code, each.name) for each in majors if each.closing] == [("040112", "小学教育")]
    assert [(each.name, each.shown_as) for each in majors if each.shown_as] == [
        ("土木工程(建筑工程)", "土木工程(建筑工...)")
    ]


def test_the_ethnic_groups_are_fifty_six_and_each_list_is_as_long_as_its_standard_or_its_use() -> None:
    lists = REAL.code_lists.lists
    groups = lists["gbt3304"].entries
    assert list(groups) == [f"{number:02}" for number in range(1, 57)]
    assert len(set(groups.values())) == 56
    assert (groups["01"], groups["11"], groups["36"], groups["56"]) == ("汉族", "满族", "毛南族", "基诺族")
    assert not set(lists["gbt3304_extra"].entries) & set(groups)
    assert {name: len(each.entries) for name, each in lists.items()} == {
        "gbt3304": 56,
        "gbt3304_extra": 2,
        "gbt4762": 13,
        "gbt4658": 24,
        "gbt2261_1": 4,
        "gbt2261_3": 4,
        "gbt2261_5": 4,
        "gbt2260": 34 + 17 + 1 + 136,
    }


def test_areas_stand_in_a_tree_of_provinces_cities_and_districts() -> None:
    areas = REAL.code_lists.lists["gbt2260"]
    assert (areas.entries["370102"], areas.above("370102"), areas.above("370100"), areas.above("370000")) == (
        "历下区", "370100", "370000", None,
    )  # fmt: skip
    assert sum(areas.above(each) is None for each in areas.entries) == 34
    assert sum(areas.above(each) == "370000" for each in areas.entries) == 16
    assert sum((areas.above(each) or "").startswith("37") for each in areas.entries) == 16 + 136
    assert REAL.code_lists.lists["gbt3304"].above("10") is None


def test_certificates_have_their_levels_lowest_first_and_their_modules() -> None:
    levels = {each.id: [level.id for level in each.levels] for each in REAL.certificates.certificates}
    assert levels == {
        "diploma": [],
        "pets": ["1", "2", "3", "4", "5"],
        "ncre": ["1", "2", "3", "4"],
        "nit": [],
        "cet": ["4", "6"],
        "x1": ["初级", "中级", "高级"],
    }
    nit, cet = REAL.certificates.get("nit"), REAL.certificates.get("cet")
    assert nit is not None
    assert len(nit.modules) == 12
    assert nit.modules[:2] == ("管理系统中信息技术的应用", "计算机应用基础")
    assert cet is not None
    assert cet.evidence == ("证书", "成绩单")
    assert REAL.certificates.get("flying") is None


def test_every_entry_says_where_it_comes_from_and_assumptions_are_counted() -> None:
    listed = [
        *REAL.courses.courses,
        *REAL.certificates.certificates,
        *REAL.code_lists.lists.values(),
        *(each for place in REAL.organisations.values() for each in (*place.organisations, *place.support)),
        *(each for place in REAL.majors.values() for each in place.majors),
    ]
    assert len(listed) > 100
    assert all(each.source for each in listed)
    assert REAL.assumptions() > 0


# --- bad data

COURSES, CERTIFICATES, LISTS = (f"platform/{part}.yaml" for part in ("courses", "certificates", "code_lists"))
OFFICES, MAJORS = "sd/organisations.yaml", "sx/majors.yaml"
PATTERN = "String should match pattern"
HOURS = '["08:30", "11:30"]'


@pytest.mark.parametrize(
    ("file", "old", "new", "field", "law"),
    [
        (COURSES, 'code: "00019"', 'code: "00018"', "courses.2.code", "00018 stands twice"),
        (COURSES, 'code: "00015"', 'code: "0015"', "courses.0.code", PATTERN),
        (COURSES, "credits: 2", "credits: 0", "courses.5.credits", "greater than or equal to 1"),
        (COURSES, "kind: politics", "kind: politic", "courses.5.kind", "Input should be 'theory'"),
        (COURSES, "    twin:", "    pair:", "courses.1.pair", "unknown word"),
        (COURSES, 'twin: "00019"', 'twin: "99999"', "courses.1.twin", "no such course: 99999"),
        (COURSES, 'twin: "00019"', 'twin: "00052"', "courses.1.twin", "00052 does not name 00018 as its twin"),
        (COURSES, "[中国近代史纲要]", "[计算机基础]", "courses.5.aliases.0", "计算机基础 also means 00018"),
        (COURSES, "[中国近代史纲要]", "[公共政策]", "courses.5.aliases.0", "公共政策 also means 00318"),
        (COURSES, "[中国近代史纲要]", "[中国近现代史 纲要]", "courses.5.aliases.0", "says nothing new"),
        (CERTIFICATES, "id: ncre", "id: pets", "certificates.2.id", "pets stands twice"),
        (CERTIFICATES, "全国计算机等级考试(NCRE)", "学历证书", "certificates.2.name", "学历证书 stands twice"),
        (CERTIFICATES, 'id: "2"', 'id: "1"', "certificates.1.levels.1.id", "1 stands twice"),
        (CERTIFICATES, "- 局域网", "- 文字处理", "certificates.3.modules.11", "文字处理 stands twice"),
        (LISTS, '"33": 羌族', '"32": 羌族', "", "32 stands twice"),
        (LISTS, '"33": 羌族', '"033": 羌族', "lists.gbt3304.entries.033", "longer or shorter"),
        (LISTS, '"370100"', '"380100"', "lists.gbt2260.entries.380100", "the entry above it is missing: 380000"),
        (OFFICES, "id: sd-zibo", "id: sd-jinan", "organisations.3.id", "sd-jinan stands twice"),
        (OFFICES, "0531-86111577", "86111577", "organisations.1.phones.1", PATTERN),
        (OFFICES, "0531-86111577", "0531-86111580", "organisations.1.phones", "a number stands twice"),
        (OFFICES, "level: city", "level: village", "organisations.1.level", "no such level: village"),
        (OFFICES, "parent: sd-prov", "parent: sd-moon", "organisations.1.parent", "no such organisation: sd-moon"),
        (OFFICES, "parent: sd-prov", "parent: sd-zibo", "organisations.1.parent", "does not stand above a city"),
        (OFFICES, 'area: "370100"', 'area: "370101"', "organisations.1.area", "no such area: 370101"),
        (OFFICES, HOURS, '["11:30", "08:30"]', "support.0.hours", "hours must end after they start"),
        (OFFICES, HOURS, f'{HOURS}, ["11:00", "12:00"]', "support.0.hours", "before the next ones"),
        (OFFICES, '"1128118036"', "群号", "support.0.qq_group", PATTERN),
        (OFFICES, "[province, city]", "[province, city, city]", "levels.2", "city stands twice"),
        (OFFICES, "site: http:", "site: gopher:", "organisations.0.site", PATTERN),
        (MAJORS, 'code: "030106"', 'code: "080109"', "majors.8.code", "本科 080109 stands twice"),
        (MAJORS, 'code: "030106"', "code: 30106", "majors.8.code", "as text, in quotes"),
        (MAJORS, "level: 专科", "level: 硕士", "majors.0.level", "no such level: 硕士"),
        (MAJORS, "closing: true", "closed: true", "majors.29.closed", "unknown word"),
        (MAJORS, "法律, source: SX-E-22", "法律, source: hearsay", "majors.0.source", PATTERN),
        (MAJORS, "法律, source: SX-E-22", "法律", "majors.0.source", "Field required"),
    ],
)
def test_bad_data_is_refused_with_file_line_field_and_law(
    shelf: Path, file: str, old: str, new: str, field: str, law: str
) -> None:
    line = spoil(shelf, file, old, new)
    told = [each for each in refused(shelf) if law in each]
    assert told, refused(shelf)
    assert told[0].startswith(f"{file}:{line}: {field and f'{field}: '}")


def test_twins_of_one_kind_are_refused_at_both(shelf: Path) -> None:
    spoil(shelf, COURSES, "kind: practice", "kind: theory")
    told = refused(shelf)
    assert [each.split(": ")[1] for each in told] == ["courses.1.twin", "courses.2.twin"]
    assert all("twins are theory and practice" in each and each.endswith("HB-25]") for each in told)


def test_every_fault_of_every_file_is_told_at_once(shelf: Path) -> None:
    spoil(shelf, COURSES, "kind: practice", "kind: theory")
    spoil(shelf, OFFICES, "level: city", "level: village")
    spoil(shelf, MAJORS, "level: 专科", "level: 硕士")
    (shelf / CERTIFICATES).write_text("a: [")
    assert {each.split(":")[0] for each in refused(shelf)} == {COURSES, OFFICES, MAJORS, CERTIFICATES}


# --- on the shelf


def test_reference_data_is_no_part_of_a_book_and_that_of_a_jurisdiction_is_not_sealed(shelf: Path) -> None:
    catalog = Catalog.load(shelf)
    assert not {part for book in catalog.books.values() for part in book.parts()} & REFERENCE
    for part in ("organisations", "majors"):  # beside a book of the same folder too
        shutil.copy(shelf / "sx" / f"{part}.yaml", shelf / "swust")
    after = Catalog.load(shelf)
    assert broken_seals(after) == []
    assert after.get("swust/1x@1").parts() == catalog.get("swust/1x@1").parts()
    assert set(after.reference.majors) == set(catalog.reference.majors) | {"swust"}
    assert after.digest != catalog.digest


def test_what_is_for_the_whole_country_stands_on_the_platform_only(shelf: Path) -> None:
    shutil.copy(shelf / LISTS, shelf / "hb")
    assert refused(shelf) == ["hb/code_lists.yaml:1: is for the whole country, so it stands in platform"]


def test_a_jurisdictions_data_have_no_versions(shelf: Path) -> None:
    (shelf / "sx" / "2").mkdir()
    shutil.copy(shelf / MAJORS, shelf / "sx" / "2")
    assert refused(shelf) == ["sx/2/majors.yaml:1: has no versions, so it stands in sx itself"]


def test_a_made_up_jurisdiction_brings_levels_and_majors_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "madeup"
    folder.mkdir()
    (folder / "organisations.yaml").write_text(
        "levels: [guildhall, workshop]\n"
        "organisations:\n"
        "  - {id: hall, name: 虚构会馆, level: guildhall, source: TT-01}\n"
        '  - {id: shop, name: 虚构作坊, level: workshop, parent: hall, area: "999999", source: TT-01}\n',
        "utf-8",
    )
    (folder / "majors.yaml").write_text(
        "levels: [{id: 学徒, title: 学徒所学, source: TT-01}]\n"
        'majors: [{level: 学徒, code: "990001", name: 虚构手艺, source: TT-01}]\n',
        "utf-8",
    )
    reference = Catalog.load(tmp_path).reference
    assert reference.organisations["madeup"].levels == ("guildhall", "workshop")
    assert reference.majors["madeup"].get("学徒", "990001") is not None
    assert (reference.courses.courses, reference.certificates.certificates, reference.code_lists.lists) == ((), (), {})


# --- ./zikao schemes


def test_every_course_of_every_book_is_in_the_catalogue(shelf: Path) -> None:
    assert faults(Catalog.load(shelf)) == []
    spoil(shelf, COURSES, 'code: "00386"', 'code: "99386"')
    fault = faults(Catalog.load(shelf))[-1]  # once published, that the catalogue was changed comes before it
    assert "swust/exemption.yaml:" in fault
    assert "certificates.3.courses: preschool_care: no such course: 00386" in fault


def test_identity_would_take_every_organisation_where_it_stands(shelf: Path) -> None:
    spoil(shelf, OFFICES, "levels: [province, city]", "levels: [province, city, village]")
    spoil(shelf, OFFICES, "id: sd-heze, name: 菏泽, level: city", "id: sd-heze, name: 菏泽, level: village")
    spoil(
        shelf, OFFICES, "id: sd-zibo, name: 淄博, level: city, parent: sd-prov", "id: sd-zibo, name: 淄博, level: city"
    )
    assert faults(Catalog.load(shelf)) == [
        "sd/organisations.yaml: sd-zibo: identity's book knows no city below nobody",
        "sd/organisations.yaml: sd-heze: identity's book knows no village below a province",
    ]


def test_offices_are_looked_for_where_identity_can_place_them(shelf: Path) -> None:
    """The head may call it the way up: no county ever stands below a university, so nobody could hand in."""
    above, asked = "  - {level: province, title: 省招", "    scope: county\n    window: apply"
    spoil(shelf, "sx/scheme.yaml", above, "  - {level: university, title: 主考学校, source: SX-E-16}\n" + above)
    spoil(shelf, "sx/exemption.yaml", asked, asked.replace("county", "university"))
    (fault,) = faults(Catalog.load(shelf))
    assert fault.startswith("sx/exemption.yaml:")
    assert "uniqueness.unlocking.scope: identity's book lets no county stand below a university" in fault


def test_the_list_of_books_counts_the_assumptions_of_reference_data_too(shelf: Path) -> None:
    answer = CliRunner().invoke(app, ["list", "--shelf", str(shelf)])
    assert answer.exit_code == 0
    assert f"10 files of reference data, {REAL.assumptions()} assumptions in them" in answer.output
