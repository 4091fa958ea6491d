"""The made-up people of the soak: registered once, over HTTP; then only their stories go on.

Whoever owns the stack has its token keys: tokens are made here, so that a story of half an hour needs no signing in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial

from joserfc import jwt
from joserfc.jwk import KeySet
from rich.console import Console

from ops.demo.api import Api
from ops.demo.candidate import PASSWORD, Candidate, Registration
from ops.demo.office import ADMINISTRATOR, Office
from ops.demo.operator import Operator
from ops.demo.script import scripts
from ops.demo.story import CERTIFICATE, told_through
from ops.demo.walk import Walk
from ops.stack.stack import Stack
from shared import events
from shared.kernel.time import utc_now
from shared.runtime.access import ALGORITHM, EVERYWHERE, ISSUER
from shared.testing.pictures import certificate, id_back, id_front, paper_alone

STORY = scripts()[CERTIFICATE]
SCHEME = STORY.scheme
FIRST_REVIEWER, FINAL_REVIEWER, CLERK = STORY.people
TEACHING_POINT = next(each for each in STORY.organisations if each.level == "teaching_point")
TOKEN_HOURS = 24
_AT_ONCE = 2


@dataclass(frozen=True)
class Person:
    """Somebody with a token that outlasts the soak; `id` is what command ids are made of."""

    id: str
    token: str


@dataclass(frozen=True)
class Applicant:
    """A candidate with papers to photograph; `form` is right as it stands, but for the certificate's number."""

    number: int
    person: Person
    form: Mapping[str, str]
    certificate: str
    papers: Mapping[str, bytes]


@dataclass(frozen=True)
class People:
    administrator: Person
    first_reviewer: Person
    final_reviewer: Person
    clerk: Person
    cycle: str
    applicants: list[Applicant] = field(default_factory=list)


def gathered(stack: Stack, applicants: int) -> People:
    """Offices, a cycle for today, and so many candidates with their papers at hand."""
    office = Office(stack)
    told_through(Walk(stack, Console(quiet=True), STORY, office), "open_cycle")
    administrator = _person(stack, office.id_of(ADMINISTRATOR), "staff", (("administrator", EVERYWHERE),))
    first, final, clerk = (
        _person(stack, office.id_of(position.login), "staff", position.roles)
        for position in (FIRST_REVIEWER, FINAL_REVIEWER, CLERK)
    )
    candidates = [Candidate(office.next_candidate()) for _ in range(applicants)]
    cycle = _cycle(stack, administrator)
    with ThreadPoolExecutor(_AT_ONCE) as several:
        ready = list(several.map(partial(_applicant, stack), candidates))
    return People(administrator, first, final, clerk, cycle, ready)


def _cycle(stack: Stack, administrator: Person) -> str:
    exemption = Api(stack.base_url("exemption"))
    exemption.sign(administrator.token)
    cycles = exemption.get("/v1/cycles", scheme=SCHEME)["items"]
    return str(next(cycle["id"] for cycle in cycles if not cycle["closed"]))


def _applicant(stack: Stack, candidate: Candidate) -> Applicant:
    registration = Registration(stack, Operator(stack), candidate)
    registration.prove_mobile()
    registration.choose_password()
    registration.identify()
    session = Api(stack.base_url("identity")).post("/v1/sessions", {"login": candidate.mobile, "password": PASSWORD})
    person = _person(stack, session["person"], "candidate")
    exemption = Api(stack.base_url("exemption"))
    exemption.sign(person.token)
    listed = exemption.get(f"/v1/schemes/{SCHEME}")["exemption"]["certificates"][0]
    form = {
        "teaching_point": TEACHING_POINT.code,
        "name": candidate.name,
        "id_number": candidate.id_number,
        "mobile": candidate.mobile,
        "certificate": listed["id"],
        "certificate_level": listed["lowest_level"],
        "valid_until": "2099-06-29",
        "remark": "",
    }
    return Applicant(candidate.number, person, form, candidate.certificate_number, _papers())


def _person(stack: Stack, id_: str, kind: str, roles: Sequence[tuple[str, str]] = ()) -> Person:
    """With a token as identity makes them, but for the time it lasts."""
    key = KeySet.import_key_set(json.loads(stack.secrets.token_keys)).keys[0]
    issued = int(utc_now().timestamp())
    claims = {"sub": id_, "kind": kind, "aud": list(events.SERVICES), "roles": roles, "iss": ISSUER}
    lasting = {**claims, "iat": issued, "exp": issued + TOKEN_HOURS * 3600}
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}
    return Person(id_, jwt.encode(header, lasting, key, algorithms=[ALGORITHM]))


@cache
def _papers() -> Mapping[str, bytes]:
    """Drawn once for all: what is read on them is a hint to reviewers, and nothing here is about reading."""
    drawn = {"id_front": id_front(), "id_back": id_back(), "certificate_photo": certificate()}
    return {slot: paper_alone(paper) for slot, paper in drawn.items()}
