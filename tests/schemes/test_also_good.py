"""Every book of `also_good/`, a changed copy of `claims_books`, is right, and people can apply under it."""

from pathlib import Path

import pytest

from ops.schemes.proving import faults
from shared.schemes.catalog import Catalog
from tests.schemes.test_broken import spoilt

FOLDERS = sorted((Path(__file__).parent / "also_good").iterdir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_unusual_book_that_is_right_is_not_refused(folder: Path, tmp_path: Path) -> None:
    assert faults(Catalog.load(spoilt(folder, tmp_path))) == []
