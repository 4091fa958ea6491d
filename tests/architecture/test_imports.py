"""The import contracts of `.importlinter` are kept, and each one would notice what it forbids.

A contract that nothing can break protects nothing, so every one is broken on purpose in a copy of the tree.
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT

LINT = Path(sys.executable).with_name("lint-imports")
CONFIG = ".importlinter"
CONTRACT = "importlinter:contract:"


@dataclass(frozen=True)
class Seed:
    """One line put at the end of a file (made if there is none), and the one contract that must break by it."""

    contract: str
    file: str
    line: str

    def __str__(self) -> str:
        return f"{self.contract}: {self.line or 'an unlisted module'} in {self.file}"


SEEDS = (
    Seed("tree", "shared/runtime/migrate.py", "import ops.stack.ports"),
    Seed("tree", "shared/testing/stores.py", "import services.identity.settings"),
    Seed("services", "services/notification/domain/rules.py", "import services.identity.domain.rules"),
    Seed("rooms_of_services", "services/identity/settings.py", "import services.identity.views"),
    Seed("rooms_of_services", "services/exemption/helpers.py", ""),
    Seed("rooms_of_shared", "shared/kernel/values.py", "import shared.events"),
    Seed("rooms_of_shared", "shared/schemes/catalog.py", "import shared.documents.fonts"),
    Seed("rooms_of_shared", "shared/helpers.py", ""),
    Seed("sandbox_apart", "sandbox/network.py", "import shared.kernel.errors"),
    Seed("sandbox_unknown", "services/notification/gateways.py", "import sandbox.sms"),
    Seed("test_helpers", "services/notification/gateways.py", "import shared.testing.pictures"),
    Seed("pure_core", "shared/kernel/values.py", "import socket"),
    Seed("pure_core", "shared/schemes/procedure.py", "import random"),
    Seed("pure_core", "shared/events/notification.py", "import asyncpg"),
    # indirectly: fonts.py looks for files
    Seed("pure_core", "services/exemption/domain/rules.py", "import shared.documents.fonts"),
)


def contracts() -> dict[str, str]:
    """The id of each contract -> its name."""
    config = configparser.ConfigParser()
    config.read(ROOT / CONFIG, encoding="utf-8")
    return {section.removeprefix(CONTRACT): config[section]["name"] for section in config if CONTRACT in section}


def broken(tree: Path) -> tuple[set[str], str]:
    """The ids of the contracts that `tree` breaks, and everything the linter said."""
    said = subprocess.run(
        [LINT, "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "COLUMNS": "1000", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    verdicts = {
        contract: verdict[1]
        for contract, name in contracts().items()
        if (verdict := re.search(rf"^{re.escape(name)} (KEPT|BROKEN)\b", said, re.MULTILINE))
    }
    assert verdicts.keys() == contracts().keys(), said
    return {contract for contract, verdict in verdicts.items() if verdict == "BROKEN"}, said


@pytest.fixture(scope="module")
def broken_before(copy: Path) -> set[str]:
    """Nothing, when the tree is as it should be: so that one real fault does not hide that the contracts work."""
    return broken(copy)[0]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python files of the packages, and the contracts."""
    tree = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            target = tree / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    shutil.copyfile(ROOT / CONFIG, tree / CONFIG)
    return tree


@contextmanager
def seeded(tree: Path, seed: Seed) -> Iterator[None]:
    file = tree / seed.file
    before = file.read_text(encoding="utf-8") if file.exists() else None
    assert (before is None) == (not seed.line), f"{seed.file}: the seed does not fit the tree any more"
    file.write_text(f"{before or ''}\n{seed.line}\n", encoding="utf-8")
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before, encoding="utf-8")


def test_the_tree_keeps_every_contract() -> None:
    found, said = broken(ROOT)
    assert not found, said


def test_every_contract_has_a_seeded_violation() -> None:
    assert {seed.contract for seed in SEEDS} == contracts().keys()


def test_every_contract_is_named_by_a_sentence() -> None:
    for contract, name in contracts().items():
        assert len(name.split()) > 3, contract


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_a_seeded_violation_breaks_its_contract_and_no_other(seed: Seed, copy: Path, broken_before: set[str]) -> None:
    with seeded(copy, seed):
        found, said = broken(copy)
    assert found == broken_before | {seed.contract}, said
