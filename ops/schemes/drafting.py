"""A book as somebody names it: on the shelf, or in the folder of a draft with the reference data that lies beside it.

Called by `commands.py`. What a draft's folder has of reference data takes the place of the shelf's, the country's too;
what it has not is as the shelf has it for the jurisdiction that the draft is for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared.schemes.catalog import OF_THE_COUNTRY, PLATFORM, REFERENCE, Book, Catalog, read_beside, read_draft
from shared.schemes.reference import Listing
from shared.schemes.yaml_reading import Sheet


@dataclass(frozen=True)
class Meant:
    """A book, and the reference data in its folder if it is a draft."""

    book: Book
    is_draft: bool = False
    beside: Mapping[str, tuple[Sheet, Listing]] = field(default_factory=dict)  # file -> what it says

    @classmethod
    def in_folder(cls, folder: Path) -> "Meant":
        """BadBook when something in it cannot be read."""
        return cls(read_draft(folder), True, read_beside(folder))

    @property
    def place(self) -> str:
        """The jurisdiction by its name; of a draft only the name of its folder."""
        return self.book.ref.split("/")[0]

    def lacks(self, catalog: Catalog, like: str) -> tuple[str, ...]:
        """The reference data that its folder does not have, and the shelf has for this jurisdiction, or house rules."""
        if not self.is_draft:
            return ()
        mine = REFERENCE - OF_THE_COUNTRY if self.book.head else OF_THE_COUNTRY
        return tuple(
            part for part in sorted(mine - self.beside.keys()) if _file(part, like) in catalog.reference.sheets
        )


def likely(catalog: Catalog, draft: Meant) -> str:
    """The jurisdiction that a draft is for: by its folder's name, else by a book's name and authority."""
    head = draft.book.head
    if head is None:
        return PLATFORM
    heads = [(ref.split("/")[0], book.head) for ref, book in catalog.books.items() if book.head]
    if draft.place in {place for place, _ in heads}:
        return draft.place
    same = {place for place, each in heads if (each.name, each.authority) == (head.name, head.authority)}
    return same.pop() if len(same) == 1 else ""


def with_draft(catalog: Catalog, draft: Meant, like: str) -> Catalog:
    """The shelf as this draft finds it: what is in its folder first, then what the shelf has for `like`."""
    if not draft.is_draft:
        return catalog
    there, place = catalog.reference, draft.place
    own: dict[str, Any] = {part: listing for part, (_, listing) in draft.beside.items()}
    country = {part: own[part] for part in OF_THE_COUNTRY & own.keys()}
    majors: dict[str, Any] = {**there.majors}
    organisations: dict[str, Any] = {**there.organisations}
    for part, known in (("majors", majors), ("organisations", organisations)):
        if listing := own.get(part, known.get(like)):
            known[place] = listing
    if "organisations" in own and place != like:  # those that the draft's take the place of
        organisations.pop(like, None)
    reference = replace(there, **country, majors=majors, organisations=organisations)
    books = catalog.books if draft.book.head else {**catalog.books, PLATFORM: draft.book}
    return replace(catalog, books=books, reference=reference)


def compared(catalog: Catalog, old: Meant, new: Meant) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
    """What both say, part by part, and the files of reference data that a draft has not, so that nobody compares them.

    On one shelf reference data is no part of a book. A draft's is compared with what it would take the place of; house
    rules are published with it, so there what is left out is left out.
    """
    said, says = ({part: sheet.data for part, sheet in each.book.sheets.items()} for each in (old, new))
    drafts = [each for each in (old, new) if each.is_draft]
    if not drafts:
        return said, says, ()
    like = new.place if old.is_draft else old.place
    whole = len(drafts) == len((old, new)) or drafts[0].book.head is None
    parts = sorted(REFERENCE if whole else drafts[0].beside)
    for where, each in ((said, old), (says, new)):
        sheets = {part: _sheet(catalog, each, part, like) for part in parts}
        where["reference"] = {part: sheet.data for part, sheet in sheets.items() if sheet}
    return said, says, () if whole else drafts[0].lacks(catalog, like)


def _sheet(catalog: Catalog, meant: Meant, part: str, like: str) -> Sheet | None:
    if meant.is_draft:
        return meant.beside[part][0] if part in meant.beside else None
    return catalog.reference.sheets.get(_file(part, like))


def _file(part: str, like: str) -> str:
    return f"{PLATFORM if part in OF_THE_COUNTRY else like}/{part}.yaml"
