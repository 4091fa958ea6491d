"""Two tables without gaps: every state x command, and every role x command x organisation.

A cell is what happens: the events, or the code of the refusal. A forgotten guard shows as a changed cell.
"""

from collections.abc import Callable, Iterator

import pytest

from services.exemption.domain.access import available_actions, must_be_readable
from services.exemption.domain.case import Case
from services.exemption.domain.commands import (
    AcknowledgeRecord,
    ApplicationCommand,
    DiscardDraft,
    PassStage,
    ReturnApplication,
)
from shared.kernel.errors import Refused
from tests.services.exemption.story import (
    CANDIDATE,
    CASE,
    HAND_OFF,
    PRINT,
    START,
    SUBMIT,
    Past,
    at,
    draft,
    first_passed,
    granted,
    handed_off,
    me,
    nothing,
    passing,
    returned_by_first,
    returned_by_second,
    returning,
    save,
    submitted,
)

PASTS: dict[str, Callable[[], Past]] = {
    "nothing": nothing,
    "draft": draft,
    "submitted": submitted,
    "returned by 初审": returned_by_first,
    "first passed": first_passed,
    "returned by 复核": returned_by_second,
    "granted": granted,
    "handed off": handed_off,
    "acknowledged": lambda: handed_off().and_then(AcknowledgeRecord(batch="batch-1", reference="1"), at("zhao")),
    "discarded": lambda: draft().and_then(DiscardDraft(application=CASE), me()),
}
COMMANDS: dict[str, tuple[str, ApplicationCommand]] = {  # who would rightly send it, and what
    "start": (CANDIDATE, START),
    "save": (CANDIDATE, save()),
    "submit": (CANDIDATE, SUBMIT),
    "discard": (CANDIDATE, DiscardDraft(application=CASE)),
    "pass 初审": ("li", passing("初审")),
    "return 初审": ("li", returning("初审")),
    "pass 复核": ("wang", passing("复核")),
    "return 复核": ("wang", returning("复核")),
    "print": ("wang", PRINT),
    "hand off": ("wang", HAND_OFF),
    "acknowledge": ("zhao", AcknowledgeRecord(batch="batch-1", reference="1")),
}
CODES = {
    "-": "access.not_found",
    "over": "exemption.ended",
    "sent": "exemption.already_submitted",
    "shut": "exemption.stage_not_open",
    "early": "exemption.not_granted",
    "begun": "exemption.already_started",
    "other": "exemption.not_your_stage",
    "draft": "exemption.not_a_draft",
    "done": "exemption.already_acknowledged",
    "ok": "ok",
}
CELLS = """
state            | start save  submit discard pass初 return初 pass复 return复 print hand_off acknowledge
nothing          | ok    -     -      -       -      -        -      -        -     -        -
draft            | begun ok    ok     ok      -      -        -      -        -     -        -
submitted        | begun sent  sent   sent    ok     ok       -      -        -     -        -
returned by 初审 | begun ok    ok     draft   shut   shut     -      -        -     -        -
first passed     | begun sent  sent   sent    other  other    ok     ok       early early    -
returned by 复核 | begun ok    ok     draft   shut   shut     shut   shut     early early    -
granted          | begun over  over   over    shut   shut     shut   shut     ok    ok       -
handed off       | begun over  over   over    shut   shut     shut   shut     ok    early    ok
acknowledged     | begun over  over   over    shut   shut     shut   shut     ok    early    done
discarded        | begun over  over   over    -      -        -      -        -     -        -
"""


def _cells() -> Iterator[tuple[str, str, str]]:
    _, *rows = CELLS.strip().splitlines()
    for row in rows:
        state, cells = row.split("|")
        for command, cell in zip(COMMANDS, cells.split(), strict=True):
            yield state.strip(), command, CODES[cell]


@pytest.mark.parametrize(("state", "command", "cell"), list(_cells()))
def test_every_command_in_every_state_is_events_or_a_code(state: str, command: str, cell: str) -> None:
    who, sent = COMMANDS[command]
    outcome = PASTS[state]().when(sent, at(who))
    assert ("ok" if outcome.refusal is None else outcome.refusal.code) == cell


def test_the_table_knows_every_state() -> None:
    assert [state for state, command, _ in _cells() if command == "start"] == list(PASTS)


# --- who may ------------------------------------------------------------------------------------------------------

PEOPLE = [
    (role, organisation)
    for role in ("teaching_point_admin", "university_admin", "authority_clerk", "administrator", "auditor")
    for organisation in ("point-a", "point-b", "uni", "other-point", "other-uni", "authority", "*")
]
POINT = {("teaching_point_admin", "point-a"), ("teaching_point_admin", "*")}  # a role held at "*" holds everywhere
UNIVERSITY = {("university_admin", "uni"), ("university_admin", "*")}
AUTHORITY = {("authority_clerk", "authority"), ("authority_clerk", "*")}
MAY = {
    "pass 初审": {("submitted", *who) for who in POINT},
    "return 初审": {("submitted", *who) for who in POINT},
    "pass 复核": {("first passed", *who) for who in UNIVERSITY},
    "return 复核": {("first passed", *who) for who in UNIVERSITY},
    "print": {(state, *who) for state in ("granted", "handed off", "acknowledged") for who in UNIVERSITY},
    "hand off": {("granted", *who) for who in UNIVERSITY},
    "acknowledge": {("handed off", *who) for who in AUTHORITY},
}


@pytest.mark.parametrize("command", list(COMMANDS))
def test_only_the_named_role_at_the_named_organisation_may_do_it(command: str) -> None:
    """Everybody else is refused, in every state, with every role at every organisation."""
    for state, past in PASTS.items():
        for role, organisation in PEOPLE:
            if command == "start":
                continue  # whoever starts an application is its candidate
            context = at("somebody", roles=frozenset({(role, organisation)}))
            outcome = past().when(COMMANDS[command][1], context)
            allowed = (state, role, organisation) in MAY.get(command, set())
            assert (outcome.refusal is None) == allowed, (state, role, organisation, outcome.refusal)


@pytest.mark.parametrize("state", list(PASTS))
def test_a_candidate_can_do_nothing_to_the_application_of_another(state: str) -> None:
    past = PASTS[state]()
    for name, (_, command) in COMMANDS.items():
        if name != "start":
            past.when(command, at("candidate-other")).refused("access.not_found")


READERS = {
    "nothing": set(),
    "draft": set(),
    "submitted": POINT,
    "returned by 初审": POINT,
    "discarded": set(),
} | dict.fromkeys(("first passed", "returned by 复核", "granted", "handed off", "acknowledged"), POINT | UNIVERSITY)


@pytest.mark.parametrize("state", list(PASTS))
def test_only_desks_that_an_application_has_reached_may_read_it(state: str) -> None:
    application = PASTS[state]().state
    may = set()
    for role, organisation in PEOPLE:
        try:
            must_be_readable(application, "somebody", frozenset({(role, organisation)}))
        except Refused as refused:
            if refused.code != "access.not_found" or refused.facts:
                raise
        else:
            may.add((role, organisation))
    assert may == READERS[state]


@pytest.mark.parametrize("state", list(PASTS))
@pytest.mark.parametrize("who", [CANDIDATE, "li", "wang", "zhao", "nobody"])
def test_what_is_offered_succeeds_and_what_is_not_offered_is_refused(state: str, who: str) -> None:
    past = PASTS[state]()
    offered = set(available_actions(past.state, at(who)))
    stage = past.state.desk.stage if isinstance(past.state, Case) and hasattr(past.state, "desk") else "初审"
    commands: dict[str, ApplicationCommand] = {
        "save": save(),
        "submit": SUBMIT,
        "discard": DiscardDraft(application=CASE),
        "pass": PassStage(application=CASE, stage=stage, checklist=passing(stage).checklist),
        "return": ReturnApplication(application=CASE, stage=stage, reason_code="name_wrong", note="不一致"),
        "print": PRINT,
        "hand_off": HAND_OFF,
    }
    for action, command in commands.items():
        outcome = past.when(command, at(who))
        assert (outcome.refusal is None) == (action in offered), (action, outcome.refusal)
