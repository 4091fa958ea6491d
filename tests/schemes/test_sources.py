"""What the books here give as their source is a row of docs/requirements.md, or an assumption."""

from pathlib import Path

from ops.schemes.sourcing import faults_of_sources, rows_of
from shared.schemes.catalog import Catalog

ROWS = rows_of(Path(__file__).parents[2] / "docs" / "requirements.md")
TO_COME = "SX-G-"
"""Rows of graduation, which courses and lists of the country are given for, too; they come into the table with it."""


def test_every_source_is_a_row_of_the_requirements_or_an_assumption() -> None:
    assert {"SW-01", "SD-54", "SX-E-51", "HB-38"} <= ROWS
    assert [each for each in faults_of_sources(Catalog.load(), ROWS) if TO_COME not in each] == []


def test_without_its_row_a_clause_and_a_course_are_named_with_file_and_line() -> None:
    found = faults_of_sources(Catalog.load(), ROWS - {"HB-16", "SW-35"})
    assert [each for each in found if each.startswith("swust/scheme.yaml:") and each.endswith("no row SW-35")]
    assert [each for each in found if each.startswith("platform/courses.yaml:") and each.endswith("no row HB-16")]
