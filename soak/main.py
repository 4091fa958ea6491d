"""`./zikao soak`: a stack of its own under load, broken again and again, and the checker's verdict at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from secrets import randbelow
from typing import TYPE_CHECKING, Annotated

import typer

from ops.stack.screen import Screen
from ops.stack.stack import INTERRUPTED, MOST_REPLICAS, Stack, stack_of_its_own, stop_on_signals

if TYPE_CHECKING:
    from soak.checker import Verdict


app = typer.Typer(add_completion=False)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option("--minutes", min=0.1, help="How long things are broken.")] = 10.0,
    seed: Annotated[int | None, typer.Option("--seed", help="Run this choice of faults again.")] = None,
    replicas: Annotated[
        int, typer.Option("--replicas", min=1, max=MOST_REPLICAS, help="How many processes each service has.")
    ] = 1,
) -> None:
    """Run a load over HTTP on a stack of its own, break things at random, and check that nothing is lost or twice.

    A line a minute tells how it goes. Then faults and load end, the system comes to rest, and the checker compares what
    was acknowledged with stores, logs, inboxes, effects, read models and SMS. docs/faults.md says what is promised.
    Ctrl-C ends it without a verdict.
    """
    chosen = randbelow(1_000_000) if seed is None else seed
    screen = Screen()
    screen.say(f"soak: seed {chosen}, {minutes:g} minutes, {replicas} of each service")
    stop_on_signals()
    try:
        with stack_of_its_own(screen, replicas) as stack:
            # loaded only now, because the libraries it needs take a second that no other command has to wait
            running = import_module("soak.running")
            breaking = partial(running.broken_for, minutes * 60, chosen)
            again = f"--seed {chosen} --minutes {minutes:g} --replicas {replicas}"
            kept = stack.place.home / "soaks" / f"{chosen}-{int(time.time())}"
            code = concluded(stack, screen, partial(running.soaked, stack, screen, chosen, breaking), kept, again)
    except KeyboardInterrupt:
        screen.say("soak: stopped before there was a verdict")
        raise typer.Exit(INTERRUPTED) from None
    if code:
        raise typer.Exit(code)


def concluded(stack: Stack, screen: Screen, soaked: Callable[[], Verdict], kept: Path, again: str) -> int:
    """The exit code; unless it ends well, journal and logs are kept, and it is said how to do it `again`."""
    good = False
    try:
        good = soaked().good
    finally:
        if not good:
            _keep(stack.place.logs, stack.place.data / "journal.jsonl", kept)
            screen.say(f"Logs and journal are kept in {kept}; run it again with {again}")
    return 0 if good else 1


def _keep(logs: Path, journal: Path, kept: Path) -> None:
    """The place is temporary, and what it tells of a failure is not."""
    kept.mkdir(parents=True, mode=0o700)
    for file in (*logs.glob("*.log"), *journal.parent.glob(journal.name)):  # no journal before there are people
        (kept / file.name).write_bytes(file.read_bytes())
