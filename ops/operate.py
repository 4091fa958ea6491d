"""What operators ask of a Zikao that is there: audit, cycles, what waits, read models, books, administrator.

`./zikao` has these among its commands. On a server with Docker the container `ops` of `docker-compose.yml` runs this
module, so it imports nothing that the image has not: neither the servers of a stack of one's own nor the benches.
"""

import sys

import typer

from ops import audit, cycles, first_admin, parked, replay, schemes
from ops.stack.places import Unserviceable
from ops.stack.screen import Screen
from ops.words import called

app = typer.Typer(
    help="What an operator may ask of the running Zikao.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(audit.app, name="audit")
app.add_typer(cycles.app, name="cycles")
app.add_typer(parked.app, name="parked")
app.add_typer(replay.app, name="replay")
app.add_typer(schemes.app, name="schemes")
app.add_typer(first_admin.app, name="admin")


def main() -> None:
    try:
        app(prog_name=called())
    except Unserviceable as reason:
        Screen().fail(str(reason))
        sys.exit(1)


if __name__ == "__main__":
    main()
