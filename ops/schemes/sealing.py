"""What was published never changes unseen: digests in `books/published.yaml`. Called by `commands.py` and `proving.py`.

A book is published once; a change of it is a new version, in a folder of its own. House rules (`platform`, with the
reference data of the country beside them) hold for every book as they are today and belong to no version of one, so
they are published in editions: a change is published again in the same place, and each edition stays in the file.
"""

from collections.abc import Mapping
from pathlib import Path

from shared.schemes.catalog import PUBLISHED, Book, Catalog

_HEADING = (
    "# The digest of all that is published, so that no word changes unseen: `./zikao schemes publish`, docs/books.md"
)
Seals = Mapping[str, Mapping[str, str]]


def digests(catalog: Catalog, book: Book) -> dict[str, str]:
    """Part -> its digest; of house rules also the reference data in their folder."""
    found = {part: book.digest(part) for part in book.parts()}
    if book.head is None:
        beside = f"{book.ref}/"
        found |= {
            name.removeprefix(beside).removesuffix(".yaml"): catalog.reference.digest(name)
            for name in catalog.reference.sheets
            if name.startswith(beside)
        }
    return found


def sealed_as(catalog: Catalog, book: Book) -> str:
    """The name under which a book is published, or its house rules were last; empty if they never were."""
    if book.head is not None:
        return book.ref if book.ref in catalog.published else ""
    edition = _editions(catalog.published, book.ref)
    return f"{book.ref}@{edition}" if edition else ""


def not_sealed(catalog: Catalog, book: Book) -> tuple[str, ...]:
    """The parts of a book that nobody published yet."""
    known = catalog.published.get(sealed_as(catalog, book), {})
    return tuple(part for part in sorted(digests(catalog, book)) if part not in known)


def broken_seals(catalog: Catalog) -> list[str]:
    """What was published and is gone, or no longer says what it said."""
    return [*_of_books(catalog), *(fault for book in house_rules(catalog) for fault in _of_house_rules(catalog, book))]


def house_rules(catalog: Catalog) -> tuple[Book, ...]:
    return tuple(book for _, book in sorted(catalog.books.items()) if book.head is None)


def house_rules_to_publish(catalog: Catalog) -> list[str]:
    """House rules that say something else than their last edition, or have none."""
    changed = (book for book in house_rules(catalog) if not_sealed(catalog, book) or _of_house_rules(catalog, book))
    return [book.ref for book in changed]


def with_seals_of(catalog: Catalog, book: Book) -> Seals:
    """What is published once this book is, too; the same as before if it was."""
    seals = {ref: dict(parts) for ref, parts in catalog.published.items()}
    now, last = digests(catalog, book), sealed_as(catalog, book)
    if book.head is not None:
        seals.setdefault(book.ref, now)  # what was published has the parts that it had then
    elif now != seals.get(last):
        seals[f"{book.ref}@{_editions(seals, book.ref) + 1}"] = now
    return seals


def write(shelf: Path, seals: Seals) -> None:
    lines = [_HEADING]
    for ref, parts in sorted(seals.items()):
        lines += [f"{ref}:", *(f"  {part}: {digest}" for part, digest in sorted(parts.items()))]
    (shelf / PUBLISHED).write_text("\n".join(lines) + "\n", "utf-8")


def _of_books(catalog: Catalog) -> list[str]:
    broken = []
    for ref, parts in catalog.published.items():
        for part in sorted(catalog.books[ref].sheets.keys() - parts.keys()) if ref in catalog.books else ():
            file = catalog.books[ref].files[part]
            broken.append(
                f"{file}: {ref} was published without it: take it away, or make a new version in a folder below"
            )
        if "/" not in ref:  # an edition of house rules
            if ref.rpartition("@")[0] not in catalog.books:
                broken.append(f"{PUBLISHED}: {ref}: published, but not on the shelf any more")
            continue
        for part, digest in parts.items():
            book = catalog.books.get(ref)
            if book is None or part not in book.sheets:
                broken.append(f"{PUBLISHED}: {ref} {part}: published, but not on the shelf any more")
            elif book.digest(part) != digest:
                broken.append(
                    f"{book.files[part]}: published parts never change, and this is not what was published as {ref}: "
                    "put it back, or make a new version in a folder below"
                )
    return broken


def _of_house_rules(catalog: Catalog, book: Book) -> list[str]:
    last = sealed_as(catalog, book)
    now, then = digests(catalog, book), catalog.published.get(last, {})
    return [
        f"{book.ref}/{part}.yaml: these house rules are not what was published as {last}: put them back, or, if every "
        f"book is to go by them, publish them: ./zikao schemes publish {book.ref}"
        for part, digest in then.items()
        if now.get(part) != digest
    ]


def _editions(seals: Seals, ref: str) -> int:
    """The number of the last edition; 0 before the first."""
    numbers = (each.rpartition("@")[2] for each in seals if each.rpartition("@")[0] == ref)
    return max((int(number) for number in numbers if number.isdecimal()), default=0)
