"""The commands behind `./zikao`. Each opens a room of `ops/`; nothing is decided here."""
# ruff: noqa: S603 starting programs is what this is for

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from ops import checks
from ops.demo.api import Unexpected
from ops.operate import ROOMS
from ops.rooms import opening
from ops.stack.places import CHECKOUT, Unserviceable, place_of
from ops.stack.screen import Screen
from ops.stack.stack import INTERRUPTED, MOST_REPLICAS, Stack, bring_down, erase, running_stack, stop_on_signals

KEPT = "Stopped. The data is kept: `./zikao down --erase` removes it."
Replicas = Annotated[
    int, typer.Option(min=1, max=MOST_REPLICAS, help="How many processes of each service share its address and work.")
]

app = typer.Typer(
    name="zikao",
    cls=opening({**ROOMS, "bench": "bench.main", "soak": "soak.main"}),
    help="Zikao runs the paperwork of self-taught higher education examinations (自考).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def up(replicas: Replicas = 1) -> None:
    """Bring up PostgreSQL, RabbitMQ, the sandbox and the services, until Ctrl-C.

    Data and logs stay in .zikao/ of the checkout (or, where a server could not work there, in the folder shown).
    Servers that already run are used when ZIKAO_POSTGRES_ADMIN_URL and ZIKAO_AMQP_URL name them.
    """
    with _stack(replicas) as (stack, screen):
        _serve(stack, screen)


@app.command()
def demo(
    leave: Annotated[bool, typer.Option("--exit", help="Stop everything after the story instead of serving.")] = False,
    replicas: Replicas = 1,
) -> None:
    """Bring up the stack and carry a candidate through each of four procedures; rebuild their trails from events."""
    from ops.demo import story  # it draws papers: OpenCV and the services' own pictures, which nothing else here needs

    with _stack(replicas) as (stack, screen):
        story.run(stack, screen.console)
        if not leave:
            _serve(stack, screen)


@app.command()
def down(
    remove: Annotated[bool, typer.Option("--erase", help="Also remove its data, for good.")] = False,
) -> None:
    """Stop the stack, also one that runs in another terminal."""
    place, screen = place_of(), Screen()
    screen.say("Stopped." if bring_down(place) else "Nothing was running.")
    if remove:
        erase(place)
        screen.say(f"Removed {place.data}.")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(
    context: typer.Context,
    fast: Annotated[bool, typer.Option("--fast", help="Leave out what needs servers.")] = False,  # noqa: PT028 not a test of pytest
) -> None:
    """Run every check: static, unit, integration on real servers, journeys. Other words go to pytest."""
    if not checks.run(fast=fast, pytest_words=context.args):
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lock(context: typer.Context) -> None:
    """Compile requirements/*.in into hashed locks. Other words go to uv: --upgrade, --upgrade-package NAME."""
    uv = Path(sys.executable).with_name("uv")
    for name in ("runtime", "dev"):
        compile_it = ["pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header"]
        files = ["--python-version", "3.11", f"{name}.in", "--output-file", f"{name}.lock"]
        subprocess.run([uv, *compile_it, *files, *context.args], cwd=CHECKOUT / "requirements", check=True)


@contextmanager
def _stack(replicas: int) -> Iterator[tuple[Stack, Screen]]:
    """A Ctrl-C before it serves is a clean stop too, but what was asked for was not done."""
    screen = Screen()
    stop_on_signals()
    try:
        with running_stack(place_of(), screen, replicas) as stack:
            screen.table(stack.rows())
            yield stack, screen
    except KeyboardInterrupt:
        screen.say(KEPT)
        raise typer.Exit(INTERRUPTED) from None


def _serve(stack: Stack, screen: Screen) -> None:
    screen.say("Serving; Ctrl-C stops it.")
    with suppress(KeyboardInterrupt):
        while True:
            stack.look_after()
            time.sleep(0.5)
    screen.say(KEPT)


def main() -> None:
    try:
        app(prog_name="./zikao")
    except (Unserviceable, Unexpected) as reason:
        Screen().fail(str(reason))
        sys.exit(1)


if __name__ == "__main__":
    main()
