"""The demonstration: a made-up candidate for each procedure, over HTTP; then the trails rebuilt from events alone.

`./zikao demo` runs it on a stack that is up.
"""

from collections.abc import Mapping

from rich.console import Console

from ops.demo import steps_of_candidates, steps_of_offices
from ops.demo.office import Office
from ops.demo.proof import prove
from ops.demo.script import scripts
from ops.demo.walk import Step, Walk
from ops.stack.stack import Stack

STEPS: Mapping[str, Step] = {**steps_of_offices.STEPS, **steps_of_candidates.STEPS}
CERTIFICATE = "certificate"
"""The story that journeys and soaks tell in parts: 1+X."""


def run(stack: Stack, console: Console) -> dict[str, Walk]:
    """Tell every story on `stack` and print its proof; raises `Unexpected` when a service answers otherwise."""
    office = Office(stack)
    walks = {name: Walk(stack, console, script, office) for name, script in scripts().items()}
    for walk in walks.values():
        walk.tell.heading(walk.script.title)
        walk.go_on(STEPS)
    prove(stack, {walk.case: walk.script.title for walk in walks.values()}, console)
    return walks


def told_through(walk: Walk, step: str) -> Walk:
    """The story up to the end of its next step of this name."""
    walk.go_on(STEPS, through=step)
    return walk
