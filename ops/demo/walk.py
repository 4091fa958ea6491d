"""One story under way: who is in it, which case it has become, and what its steps need of the stack.

`story.py` has it go on; the steps are functions of `steps_of_candidates.py` and `steps_of_offices.py`, named by YAML.
Whatever the book says is read through the API, as portal and console do.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from rich.console import Console

from ops.demo.api import Api, Unexpected
from ops.demo.candidate import Candidate, Registration
from ops.demo.office import ADMINISTRATOR, Office
from ops.demo.operator import Operator
from ops.demo.script import Position, Script
from ops.demo.telling import Teller
from ops.demo.today import passes, until_there_is_room, windows_for_today
from ops.stack.stack import Stack
from shared.kernel.time import SHANGHAI, utc_now

PATIENCE = 60.0
"""Seconds for what follows by events, a moment later."""
Step = Callable[..., None]
"""Takes the walk and what its line in YAML says."""


class Walk:
    def __init__(self, stack: Stack, console: Console, script: Script, office: Office | None = None) -> None:
        self.stack = stack
        self.script = script
        self.tell = Teller(console)
        self.operator = Operator(stack)
        self.office = office or Office(stack)
        self.candidate = Candidate(number=self.office.next_candidate(), name=script.candidate)
        self.registration = Registration(stack, self.operator, self.candidate)
        self.facts = self.candidate.facts()
        self.identity, self.exemption, self.notification = (
            Api(stack.base_url(name)) for name in ("identity", "exemption", "notification")
        )
        """As the candidate sees them."""
        self.cycle = ""
        self.case = ""
        self.draft: dict[str, Any] = {"form": {}, "photos": {}, "claims": [], "majors": []}
        self.sms_before = 0
        self._left = list(script.steps)

    # --- going on

    def go_on(self, steps: Mapping[str, Step], *, through: str | None = None) -> None:
        """Step by step, to the end of the story, or of its next step `through`."""
        while self._left:
            name, said = self._left.pop(0)
            steps[name](self, **said)
            if name == through:
                return

    # --- the book and its cycle

    @cached_property
    def book(self) -> dict[str, Any]:
        """The rules, as everybody may read them."""
        shown: dict[str, Any] = self.exemption.get(f"/v1/schemes/{self.script.scheme}")["exemption"]
        return shown

    def open_offices(self) -> None:
        self.office.open(self.script.organisations, self.script.people)

    def open_cycle(self) -> None:
        """The cycle of an earlier run today, or a new one (the organisations reach exemption as events)."""
        said = self.script.cycle
        time.sleep(until_there_is_room(said.windows, utc_now()).total_seconds())
        opener = self._opener()
        title = f"{said.title} {utc_now().astimezone(SHANGHAI).date()}"
        wanted = None if passes(said.windows) else self._cycle_titled(title)
        self.cycle = wanted or self.wait(lambda: self._opened(opener, title))
        self.wait(lambda: self._places() <= self._choices() or None)

    def _opener(self) -> Api:
        """Who holds, where the cycle is opened or above, a role that the book lets open it; else the administrator."""
        places = set(self._upwards(self.script.cycle.organisation))
        allowed = {(role, at) for role in self.book["open_by"] for at in places}
        held = (each.login for each in self.script.people if allowed & {*each.roles})
        return self.as_staff(next(held, ADMINISTRATOR))

    def _upwards(self, organisation: str | None) -> Iterator[str]:
        above = {each.code: each.parent for each in self.script.organisations}
        while organisation:
            yield organisation
            organisation = above[organisation]

    def _cycle_titled(self, title: str) -> str | None:
        cycles = self.exemption.get("/v1/cycles", scheme=self.script.scheme)["items"]
        return next((cycle["id"] for cycle in cycles if cycle["title"] == title and not cycle["closed"]), None)

    def _opened(self, opener: Api, title: str) -> str | None:
        said = self.script.cycle
        purposes = [window["id"] for window in self.book["windows"]]
        windows = windows_for_today(purposes, said.windows, utc_now())
        body = {"scheme": self.script.scheme, "organisation": said.organisation, "title": title, "windows": windows}
        opened = opener.post_unless({"exemption.no_such_organisation"}, "/v1/cycles", body)
        return opened["id"] if opened else None

    def _places(self) -> set[str]:
        """The organisations of the story that a field of the book lets choose."""
        levels = {field["level"] for field in self.book.get("fields", ()) if field["kind"] == "organisation"}
        return {each.code for each in self.script.organisations if each.level in levels}

    def _choices(self) -> set[str]:
        return {each["id"] for each in self.exemption.get(f"/v1/cycles/{self.cycle}/organisations")["items"]}

    # --- people

    def sign_in(self) -> None:
        token = self.registration.sign_in()
        for service in (self.identity, self.exemption, self.notification):
            service.sign(token)

    def as_staff(self, login: str, service: str = "exemption") -> Api:
        api = Api(self.stack.base_url(service))
        api.sign(self.office.token(login))
        return api

    def holders(self, role: str, level: str) -> list[Position]:
        """Whoever of the story holds this role at an organisation of this level."""
        levels = {each.code: each.level for each in self.script.organisations}
        return [each for each in self.script.people if any(r == role and levels[at] == level for r, at in each.roles)]

    # --- waiting

    def wait(self, ask: Callable[[], Any], otherwise: Callable[[], str] = lambda: "what follows by events") -> Any:
        """What another service says follows by events, a moment later."""
        until = time.monotonic() + PATIENCE
        while (found := ask()) is None:
            if time.monotonic() > until:
                raise Unexpected(f"did not come within {PATIENCE:.0f} s: {otherwise()}")
            time.sleep(0.1)
        return found
