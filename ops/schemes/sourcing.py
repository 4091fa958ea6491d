"""Whether what books and reference data give as their sources is there: rows of a table like docs/requirements.md.

Called by `commands.py` where a table is named, and by tests of the books here. That a source has the form of a row is a
law of every book (`shared/schemes/procedure.py`); where books are used without their table nobody can say more.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.schemes.catalog import Catalog
from shared.schemes.procedure import ASSUMPTION, is_source

Where = tuple[str | int, ...]
_ROW = re.compile(r"^\| ([A-Z]{2,3}(?:-[A-Z])?-[0-9]{2}) \|", re.M)


def rows_of(table: Path) -> frozenset[str]:
    """The ids in the first column."""
    return frozenset(_ROW.findall(table.read_text("utf-8")))


def faults_of_sources(catalog: Catalog, rows: frozenset[str]) -> list[str]:
    """Every clause whose source is neither one of the rows nor an assumption, by file, line and field."""
    sheets = dict(catalog.reference.sheets)
    sheets |= {book.files[part]: sheet for book in catalog.books.values() for part, sheet in book.sheets.items()}
    return [
        f"{file}:{sheet.line(where)}: {'.'.join(map(str, where))}: there is no row {row}"
        for file, sheet in sorted(sheets.items())
        for where, said in _sources(sheet.data, ())
        for row in said.split(", ")
        if row not in rows and row != ASSUMPTION
    ]


def _sources(data: Any, where: Where) -> Iterator[tuple[Where, str]]:
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, each in inside:
        if isinstance(each, str) and is_source(str(step)):
            yield (*where, step), each
        yield from _sources(each, (*where, step))
