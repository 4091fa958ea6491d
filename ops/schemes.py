"""`./zikao schemes`: the books on the shelf, and what is proved of every one of them.

Services read the same books through `shared.schemes.catalog`; here all their models meet, so that a book is checked
as a whole before any service starts with it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.table import Table

from ops.stack.screen import wide_console
from services.exemption.domain.proofs import faults_of
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.identity.domain.scheme import IdentityScheme, JurisdictionIdentity
from services.notification.domain.scheme import NotificationScheme, PlatformNotification
from shared.schemes.catalog import BOOKS, HEAD, PLATFORM, PUBLISHED, BadBook, Book, Catalog
from shared.schemes.procedure import Stage

app = typer.Typer(no_args_is_help=True, help="The books of rules.")

MODELS: Mapping[str, type[BaseModel]] = {
    "exemption": ExemptionScheme,
    "identity": JurisdictionIdentity,
    "notification": NotificationScheme,
}
PLATFORM_MODELS: Mapping[str, type[BaseModel]] = {
    "identity": IdentityScheme,
    "notification": PlatformNotification,
}

Shelf = Annotated[Path, typer.Option(help="The folder of the books.")]


def faults(catalog: Catalog) -> list[str]:
    """Everything that is wrong with the books, in sentences; empty when all proofs hold."""
    unreadable = _faults_of_parts(catalog)
    found = catalog.broken_seals() + unreadable
    if not catalog.books:
        found.append("there is no book on the shelf, so nothing is proved")
    if not unreadable:  # what cannot be read cannot be walked
        for book in catalog.with_part("exemption"):
            rules = book.part("exemption", ExemptionScheme)
            found += [*_roles_nobody_holds(catalog, book, rules), *faults_of(Rules(book.ref, rules))]
            found += _courses_nobody_knows(catalog, book, rules)
        found += _organisations_out_of_place(catalog)
    return found


def _roles_nobody_holds(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """Whoever decides by the rules has a role in the book's head, at that level, and identity's book can give it."""
    assert book.head is not None  # with `exemption.yaml` there is one, or the book was not readable
    levels = {role.id: role.level for role in book.head.roles}
    for role, level in sorted(rules.deciding()):
        if role not in levels or levels[role] not in (None, level):
            yield f"{book.files['exemption']}: {role} decides at a {level}, but {book.files[HEAD]} has no such role"
    if PLATFORM in catalog.books:
        given = catalog.get(PLATFORM).part("identity", IdentityScheme).roles
        for role, at in sorted(levels.items()):
            if role not in given or (at and at not in given[role].levels):
                yield f"{book.files[HEAD]}: {role} is a role that identity's book does not give at a {at}"


def _courses_nobody_knows(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """Courses that a book exempts from, but the catalogue does not have; a shelf without a catalogue has no say."""
    known = catalog.reference.courses
    for each in rules.certificates if known.courses else ():
        for code in each.courses:
            if known.get(code) is None:
                yield f"{book.files['exemption']}: certificates: {each.id}: no such course: {code}"


def _organisations_out_of_place(catalog: Catalog) -> Iterator[str]:
    """Whether identity would take the organisations as they are listed, each below its parent."""
    if PLATFORM not in catalog.books:
        return
    levels = catalog.get(PLATFORM).part("identity", IdentityScheme).levels
    for place, listed in sorted(catalog.reference.organisations.items()):
        for each in listed.organisations:
            parent = listed.get(each.parent)
            if each.level not in levels or (parent.level if parent else None) not in levels[each.level].under:
                below = f"below a {parent.level}" if parent else "below nobody"
                yield f"{place}/organisations.yaml: {each.id}: identity's book knows no {each.level} {below}"


def _faults_of_parts(catalog: Catalog) -> list[str]:
    """What the services that read the books could not read."""
    found: list[str] = []
    for book in catalog.books.values():
        models = PLATFORM_MODELS if book.ref == PLATFORM else MODELS
        for part in set(book.parts()) - {HEAD}:
            if part not in models:
                found.append(f"{book.files[part]}: no service reads {part}.yaml")
                continue
            try:
                book.part(part, models[part])
            except BadBook as bad:
                found += bad.faults
    return sorted(found)


@app.command()
def check(shelf: Shelf = BOOKS) -> None:
    """Read every book, prove it, and compare published ones with their seals."""
    catalog = _loaded(shelf)
    _refuse_with(faults(catalog))
    parts = [(ref, part) for ref in catalog.refs() for part in catalog.get(ref).parts()]
    drafts = [f"{ref} {part}" for ref, part in parts if not _sealed(catalog, ref, part)]
    typer.echo(f"{len(catalog.refs())} books, every proof holds; not yet published: {', '.join(drafts) or 'none'}")


@app.command("list")
def list_books(shelf: Shelf = BOOKS) -> None:
    """Every book with its stages and how much of it is assumed."""
    catalog = _loaded(shelf)
    _refuse_with(_faults_of_parts(catalog))
    table = Table()
    for heading in ("book", "title", "parts", "stages", "assumptions", "published"):
        table.add_column(heading, overflow="fold")
    for ref in catalog.refs():
        book = catalog.get(ref)
        stages = [each.name for each in _stages(book)]
        sealed = sum(_sealed(catalog, ref, part) for part in book.parts())
        table.add_row(
            ref,
            book.head.title.text if book.head else "(house rules)",
            "\n".join(book.parts()),
            " → ".join(stages),
            str(book.assumptions()),
            f"{sealed} of {len(book.parts())} parts",
        )
    wide_console().print(table)
    reference = catalog.reference
    told = f"{len(reference.sheets)} files of reference data, {reference.assumptions()} assumptions in them"
    typer.echo(f"Beside the books: {told}.")


@app.command()
def publish(ref: str, shelf: Shelf = BOOKS) -> None:
    """Freeze the parts of a book that are not published yet. Published parts never change."""
    catalog = _loaded(shelf)
    if ref not in catalog.books:
        _refuse_with([f"There is no book {ref}; there are {', '.join(catalog.refs())}."])
    _refuse_with(faults(catalog))
    book = catalog.get(ref)
    seals = {each: dict(parts) for each, parts in catalog.published.items()}
    seals[ref] = {part: book.digest(part) for part in book.parts()} | seals.get(ref, {})
    lines = ["# The digest of every published part: what people are judged by never changes. `./zikao schemes publish`"]
    for each, parts in sorted(seals.items()):
        lines += [f"{each}:", *(f"  {part}: {digest}" for part, digest in sorted(parts.items()))]
    try:
        (shelf / PUBLISHED).write_text("\n".join(lines) + "\n", "utf-8")
    except OSError as error:  # in an image the books are fixed
        _refuse_with([f"{shelf / PUBLISHED} cannot be written ({error.strerror}): publish in a checkout."])
    typer.echo(f"{ref}: {len(seals[ref])} parts are published")


def _loaded(shelf: Path) -> Catalog:
    try:
        return Catalog.load(shelf)
    except BadBook as bad:
        _refuse_with(bad.faults)
        raise


def _refuse_with(found: list[str]) -> None:
    if found:
        typer.echo("\n".join(found), err=True)
        raise typer.Exit(1)


def _stages(book: Book) -> tuple[Stage, ...]:
    return book.part("exemption", ExemptionScheme).stages if "exemption" in book.sheets else ()


def _sealed(catalog: Catalog, ref: str, part: str) -> bool:
    return part in catalog.published.get(ref, {})
