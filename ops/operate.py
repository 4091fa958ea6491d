"""What operators ask of a Zikao that is there: audit, cycles, what waits, read models, books, administrator.

`./zikao` has these among its commands. On a server with Docker the container `ops` of `docker-compose.yml` runs this
module, so it imports nothing that the image has not: neither the servers of a stack of one's own nor the benches.
"""

import sys

import typer

from ops.rooms import opening
from ops.stack.places import Unserviceable
from ops.stack.screen import Screen
from ops.words import called

ROOMS = {
    "audit": "ops.audit",
    "cycles": "ops.cycles",
    "parked": "ops.parked",
    "replay": "ops.replay",
    "schemes": "ops.schemes",
    "admin": "ops.first_admin",
}

app = typer.Typer(
    cls=opening(ROOMS),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _words() -> None:
    """What an operator may ask of the running Zikao."""  # without it Typer sees no group here: the rooms are not open


def main() -> None:
    try:
        app(prog_name=called())
    except Unserviceable as reason:
        Screen().fail(str(reason))
        sys.exit(1)


if __name__ == "__main__":
    main()
