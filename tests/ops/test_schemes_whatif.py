"""`./zikao schemes whatif`: which decisions would be other ones under a draft, and why."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from ops.schemes import app
from ops.schemes.replaying import Replay
from ops.schemes.retelling import Change
from ops.schemes.whatif import NOT_ASKED, told
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.commands import PassStage, ReleaseTicket, SaveDraft, SubmitApplication
from services.exemption.domain.scheme import Rules
from services.exemption.domain.terms import Uniqueness
from shared.events.exemption import (
    AccountFollowed,
    CycleOpened,
    EducationFollowed,
    ExemptionRevoked,
    OrganisationFollowed,
    PhotographAccepted,
    StagePassed,
    TicketReleased,
    VerificationFollowed,
    WindowSet,
)
from shared.kernel.messages import Event, Fact, Meta
from shared.runtime.database import AUDITOR, as_role
from shared.schemes.catalog import BOOKS
from shared.testing.given import given
from shared.testing.stores import PASSWORD, prepared
from tests.conftest import Databases
from tests.schemes.test_vocabulary import CLAIMS
from tests.services.exemption import claims_story as story
from tests.services.exemption.office import CLERK, open_office
from tests.services.exemption.story import Past

KEY = {"ZIKAO_KEK": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}  # shared.testing.stores.KEK
ACCOUNT, RECORD = story.ACCOUNT, story.DIPLOMA


def fact(stream: str, version: int, event: Event, at: Any = story.NOON, actor: str = story.CANDIDATE) -> Fact[Any]:
    return Fact("exemption", stream, version, event, uuid4(), Meta(uuid4(), actor, at, person=story.CANDIDATE))


def around(rules: Rules) -> Iterator[Fact[Any]]:
    """What exemption had learnt before the first application: organisations, the cycle, the person, photographs."""
    for each in story.ORGANISATIONS.values():
        learnt = OrganisationFollowed(title=each.title, level=each.level, parent=each.parent, phones=(), closed=False)
        yield fact(f"organisation-{each.id}", 1, learnt)
    opened = CycleOpened(scheme=rules.ref, organisation="harbour", title="测试批次", opened_by="x", clause="")
    yield fact("cycle-cycle-1", 1, opened)
    for version, (purpose, window) in enumerate(story.WINDOWS[rules.ref].items(), 2):
        days: dict[str, Any] = {
            "from_day": window.from_day,
            "to_day": window.to_day,
            "daily": window.daily,
            "excluded": (),
        }
        yield fact("cycle-cycle-1", version, WindowSet(purpose=purpose, **days, close_inclusive=False, clause=""))
    account = {name: getattr(ACCOUNT, name) for name in ("holder", "id_number", "mobile", "ticket_number")}
    diploma = {name: getattr(RECORD, name) for name in EducationFollowed.__struct_fields__ if name != "record"}
    for version, event in enumerate(
        (
            AccountFollowed(**account),
            VerificationFollowed(jurisdiction="lagoon", level="photographs"),
            EducationFollowed(record=story.RECORD, **diploma),
        ),
        1,
    ):
        yield fact(f"person-{story.CANDIDATE}", version, event)
    for upload, photo in story.photographs(rules).items():
        kept: dict[str, Any] = dict.fromkeys(PhotographAccepted.__struct_fields__, "")
        kept |= {"owner": photo.owner, "application": photo.application, "slot": photo.slot, "cropped": False}
        yield fact(f"upload-{upload}", 1, PhotographAccepted(**{**kept, "results": (), "hints": (), "reading": {}}))


def changes(draft: Rules, past: Sequence[Event], decided: Sequence[Event] = ()) -> tuple[list[Change], list[str]]:
    """What would change of a case that was handed in, and then decided by the harbour master after the window."""
    replay = Replay.of(story.ISLE, draft)
    for each in around(story.ISLE):
        replay.take(each)
    for version, event in enumerate(past, 1):
        replay.take(fact(f"application-{story.CASE}", version, event))
    for version, event in enumerate(decided, len(past) + 1):
        replay.take(fact(f"application-{story.CASE}", version, event, story.LATER, "master"))
    assert replay.not_reproduced == set()
    return list(replay.changes.values()), list(told(replay))


def changed(**parts: Any) -> Rules:
    return replace(story.ISLE, book=story.ISLE.book.model_copy(update=parts))


def granted() -> tuple[Sequence[Event], Sequence[Event]]:
    past = story.submitted()
    return past.past, past.when(story.passing("审核"), story.at("master", story.LATER)).happened()


def test_under_the_book_itself_nothing_changes() -> None:
    found, lines = changes(story.ISLE, *granted())
    assert found == []
    assert lines == ["共 1 件，2 次决定重放；结果不同 0 件，其中不受理 0 件。", NOT_ASKED]


def test_a_limit_that_becomes_stricter_refuses_at_handing_in_with_rule_inputs_and_clause() -> None:
    assert story.ISLE.book.claims is not None
    limit = story.ISLE.book.claims.model_copy(update={"most": 1})
    (change,), lines = changes(changed(claims=limit), *granted())
    assert (change.case, change.step, change.would_be) == (story.CASE, "提交（第1次）", "")
    (why,) = change.why
    assert (why.rule, why.code) == ("claims_must_be_within_the_limit", "exemption.too_many")
    assert (dict(why.inputs), why.clause) == (
        {"count": 2, "least": 1, "most": 1},
        "lagoon/isle@1 exemption.claims TT-40",
    )
    assert "      lagoon/isle@1 exemption.claims TT-40    依据的事实：count=2，least=1，most=1" in lines
    assert lines[-2] == "共 1 件，1 次决定重放；结果不同 1 件，其中不受理 1 件。"


def test_a_checklist_that_becomes_longer_would_have_stopped_a_stage() -> None:
    stage = story.ISLE.book.stages[0]
    item = stage.checklist[0].model_copy(update={"id": "in_colour", "text": "彩色"})
    longer = stage.model_copy(update={"checklist": (*stage.checklist, item)})
    (change,), _ = changes(changed(stages=(longer,)), *granted())
    assert (change.step, change.why[0].code) == ("审核：通过", "exemption.checklist_incomplete")
    assert change.why[0].clause == "lagoon/isle@1 exemption.stages[审核] TT-44"


def test_another_stage_is_another_outcome_and_not_a_refusal() -> None:
    stage = story.ISLE.book.stages[0]
    second = stage.model_copy(update={"name": "复审"})
    (change,), _ = changes(changed(stages=(stage, second)), *granted())
    assert change.was == "审核：通过（由 harbour_master）；准予免考（课程 90001、90002、90003、90004）"
    assert change.would_be == "审核：通过（由 harbour_master）；等待复审（由 harbour_master）"


def test_a_fee_that_becomes_another_is_another_outcome_of_handing_in() -> None:
    payment = story.FERRY.book.payment
    assert payment is not None
    dearer = story.FERRY.book.model_copy(update={"payment": payment.model_copy(update={"fen": 3050})})
    past = given(APPLICATION).and_then(story.START, story.me(by=story.FERRY))
    saved = SaveDraft(application=story.CASE, form=story.FERRY_FORM, photos={}, claims=story.FERRY_GOOD)
    past = past.and_then(saved, story.me(by=story.FERRY)).and_then(story.SUBMIT, story.me(by=story.FERRY))
    replay = Replay.of(story.FERRY, replace(story.FERRY, book=dearer))
    for each in around(story.FERRY):
        replay.take(each)
    for version, event in enumerate(past.past, 1):
        replay.take(fact(f"application-{story.CASE}", version, event))
    assert replay.not_reproduced == set()
    (change,) = replay.changes.values()
    assert change.was.endswith("等待缴纳免考课程审核费（金额 50.00）")
    assert change.would_be.endswith("等待缴纳免考课程审核费（金额 61.00）")
    assert change.why[0].clause == "lagoon/ferry@1 exemption.payment TT-74"


NO_PHOTOGRAPHS = replace(story.REEF, book=story.REEF.book.model_copy(update={"photos": (), "materials": ()}))
NO_TICKET = replace(ACCOUNT, ticket_number="")


def typed_in_by(who: str, case: str) -> Past:
    """Two people with one ticket number, which identity knows of neither."""
    context = story.at(who, by=story.REEF, rules=NO_PHOTOGRAPHS, application=case, account=NO_TICKET)
    claims = tuple({**each, "photos": {}} for each in story.REEF_GOOD)
    draft = SaveDraft(application=case, form=story.REEF_FORM, photos={}, claims=claims, majors=("本科 990101",))
    past = given(APPLICATION).and_then(story.START, context).and_then(draft, context)
    return past.and_then(SubmitApplication(application=case), context)


def test_a_ticket_number_that_was_given_back_is_its_owners_in_the_replay_too() -> None:
    taken, owners = typed_in_by(story.CANDIDATE, "taken"), typed_in_by("candidate-owner", "owners")
    release = ReleaseTicket(application="taken", seen={"ticket": True}, reason_code="not_theirs", note="x")
    master = story.at("master", by=story.REEF, rules=NO_PHOTOGRAPHS, application="taken")
    replay = Replay.of(NO_PHOTOGRAPHS, NO_PHOTOGRAPHS)
    for each in around(story.REEF):
        replay.take(each)
    known = {name: getattr(NO_TICKET, name) for name in ("holder", "id_number", "mobile", "ticket_number")}
    for who, version in ((story.CANDIDATE, 4), ("candidate-owner", 1)):
        replay.take(fact(f"person-{who}", version, AccountFollowed(**known)))
    for version, event in enumerate(taken.past, 1):
        replay.take(fact("application-taken", version, event))
    (released,) = taken.when(release, master).happened()
    replay.take(fact("application-taken", len(taken.past) + 1, released, actor="master"))
    for version, event in enumerate(owners.past, 1):
        replay.take(fact("application-owners", version, event, actor="candidate-owner"))
    assert (replay.changes, replay.not_reproduced, replay.decisions) == ({}, set(), 3)


def test_an_approval_that_ended_with_its_ticket_number_is_no_decision_of_its_own() -> None:
    """The revocation that follows is compared with the release, and by no reasons of the revoking office."""
    master = story.at("master", by=story.REEF, rules=NO_PHOTOGRAPHS, application="taken")
    mate = replace(master, actor="mate")
    release = ReleaseTicket(application="taken", seen={"ticket": True}, reason_code="not_theirs", note="x")
    past = typed_in_by(story.CANDIDATE, "taken")
    for stage, who in (("现场确认", master), ("审核", mate)):
        checklist = story.passing(stage, story.REEF).checklist
        past = past.and_then(PassStage(application="taken", stage=stage, checklist=checklist), who)
    replay = Replay.of(NO_PHOTOGRAPHS, NO_PHOTOGRAPHS)
    for each in around(story.REEF):
        replay.take(each)
    known = {name: getattr(NO_TICKET, name) for name in ("holder", "id_number", "mobile", "ticket_number")}
    replay.take(fact(f"person-{story.CANDIDATE}", 4, AccountFollowed(**known)))
    for version, event in enumerate(past.and_then(release, master).past, 1):
        actor = {"现场确认": "master", "审核": "mate"}.get(getattr(event, "stage", ""), "")
        deciding = isinstance(event, StagePassed | TicketReleased | ExemptionRevoked)
        replay.take(fact("application-taken", version, event, **({"actor": actor or "master"} if deciding else {})))
    assert (replay.changes, replay.not_reproduced, replay.decisions) == ({}, set(), 4)


def test_nothing_that_a_candidate_typed_is_printed() -> None:
    field = story.ISLE.book.fields[1].model_copy(update={"kind": "text", "same_as_account": None, "least": 40})
    fields = (story.ISLE.book.fields[0], field, *story.ISLE.book.fields[2:])
    (change,), lines = changes(changed(fields=fields), story.submitted().past)
    assert change.why[0].inputs["typed"] == ACCOUNT.holder
    assert not any(ACCOUNT.holder in line or ACCOUNT.id_number in line for line in lines)
    assert any("typed=〔未显示〕" in line for line in lines)


@pytest.mark.parametrize(("tickets_of_others", "refused"), [(["99 0000 000001"], True), (["990000000002"], False)])
def test_a_ticket_that_identity_knew_of_somebody_else_stops_those_who_would_be_counted_by_it(
    tickets_of_others: list[str], refused: bool
) -> None:
    """SD-46."""
    said = {"by": "ticket_number", "rule": "last_submission_wins", "text": "以最后一次为准", "source": "TT-51"}
    counted = Uniqueness.model_validate(said)
    replay = Replay.of(story.ISLE, changed(uniqueness=counted))
    for each in around(story.ISLE):
        replay.take(each)
    for ticket in tickets_of_others:
        account = AccountFollowed(holder="样本另", id_number="", mobile="", ticket_number=ticket)
        replay.take(fact("person-candidate-other", 1, account))
    for version, event in enumerate(story.submitted().past, 1):
        replay.take(fact(f"application-{story.CASE}", version, event))
    why = [each.code for change in replay.changes.values() for each in change.why]
    assert why == (["exemption.ticket_of_another_account"] if refused else [])


# --- over a real store


@pytest.fixture(scope="module")
async def store(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, str, str]]:
    """Two candidates handed in, and one of them was passed by the first stage."""
    async with databases.fresh() as url:
        await prepared(url)
        async with open_office(url, tmp_path_factory.mktemp("blobs"), timers=False) as office:
            cycle = await office.open_cycle()
            first, second = await office.somebody(), await office.somebody("样本另")
            passed = await office.submitted(first, cycle)
            assert (await office.passed(passed, "初审", CLERK)).status_code == 200
            await office.submitted(second, cycle, certificate_level="高级")
            yield url, cycle, passed


async def asked(url: str, *words: str) -> Result:
    command = ["whatif", "swust/1x@1", *words, "--url", as_role(url, AUDITOR, PASSWORD)]
    return await asyncio.to_thread(CliRunner().invoke, app, command, env=KEY)


def draft_in(folder: Path, old: str, new: str) -> str:
    shutil.copytree(BOOKS / "swust", folder / "swust")
    file = folder / "swust" / "exemption.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")
    return str(folder / "swust")


@pytest.mark.servers
async def test_the_cases_of_a_cycle_are_replayed_from_the_events_and_nothing_is_stored(
    store: tuple[str, str, str], tmp_path: Path
) -> None:
    url, cycle, passed = store
    events = "select count(*) from exemption.events"
    connection = await asyncpg.connect(url)
    before = await connection.fetchval(events)
    same = await asked(url, str(BOOKS / "swust"), "--cycle", cycle)
    assert (same.exit_code, same.stderr) == (0, "")
    assert "共 2 件，3 次决定重放；结果不同 0 件" in same.stdout
    stricter = draft_in(tmp_path, "lowest_level: 中级", "lowest_level: 高级")
    answer = await asked(url, stricter, "--json")
    whole = json.loads(answer.stdout)
    assert (answer.exit_code, whole["cases"], whole["changed"], whole["not_reproduced"]) == (1, 2, 1, 0)
    (change,) = whole["changes"]
    assert (change["case"], change["step"]) == (passed, "提交（第1次）")
    assert change["why"][0]["code"] == "exemption.level_too_low"
    assert change["why"][0]["inputs"]["lowest"] == "高级"
    assert "样本" not in answer.stdout
    assert await connection.fetchval(events) == before
    await connection.close()


@pytest.mark.servers
async def test_what_cannot_be_replayed_is_said_in_a_sentence(store: tuple[str, str, str]) -> None:
    url, _, _ = store
    nowhere = await asked(url, "swust/1x@1", "--cycle", "no-such")
    assert (nowhere.exit_code, nowhere.stderr) == (2, "There is no cycle no-such of swust/1x@1.\n")
    assert (await asked(url, "swust/1x@9")).exit_code == 2
    other = CliRunner().invoke(app, ["whatif", "lagoon/none@1", "lagoon/isle@1", "--shelf", str(CLAIMS)])
    assert (other.exit_code, "There is no book lagoon/none@1" in other.stderr) == (2, True)
