"""The books on the shelf: finds, reads, checks and freezes them. Called by services at start and by `ops/schemes`.

A book is a folder with `scheme.yaml` and one file for each service that obeys it; its name is
`<jurisdiction>/<name>@<version>`, the jurisdiction being the first folder. A further version lives in a folder below.
A folder without `scheme.yaml` (`platform`) holds house rules of no jurisdiction and is named by the folder alone.
Reference data (courses, organisations, majors ...) stands in the same folders and is no part of a book.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.schemes.book import Head
from shared.schemes.courses import Courses
from shared.schemes.procedure import ASSUMPTION, is_source
from shared.schemes.reference import AREAS, CertificateTypes, CodeLists, Fault, Listing, Majors, Organisations
from shared.schemes.yaml_reading import BadYaml, Sheet, read_sheet

BOOKS = Path(__file__).parent / "books"
PUBLISHED = "published.yaml"
HEAD = "scheme"
PLATFORM = "platform"
LISTINGS: Mapping[str, type[Listing]] = {
    "courses": Courses,
    "certificates": CertificateTypes,
    "code_lists": CodeLists,
    "organisations": Organisations,
    "majors": Majors,
}
REFERENCE = frozenset(LISTINGS)
"""The files that are no part of a book."""
OF_THE_COUNTRY = frozenset({"courses", "certificates", "code_lists"})
"""Those that stand in `platform` alone; the others are a jurisdiction's."""

NEEDS_A_HEAD = frozenset({"exemption"})
_JURISDICTION = r"[a-z][a-z0-9_-]{0,39}"

M = TypeVar("M", bound=BaseModel)
L = TypeVar("L", bound=Listing)


class BadBook(Exception):
    """A book that may not be used: every fault with file, line, field and the law it breaks."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Book:
    """One version of one procedure's rules (or the platform's own), part by part."""

    ref: str
    sheets: Mapping[str, Sheet]  # part -> what its file says
    files: Mapping[str, str]  # part -> its file, for messages
    head: Head | None
    _read: dict[str, BaseModel] = field(default_factory=dict, repr=False, compare=False)

    def parts(self) -> tuple[str, ...]:
        return tuple(sorted(self.sheets))

    def part(self, name: str, model: type[M]) -> M:
        """What this book says to one service, checked by that service's model; BadBook when it may not be used."""
        known = self._read.get(name)
        if not isinstance(known, model):
            if name not in self.sheets:
                raise BadBook([f"{self.ref}: has no {name}.yaml"])
            known = self._read[name] = _validated(self.sheets[name], self.files[name], model)
        return known

    def digest(self, part: str) -> str:
        return _digest(self.sheets[part])

    def assumptions(self) -> int:
        return _assumptions(self.sheets)

    def fault(self, part: str, path: tuple[str | int, ...], law: str) -> str:
        """What is wrong with a part, by file, line, field and law."""
        return _sentence(self.sheets[part], self.files[part], path, law)

    def clause(self, part: str, *path: str) -> str:
        return f"{self.ref} {part}.{'.'.join(path)}"


@dataclass(frozen=True)
class Reference:
    """What is so, whatever a book says: for the whole country, and for each jurisdiction by the name of its folder."""

    courses: Courses
    certificates: CertificateTypes
    code_lists: CodeLists
    organisations: Mapping[str, Organisations]
    majors: Mapping[str, Majors]
    sheets: Mapping[str, Sheet]  # file -> what it says

    def digest(self, file: str) -> str:
        return _digest(self.sheets[file])

    def assumptions(self) -> int:
        return _assumptions(self.sheets)


@dataclass(frozen=True)
class Catalog:
    """All books of one shelf, and the reference data beside them."""

    books: Mapping[str, Book]
    published: Mapping[str, Mapping[str, str]]  # ref -> part -> digest; compared by `ops/schemes/sealing.py`
    reference: Reference

    @classmethod
    def load(cls, folder: Path = BOOKS) -> "Catalog":
        """Reads every book and all reference data below `folder`; raises BadBook with every fault found."""
        faults = [*_strays(folder)]
        books: dict[str, Book] = {}
        for place in _folders(folder):
            try:
                book = _read_book(place, folder)
            except BadBook as bad:
                faults += bad.faults
                continue
            if book.ref in books:
                faults.append(f"{place.relative_to(folder)}: {book.ref} is already the name of another book")
            books[book.ref] = book
        reference = _References(folder, faults).read()
        if faults:
            raise BadBook(faults)
        return cls(books, _read_published(folder), reference)

    def get(self, ref: str) -> Book:
        if ref not in self.books:
            raise KeyError(f"no book {ref}; there are {', '.join(self.refs())}")
        return self.books[ref]

    def refs(self) -> tuple[str, ...]:
        return tuple(sorted(self.books))

    def with_part(self, name: str) -> tuple[Book, ...]:
        """The books that say something to one service."""
        return tuple(self.books[ref] for ref in self.refs() if name in self.books[ref].sheets)

    @property
    def digest(self) -> str:
        """Of everything on the shelf."""
        whole = [(ref, part, book.digest(part)) for ref, book in sorted(self.books.items()) for part in book.parts()]
        whole += [(file, "", _digest(sheet)) for file, sheet in sorted(self.reference.sheets.items())]
        return f"sha256:{hashlib.sha256(json.dumps(whole).encode()).hexdigest()}"


def read_draft(folder: Path) -> Book:
    """The book in a folder of its own, on no shelf yet; raises BadBook when it cannot be read."""
    if strays := [_no_part(each, folder.parent) for each in sorted(folder.glob("[!.]*")) if _is_stray(each)]:
        raise BadBook(strays)
    if not any(file.stem not in REFERENCE for file in folder.glob("*.yaml")):
        raise BadBook([f"{folder}: has no part of a book in it"])
    return _read_book(folder, folder.parent)


def read_beside(folder: Path) -> dict[str, tuple[Sheet, Listing]]:
    """The reference data in the folder of a draft, file by file; raises BadBook when some of it cannot be used."""
    found: dict[str, tuple[Sheet, Listing]] = {}
    faults: list[str] = []
    for part, model in LISTINGS.items():
        file, name = folder / f"{part}.yaml", f"{folder.name}/{part}.yaml"
        if not file.exists():
            continue
        try:
            sheet = _read_file(file, name)
            found[part] = sheet, (listing := _validated(sheet, name, model))
        except BadBook as bad:
            faults += bad.faults
        else:
            faults += [_sentence(sheet, name, path, law) for path, law in listing.faults()]
    if faults:
        raise BadBook(faults)
    return found


def _strays(shelf: Path) -> Iterator[str]:
    """Files that would silently be no part of any book, and folders whose name is none for a book."""
    for found in sorted(shelf.rglob("*")):
        place = found.relative_to(shelf)
        if any(step.startswith(".") for step in place.parts):
            continue  # what tools keep for themselves
        if found.is_dir():
            if len(place.parts) == 1 and not re.fullmatch(_JURISDICTION, found.name):
                yield f"{found.name}: the folder of a jurisdiction is named by a letter and up to 39 of a-z, 0-9, _, -"
        elif _is_stray(found):
            yield _no_part(found, shelf)
        elif len(place.parts) == 1 and found.name != PUBLISHED:
            yield f"{place.as_posix()}: nobody reads this file: a book stands in the folder of its jurisdiction"


def _is_stray(found: Path) -> bool:
    return found.is_file() and found.suffix != ".yaml"


def _no_part(file: Path, shelf: Path) -> str:
    return f"{file.relative_to(shelf).as_posix()}: nobody reads this file: the parts of a book end in .yaml"


def _folders(folder: Path) -> Iterator[Path]:
    """Those with a part of a book in them."""
    parts = (file for file in folder.rglob("*.yaml") if file.stem not in REFERENCE)
    return iter(sorted({file.parent for file in parts if file.parent != folder}))


def _read_book(place: Path, shelf: Path) -> Book:
    sheets: dict[str, Sheet] = {}
    files: dict[str, str] = {}
    for file in sorted(file for file in place.glob("*.yaml") if file.stem not in REFERENCE):
        files[file.stem] = file.relative_to(shelf).as_posix()
        sheets[file.stem] = _read_file(file, files[file.stem])
    jurisdiction = place.relative_to(shelf).parts[0]
    if HEAD not in sheets:
        for part in sorted(sheets.keys() & NEEDS_A_HEAD):
            raise BadBook(
                [f"{files[part]}:1: {part}.yaml needs a {HEAD}.yaml beside it, which gives the book its name"]
            )
        return Book(place.relative_to(shelf).as_posix(), sheets, files, None)
    head = _validated(sheets[HEAD], files[HEAD], Head)
    return Book(f"{jurisdiction}/{head.name}@{head.version}", sheets, files, head)


class _References:
    """Reads the reference data of a shelf; what is wrong with it is added to `faults`."""

    def __init__(self, shelf: Path, faults: list[str]) -> None:
        self._shelf = shelf
        self._faults = faults
        self._sheets: dict[str, Sheet] = {}

    def read(self) -> Reference:
        code_lists = self._of_the_country("code_lists", CodeLists, CodeLists(lists={}))
        organisations = self._of_jurisdictions("organisations", Organisations)
        if areas := code_lists.get(AREAS):
            for place, each in organisations.items():
                self._blame(f"{place}/organisations.yaml", each.strange_areas(areas.entries))
        return Reference(
            courses=self._of_the_country("courses", Courses, Courses(courses=())),
            certificates=self._of_the_country("certificates", CertificateTypes, CertificateTypes(certificates=())),
            code_lists=code_lists,
            organisations=organisations,
            majors=self._of_jurisdictions("majors", Majors),
            sheets=self._sheets,
        )

    def _of_the_country(self, part: str, model: type[L], none: L) -> L:
        found = self._listed(part, model)
        for place in sorted(found.keys() - {PLATFORM}):
            self._faults.append(f"{place}/{part}.yaml:1: is for the whole country, so it stands in {PLATFORM}")
        return found.get(PLATFORM, none)

    def _of_jurisdictions(self, part: str, model: type[L]) -> dict[str, L]:
        found = self._listed(part, model)
        for place in sorted(place for place in found if "/" in place):
            own = place.split("/")[0]
            self._faults.append(f"{place}/{part}.yaml:1: has no versions, so it stands in {own} itself")
        return found

    def _listed(self, part: str, model: type[L]) -> dict[str, L]:
        """Folder -> what its file says."""
        found: dict[str, L] = {}
        for file in sorted(self._shelf.rglob(f"{part}.yaml")):
            name = file.relative_to(self._shelf).as_posix()
            try:
                sheet = self._sheets[name] = _read_file(file, name)
                listing = found[file.parent.relative_to(self._shelf).as_posix()] = _validated(sheet, name, model)
            except BadBook as bad:
                self._faults += bad.faults
            else:
                self._blame(name, listing.faults())
        return found

    def _blame(self, file: str, faults: Iterator[Fault]) -> None:
        self._faults += [_sentence(self._sheets[file], file, path, law) for path, law in faults]


def _read_file(file: Path, name: str) -> Sheet:
    try:
        return read_sheet(file.read_bytes())
    except BadYaml as bad:
        raise BadBook([f"{name}:{bad.line}: {bad.law}"]) from None


def _validated(sheet: Sheet, file: str, model: type[M]) -> M:
    """Nothing is guessed: "yes" is no truth value, "3" and 3.0 no whole number. As JSON: dates are text here."""
    try:
        return model.model_validate_json(json.dumps(sheet.data), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise BadBook(
            [_sentence(sheet, file, *_located(sheet.data, each["loc"], _law(each))) for each in found]
        ) from None


_PLAINLY = {
    "bool_type": "write true or false, without quotes",
    "int_type": "write a whole number, without quotes or a point",
    "int_from_float": "write a whole number, without quotes or a point",
    "float_type": "write a number, without quotes",
    "string_type": "write it as text, in quotes",
}
"""Of what was written as something else than it is."""


def _law(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown word: there is no place for it here"
    if error["type"] == "model_type":
        return "words with what they say are expected here"
    if error["type"] == "too_short" and not error.get("input"):
        return "nothing stands here, and something must"
    return _PLAINLY.get(error["type"]) or error["msg"].removeprefix("Value error, ")


def _located(data: Any, path: tuple[str | int, ...], law: str) -> tuple[tuple[str | int, ...], str]:
    """Laws of a whole file name what they are about first (`stages: 审查: doubtful: ...`): where that stands."""
    if path:
        return path, law
    while (steps := _entry(data, (name := law.partition(": ")[0]))) and name != law:
        for step in steps:
            data = data[step]
        path, law = (*path, *steps), law.removeprefix(f"{name}: ")
    return path, law


def _entry(data: Any, name: str) -> tuple[str | int, ...]:
    """The way to what is called `name`: a word, an entry of a list, or an entry of one of the lists here."""
    if isinstance(data, list):
        named = (index for index, each in enumerate(data) if isinstance(each, dict) and name in each.values())
        return next(((index,) for index in named), ())
    if not isinstance(data, dict) or name in data:
        return (name,) if isinstance(data, dict) else ()
    lists = ((word, _entry(each, name)) for word, each in data.items() if isinstance(each, list))
    return next(((word, *found) for word, found in lists if found), ())


def _sentence(sheet: Sheet, file: str, path: tuple[str | int, ...], law: str) -> str:
    """A fault by file, line, field and law, with the source of the clause it is about."""
    named = ".".join(str(step) for step in path) or "(whole file)"
    source = _source_near(sheet.data, path)
    return f"{file}:{sheet.line(path)}: {named}: {law}" + (f" [{source}]" if source else "")


def _digest(sheet: Sheet) -> str:
    """Of what a file says, not how: comments and line breaks may be improved after publishing."""
    said = json.dumps(sheet.data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(said.encode()).hexdigest()}"


def _assumptions(sheets: Mapping[str, Sheet]) -> int:
    """How many clauses the sources leave open."""
    return sum(ASSUMPTION in source for sheet in sheets.values() for source in _sources(sheet.data))


def _source_near(data: Any, path: tuple[str | int, ...]) -> str | None:
    """The `source` of the innermost clause on the way to `path`: the law the fault is about."""
    found = None
    for step in (*path, None):
        if isinstance(data, dict) and isinstance(data.get("source"), str):
            found = data["source"]
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            break
    return found


def _sources(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        yield from (said for word, said in data.items() if is_source(word) and isinstance(said, str))
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from _sources(item)


def _read_published(folder: Path) -> Mapping[str, Mapping[str, str]]:
    file = folder / PUBLISHED
    if not file.exists():
        return {}
    said = _read_file(file, PUBLISHED).data
    if not isinstance(said, dict) or not all(isinstance(parts, dict) for parts in said.values()):
        raise BadBook([f"{PUBLISHED}:1: expected a digest for each part of each book"])
    return said
