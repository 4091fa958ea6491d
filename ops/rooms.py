"""Words of the command line whose room is opened only when one of them is asked for.

Together the rooms import every service, OpenCV and the benches: three seconds of processor time, which `down` and `up`
would pay as well. `--help` opens them all, since each says itself what it is for.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


def opening(rooms: Mapping[str, str]) -> type[TyperGroup]:
    """A group with these words beside its own commands: word -> module, whose `app` is the command."""

    class Rooms(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return [*super().list_commands(ctx), *rooms]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in rooms:
                return super().get_command(ctx, cmd_name)
            command = typer.main.get_command(import_module(rooms[cmd_name]).app)
            command.name = cmd_name
            return command

    return Rooms
