"""`./zikao schemes`: the books on the shelf, and what is proved of every one of them.

Services read the same books through `shared.schemes.catalog`; here all their models meet, so that a book is checked
as a whole before any service starts with it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from services.exemption.domain.proofs import faults_of
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.identity.domain.scheme import IdentityScheme
from services.notification.domain.scheme import NotificationScheme, PlatformNotification
from shared.schemes.catalog import BOOKS, HEAD, PUBLISHED, BadBook, Book, Catalog
from shared.schemes.procedure import Stage

app = typer.Typer(no_args_is_help=True, help="The books of rules.")

MODELS: Mapping[str, type[BaseModel]] = {"exemption": ExemptionScheme, "notification": NotificationScheme}
PLATFORM_MODELS: Mapping[str, type[BaseModel]] = {
    "identity": IdentityScheme,
    "notification": PlatformNotification,
}

Shelf = Annotated[Path, typer.Option(help="The folder of the books.")]


def faults(catalog: Catalog) -> list[str]:
    """Everything that is wrong with the books, in sentences; empty when all proofs hold."""
    found = catalog.broken_seals()
    for ref in catalog.refs():
        book = catalog.get(ref)
        found += _faults_of_parts(book)
        if "exemption" in book.sheets and not found:  # a book that cannot be read cannot be walked
            found += faults_of(Rules(ref, book.part("exemption", ExemptionScheme)))
    return found


def _faults_of_parts(book: Book) -> list[str]:
    models = MODELS if book.head else PLATFORM_MODELS
    found: list[str] = []
    for part in book.parts():
        if part == HEAD:
            continue
        if part not in models:
            found.append(f"{book.files[part]}: no service reads {part}.yaml")
            continue
        try:
            book.part(part, models[part])
        except BadBook as bad:
            found += bad.faults
    return found


@app.command()
def check(shelf: Shelf = BOOKS) -> None:
    """Read every book, prove it, and compare published ones with their seals."""
    try:
        catalog = Catalog.load(shelf)
        found = faults(catalog)
    except BadBook as bad:
        found = bad.faults
    for fault in found:
        typer.echo(fault, err=True)
    if found:
        raise typer.Exit(1)
    parts = [(ref, part) for ref in catalog.refs() for part in catalog.get(ref).parts()]
    drafts = [f"{ref} {part}" for ref, part in parts if not _sealed(catalog, ref, part)]
    typer.echo(f"{len(catalog.refs())} books, every proof holds; not yet published: {', '.join(drafts) or 'none'}")


@app.command("list")
def list_books(shelf: Shelf = BOOKS) -> None:
    """Every book with its stages and how much of it is assumed."""
    catalog = Catalog.load(shelf)
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
    Console().print(table)


@app.command()
def publish(ref: str, shelf: Shelf = BOOKS) -> None:
    """Freeze the parts of a book that are not published yet. Published parts never change."""
    catalog = Catalog.load(shelf)
    if found := faults(catalog):
        typer.echo("\n".join(found), err=True)
        raise typer.Exit(1)
    book = catalog.get(ref)
    seals = {each: dict(parts) for each, parts in catalog.published.items()}
    seals[ref] = {part: book.digest(part) for part in book.parts()} | seals.get(ref, {})
    lines = ["# The digest of every published part: what people are judged by never changes. `./zikao schemes publish`"]
    for each, parts in sorted(seals.items()):
        lines += [f"{each}:", *(f"  {part}: {digest}" for part, digest in sorted(parts.items()))]
    (shelf / PUBLISHED).write_text("\n".join(lines) + "\n", "utf-8")
    typer.echo(f"{ref}: {len(seals[ref])} parts are published")


def _stages(book: Book) -> tuple[Stage, ...]:
    return book.part("exemption", ExemptionScheme).stages if "exemption" in book.sheets else ()


def _sealed(catalog: Catalog, ref: str, part: str) -> bool:
    return part in catalog.published.get(ref, {})
