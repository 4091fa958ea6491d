"""The words of `./zikao schemes`: check, list, explain, diff, try, whatif, publish."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.table import Table

from ops.reach import WITHOUT
from ops.schemes import sealing
from ops.schemes.differing import told
from ops.schemes.drafting import Meant, compared, likely, with_draft
from ops.schemes.explained import page_of
from ops.schemes.performing import told_step_by_step
from ops.schemes.proving import faults, faults_of_parts
from ops.schemes.sourcing import faults_of_sources, rows_of
from ops.schemes.stories import BadStory, read_story
from ops.schemes.whatif import NoSuchCycle, replay_of, run
from ops.stack.screen import wide_console
from services.exemption.domain.scheme import ExemptionScheme
from shared.schemes import pages
from shared.schemes.catalog import BOOKS, PUBLISHED, BadBook, Book, Catalog
from shared.schemes.comparing import changes
from shared.schemes.procedure import Stage

app = typer.Typer(no_args_is_help=True, help="The books of rules.", add_completion=False)

Shelf = Annotated[Path, typer.Option(help="The folder of the books.")]
Named = Annotated[
    str, typer.Argument(help="A book as `schemes list` names it (`hb` is enough for one), or the folder of a draft.")
]
Case = Annotated[Path, typer.Argument(help="A file like those in tests/stories.")]
COULD_NOT = 2
"""Exit code of `diff` and `try` when there is nothing to compare: 1 says that something is different."""


@app.command()
def check(
    shelf: Shelf = BOOKS,
    rows: Annotated[
        Path | None, typer.Option(help="Each source must be a row of this table, or an assumption.")
    ] = None,
) -> None:
    """Read every book, prove it, and compare what is published with its digest. Exit code 1: something is wrong."""
    catalog = _loaded(shelf)
    _refuse_with([*faults(catalog), *(faults_of_sources(catalog, _rows(rows)) if rows else ())])
    drafts = [f"{ref} {part}" for ref in catalog.refs() for part in sealing.not_sealed(catalog, catalog.get(ref))]
    typer.echo(f"{len(catalog.refs())} books, every proof holds; not yet published: {', '.join(drafts) or 'none'}")


@app.command("list")
def list_books(shelf: Shelf = BOOKS) -> None:
    """Every book with its stages and how much of it is assumed."""
    catalog = _loaded(shelf)
    _refuse_with(faults_of_parts(catalog))
    table = Table()
    for heading in ("book", "title", "parts", "stages", "assumptions", "published"):
        table.add_column(heading, overflow="fold")
    for ref in catalog.refs():
        book = catalog.get(ref)
        stages = [each.name for each in _stages(book)]
        parts, name = sealing.digests(catalog, book), sealing.sealed_as(catalog, book)
        sealed = f"{len(parts) - len(sealing.not_sealed(catalog, book))} of {len(parts)} parts"
        table.add_row(
            ref,
            book.head.title.text if book.head else "(house rules)",
            "\n".join(book.parts()),
            " → ".join(stages),
            str(book.assumptions()),
            sealed if book.head or not name else f"{sealed}, as {name}",
        )
    wide_console().print(table)
    reference = catalog.reference
    said = f"{len(reference.sheets)} files of reference data, {reference.assumptions()} assumptions in them"
    typer.echo(f"Beside the books: {said}.")


@app.command()
def explain(
    scheme: Named,
    shelf: Shelf = BOOKS,
    html: Annotated[Path | None, typer.Option(help="Write it as one HTML file instead, to read and print.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write it as Markdown into this file.")] = None,
    like: Annotated[str | None, typer.Option(help="Of a draft: the jurisdiction that it is for, e.g. hb.")] = None,
) -> None:
    """The whole procedure as a page that an official reads: every clause with its source, assumptions counted."""
    catalog = _loaded(shelf)
    meant = _meant(scheme, catalog)
    known = like or likely(catalog, meant)
    if lacking := meant.lacks(catalog, known):
        typer.echo(f"Not in the draft's folder, so as {known} has it: {', '.join(lacking)}.", err=True)
    try:
        page = page_of(meant.book, with_draft(catalog, meant, known))
    except BadBook as bad:
        _refuse(*bad.faults)
    for file, content in ((html, pages.html), (out, pages.markdown)):
        if file is not None:
            _written(file, content(page))
    if html is None and out is None:
        typer.echo(pages.markdown(page), nl=False)


@app.command()
def diff(old: Named, new: Named, shelf: Shelf = BOOKS) -> None:
    """What changed from one book to another, clause by clause with sources. Exit code 0: the same, 1: different."""
    catalog = _loaded(shelf, COULD_NOT)
    before, after = (_meant(named, catalog, COULD_NOT) for named in (old, new))
    said, says, left_out = compared(catalog, before, after)
    found = list(changes(said, says))
    typer.echo(told(found, (before.book, after.book), left_out), nl=False)
    if found:
        raise typer.Exit(1)


@app.command("try")
def try_case(scheme: Named, case: Case, shelf: Shelf = BOOKS) -> None:
    """What would be decided of a case under a book, step by step; nothing is stored. Cases are written like stories.

    Exit code 1: something was decided otherwise than the case says.
    """
    catalog = _loaded(shelf, COULD_NOT)
    meant = _meant(scheme, catalog, COULD_NOT)
    wrong: list[str] = []
    try:
        story = read_story(case)
        lines = told_step_by_step(story, meant.book, with_draft(catalog, meant, story.story.scheme.split("/")[0]))
        for place, (line, faults_of_step) in enumerate(lines):  # as they come: a later one may make no sense
            typer.echo(line if place else f"{story.story.title}    {meant.book.ref}\n{line}")
            wrong += faults_of_step
    except (BadStory, BadBook) as bad:
        _refuse(*wrong, *bad.faults, exit_code=COULD_NOT)
    _refuse_with(wrong)


@app.command()
def whatif(
    scheme: Annotated[str, typer.Argument(help="The book in force, as `schemes list` names it.")],
    draft: Named,
    cycle: Annotated[str | None, typer.Option(help="Only the cases of this cycle.")] = None,
    machine: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    url: Annotated[str | None, typer.Option("--url", help=f"The database as the role auditor; {WITHOUT}")] = None,
    shelf: Shelf = BOOKS,
) -> None:
    """Which decisions about the cases of a scheme would have been other ones under a draft, and why. Nothing is stored.

    Every submission that was taken and every decision about it is asked again, with what was known then. What was
    refused at the time left no record, so nobody can tell whom a more lenient draft would have let in.

    Exit code 0: all the same, 1: something would change.
    """
    catalog = _loaded(shelf, COULD_NOT)
    book, proposed = _on_shelf(catalog, scheme, COULD_NOT), _meant(draft, catalog, COULD_NOT)
    try:
        run(replay_of(book, proposed, catalog, cycle), cycle, url, machine)
    except BadBook as bad:
        _refuse(*bad.faults, exit_code=COULD_NOT)
    except NoSuchCycle as missing:
        _refuse(str(missing), exit_code=COULD_NOT)


@app.command()
def publish(refs: Annotated[list[str], typer.Argument(metavar="BOOK...")], shelf: Shelf = BOOKS) -> None:
    """Freeze books, so that no word of them changes unseen. A published version never changes: a change is a next one.

    House rules (`platform`) hold for all books as they are: a change of them is published again, as a next edition.
    All or nothing: what is wrong with any book on the shelf stops it.
    """
    catalog = _loaded(shelf)
    books = [_on_shelf(catalog, ref) for ref in refs]
    for ref in sealing.house_rules_to_publish(catalog):
        if ref not in {book.ref for book in books}:
            _refuse(f"The house rules must be published first, or with it: ./zikao schemes publish {ref} {refs[0]}")
    for book in books:
        catalog = replace(catalog, published=sealing.with_seals_of(catalog, book))
    _refuse_with(faults(catalog))
    try:
        sealing.write(shelf, catalog.published)
    except OSError as error:  # in an image the books are fixed
        _refuse(f"{shelf / PUBLISHED} cannot be written ({error.strerror}): publish in a checkout.")
    for book in books:
        name = sealing.sealed_as(catalog, book)
        typer.echo(f"{name}: {len(catalog.published[name])} parts are published")


def _rows(table: Path) -> frozenset[str]:
    try:
        rows = rows_of(table)
    except OSError as error:
        _refuse(f"{table} cannot be read: {error.strerror}.")
    return rows or _refuse(f"{table}: no rows in this file.")


def _written(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        _refuse(f"{file} cannot be written: {error.strerror}.")
    typer.echo(f"Written: {file}")


def _loaded(shelf: Path, exit_code: int = 1) -> Catalog:
    try:
        return Catalog.load(shelf)
    except BadBook as bad:
        _refuse(*bad.faults, exit_code=exit_code)


def _meant(named: str, catalog: Catalog, exit_code: int = 1) -> Meant:
    """By its name on the shelf, or by the folder of a draft."""
    folder = Path(named)
    if "@" in named or not folder.is_dir():
        return Meant(_on_shelf(catalog, named, exit_code))
    try:
        return Meant.in_folder(folder.resolve())
    except BadBook as bad:
        _refuse(*bad.faults, exit_code=exit_code)


def _on_shelf(catalog: Catalog, ref: str, exit_code: int = 1) -> Book:
    """By its name, or by the beginning of it if only one book begins so: `hb`, `hb/recognition`."""
    meant = [each for each in catalog.refs() if each == ref or each.startswith((f"{ref}/", f"{ref}@"))]
    if ref not in meant and len(meant) != 1:
        _refuse(f"There is no book {ref}; there are {', '.join(catalog.refs())}.", exit_code=exit_code)
    return catalog.get(ref if ref in meant else meant[0])


def _refuse_with(found: list[str]) -> None:
    if found:
        _refuse(*found)


def _refuse(*sentences: str, exit_code: int = 1) -> NoReturn:
    sys.stdout.flush()
    typer.echo("\n".join(sentences), err=True)
    raise typer.Exit(exit_code)


def _stages(book: Book) -> tuple[Stage, ...]:
    return book.part("exemption", ExemptionScheme).stages if "exemption" in book.sheets else ()
