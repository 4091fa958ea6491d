"""A code list in a tree as deep as GB/T 2260 whole: provinces, cities, and districts under either. All names invented.

A field with `deepest: true` offers what has nothing below it, so the perfect application of the proofs must find one.
"""

import shutil
from pathlib import Path

import pytest

from ops.schemes import faults
from services.exemption.domain.proofs import perfect
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.handlers import known_of
from shared.schemes.catalog import BadBook, Catalog
from shared.schemes.forms import FormField, deepest
from tests.schemes.test_vocabulary import CLAIMS, ISLE

PROVINCES = ("11", "37", "65", "71")  # one whose districts are its own, two with cities, one with nothing below it
TREE = {
    **{f"{province}0000": f"虚构省{province}" for province in PROVINCES},
    "110100": "市辖区",
    **{f"1101{nth:02}": f"虚构区{nth}" for nth in range(1, 4)},
    **{f"{province}{city:02}00": f"虚构市{city}" for province in ("37", "65") for city in (1, 2, 90)},
    **{f"{province}01{nth:02}": f"虚构县{nth}" for province in ("37", "65") for nth in (2, 3, 81)},
    **{f"3702{nth:02}": f"虚构县{nth}" for nth in (2, 5)},
}
LEAVES = {code for code in TREE if not code.endswith("00")} | {"379000", "650200", "659000", "710000"}


def shelf(folder: Path, entries: dict[str, str]) -> Path:
    """The made-up books with this tree in place of the two shores."""
    books = Path(shutil.copytree(CLAIMS, folder / "books"))
    said = ", ".join(f'"{code}": {name}' for code, name in sorted(entries.items()))
    whole = f"shores: {{title: 海岸, standard: 虚构标准 1, nested: [2, 4], source: TT-22, entries: {{{said}}}}}"
    file = books / "platform" / "code_lists.yaml"
    lines = [f"  {whole}" if "shores:" in line else line for line in file.read_text("utf-8").splitlines()]
    assert lines != file.read_text("utf-8").splitlines()
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return books


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.load(shelf(tmp_path, TREE))


@pytest.fixture
def rules(catalog: Catalog) -> Rules:
    return Rules(ISLE, catalog.get(ISLE).part("exemption", ExemptionScheme), known_of(catalog, ISLE))


def shore(rules: Rules) -> FormField:
    (found,) = [each for each in rules.book.fields if each.code_list == "shores"]
    return found


def test_what_has_nothing_below_it_is_a_district_or_whatever_stands_alone(rules: Rules) -> None:
    assert set(rules.choices()[shore(rules).chosen_from]) == LEAVES
    assert shore(rules).chosen_from == deepest("shores")


def test_check_finds_a_perfect_application_in_the_whole_tree(catalog: Catalog, rules: Rules) -> None:
    assert faults(catalog) == []
    trial = perfect(rules)
    assert trial.refusal() is None
    assert trial.sample.draft.form[shore(rules).name] == min(LEAVES) == "110101"


@pytest.mark.parametrize("code", sorted(TREE))
def test_a_form_takes_what_has_nothing_below_it_and_refuses_what_has(rules: Rules, code: str) -> None:
    trial = perfect(rules)
    trial.sample.draft.form[shore(rules).name] = code
    found = {each.about: each.refusal.code for each in trial.against() if each.refusal}
    assert found == ({} if code in LEAVES else {shore(rules).name: "exemption.not_on_the_list"})


@pytest.mark.parametrize(("missing", "orphans"), [("110000", 1), ("110100", 3), ("370000", 3), ("370200", 2)])
def test_what_stands_below_a_missing_entry_is_named(tmp_path: Path, missing: str, orphans: int) -> None:
    with pytest.raises(BadBook) as bad:
        Catalog.load(shelf(tmp_path, {code: name for code, name in TREE.items() if code != missing}))
    assert len(bad.value.faults) == orphans
    assert all(f"the entry above it is missing: {missing}" in each for each in bad.value.faults)
