"""`./zikao audit` and `./zikao replay` as a person runs them, on a story told in real stores."""

import asyncio
import json
from collections.abc import AsyncIterator

import asyncpg
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from ops import audit, replay
from ops.audit import deciders
from ops.stack.places import Unserviceable
from shared import events
from shared.kernel.messages import ERASED
from shared.runtime.database import AUDITOR, as_role
from shared.runtime.keyring import Keyring
from shared.testing.stores import KEK, PASSWORD, pool_of, prepared
from tests.conftest import Databases
from tests.shared.runtime.story import CASE, NOTE, PERSON, told

KEY = {"ZIKAO_KEK": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}  # shared.testing.stores.KEK


@pytest.fixture(scope="module")
async def story(module_database: str) -> str:
    await prepared(module_database)
    await told(module_database)
    return module_database


@pytest.fixture
async def tampered(story: str, databases: Databases) -> AsyncIterator[str]:
    async with databases.fresh(template=story) as url:
        owner = await asyncpg.connect(url, server_settings={"session_replication_role": "replica"})
        await owner.execute("update exemption.events set actor = 'nobody' where version = 5")
        await owner.close()
        yield url


def run(url: str, *words: str, role: str = AUDITOR, **environment: str) -> Result:
    app = replay.app if words[0] == "rebuild" else audit.app
    return CliRunner().invoke(app, [*words, "--url", as_role(url, role, PASSWORD)], env=environment)


@pytest.mark.servers
def test_a_case_is_told_day_by_day_with_who_what_why_and_by_which_rule(story: str) -> None:
    answer = run(story, "trail", CASE)
    assert answer.exit_code == 0, answer.output
    text = answer.output
    for part in (
        "2026-03-01 星期日",
        "2026-03-02 星期一",
        "系统（通知）",
        "考生 3f2a91bc",
        f"3f2a91bc = {PERSON}",
        "助学点管理员（tp-01）",
        "staff-li",
        "swust/1x@1 exemption.stages[初审] SW-26",
        "证书照片不清晰",
        "已提交 → 已驳回",
        "未登录者",
        "提交申请（第2次）",
        "高校管理员（样例大学）",
        "通知：申请被驳回",
        "起因 初审：驳回",
    ):
        assert part in text, part
    assert text.index("初审：驳回") < text.index("通知：申请被驳回")
    assert text.count("等待初审") == 2


@pytest.mark.servers
def test_every_line_fits_into_120_columns_also_with_chinese(story: str) -> None:
    lines = run(story, "trail", CASE).output.splitlines()
    assert max(cell_len(line) for line in lines) <= 120
    assert "\x1b" not in "".join(lines)


@pytest.mark.servers
def test_personal_values_are_hidden_unless_asked_for_and_only_then_is_the_key_needed(story: str) -> None:
    hidden = run(story, "trail", CASE, ZIKAO_KEK="").output
    assert "〔合成〕" not in hidden
    assert "13900000001" not in hidden
    assert "〔未显示〕" in hidden
    shown = run(story, "trail", CASE, "--personal", **KEY).output
    assert NOTE[:12] in shown
    assert "13900000001" in shown
    assert "246810" not in shown, "what opens an account is shown to nobody"
    assert run(story, "trail", CASE, "--personal", ZIKAO_KEK="").exit_code == 1


@pytest.mark.servers
async def test_what_belonged_to_an_erased_person_is_marked(story: str, databases: Databases) -> None:
    async with databases.fresh(template=story) as url:
        async with pool_of(url, "identity") as pool:
            await Keyring(pool, KEK).erase(PERSON)
        plain, personal = run_in_thread(url, "trail", CASE), run_in_thread(url, "trail", CASE, "--personal", **KEY)
        for answer in (await plain, await personal):
            assert answer.exit_code == 0
            assert ERASED in answer.output
            assert "〔未显示〕" not in answer.output


async def run_in_thread(url: str, *words: str, role: str = AUDITOR, **environment: str) -> Result:
    return await asyncio.to_thread(run, url, *words, role=role, **environment)


@pytest.mark.servers
def test_machines_get_the_same_story_with_ids_hashes_and_positions(story: str) -> None:
    whole = json.loads(run(story, "trail", CASE, "--json").output)
    assert whole["case"] == CASE
    assert whole["persons"] == [PERSON]
    assert len(whole["entries"]) == 16
    entry = next(each for each in whole["entries"] if each["type"] == "exemption.application_returned.v1")
    assert (entry["before"], entry["after"]) == ("已提交", "已驳回")
    assert entry["rule"] == "swust/1x@1 exemption.stages[初审].reasons[photo_unclear] SW-30"
    assert entry["reasons"]["note"] == "〔未显示〕"
    assert entry["position"] > 0
    assert len(entry["hash"]) == 64
    notice = next(each for each in whole["entries"] if each["service"] == "notification")
    assert notice["causation"] == entry["id"]
    assert whole["states"][0].keys() == {"service", "stream", "state", "version"}


@pytest.mark.servers
def test_one_can_travel_to_a_time_given_as_people_in_china_write_it(story: str) -> None:
    early = run(story, "trail", CASE, "--at", "2026-03-01T09:30").output
    assert "截至 2026-03-01 09:30:00" in early
    assert "已驳回" not in early
    assert run(story, "trail", CASE, "--at", "yesterday").exit_code == 2


@pytest.mark.servers
def test_an_unknown_case_is_one_clear_sentence_and_a_failure(story: str) -> None:
    answer = run(story, "trail", "no-such-case")
    assert answer.exit_code == 1
    assert answer.output.strip() == "There is no event of a case 'no-such-case'."


@pytest.mark.servers
def test_untouched_stores_verify_with_counts_and_zero_findings(story: str) -> None:
    answer = run(story, "verify")
    assert answer.exit_code == 0, answer.output
    assert answer.output.splitlines() == [
        "exemption: 11 events, 1 streams, 11 positions",
        "identity: 5 events, 2 streams, 5 positions",
        "notification: 2 events, 1 streams, 2 positions",
        "0 findings",
    ]


@pytest.mark.servers
def test_a_changed_event_fails_the_verification_and_is_named(tampered: str) -> None:
    answer = run(tampered, "verify")
    assert answer.exit_code == 1
    assert f"exemption application-{CASE} version 5: " in answer.output
    assert answer.output.endswith("1 findings\n")


@pytest.mark.servers
def test_a_database_without_any_store_proves_nothing_and_fails(postgres_admin_url: str) -> None:
    answer = CliRunner().invoke(audit.app, ["verify", "--url", postgres_admin_url])
    assert answer.exit_code == 1
    assert "nothing is proved" in answer.output


@pytest.mark.servers
def test_a_rebuild_names_the_rows_that_differ_fails_and_can_put_them_in_place(story: str) -> None:
    """Nobody projected the story's events, so every rebuilt row is missing in the live tables at first."""
    words = ("rebuild", "identity")
    differing = run(story, *words, "--diff", role="identity", **KEY)
    assert differing.exit_code == 1
    assert "missing in the live table" in differing.output
    assert "13900000001" not in differing.output
    replaced = run(story, *words, role="identity", **KEY)
    assert replaced.exit_code == 0, replaced.output
    same = run(story, *words, "--diff", role="identity", **KEY)
    assert same.exit_code == 0, same.output
    assert "identity: 5 events replayed" in same.output
    assert same.output.splitlines()[-1].endswith(" 0 differences")


@pytest.mark.servers
async def test_a_rebuild_without_any_row_to_compare_fails(databases: Databases) -> None:
    async with databases.fresh() as url:
        await prepared(url)
        answer = await run_in_thread(url, "rebuild", "identity", "--diff", role="identity", **KEY)
    assert answer.exit_code == 1
    assert "nothing is proved" in answer.output


@pytest.mark.servers
def test_a_service_that_does_not_exist_is_named_in_a_sentence(story: str) -> None:
    answer = run(story, "rebuild", "nowhere", "--diff")
    assert answer.exit_code == 1
    assert "There is no service 'nowhere'" in str(answer.exception)


def test_the_deciders_of_all_services_are_found_by_service_and_kind() -> None:
    found = deciders()
    assert {service for service, _ in found} == set(events.SERVICES)
    assert {("exemption", "application"), ("identity", "account"), ("notification", "message")} <= found.keys()


@pytest.mark.parametrize(
    "url",
    ["postgresql://auditor:x@127.0.0.1:1/zikao", "not an address", "postgresql://auditor:x@nowhere.invalid/zikao"],
)
@pytest.mark.parametrize("words", [("trail", CASE), ("verify",), ("rebuild", "exemption", "--diff")])
def test_a_database_that_cannot_be_reached_is_said_in_a_sentence(url: str, words: tuple[str, ...]) -> None:
    app = replay.app if words[0] == "rebuild" else audit.app
    answer = CliRunner().invoke(app, [*words, "--url", url])
    assert isinstance(answer.exception, Unserviceable)
    assert "The database cannot be read as the role" in str(answer.exception)


@pytest.mark.servers
@pytest.mark.parametrize("words", [("trail", CASE), ("verify",), ("rebuild", "exemption", "--diff")])
def test_another_role_or_a_wrong_password_is_said_in_a_sentence(story: str, words: tuple[str, ...]) -> None:
    for address in (as_role(story, "notification", PASSWORD), as_role(story, AUDITOR, "wrong")):
        app = replay.app if words[0] == "rebuild" else audit.app
        answer = CliRunner().invoke(app, [*words, "--url", address], env=KEY)
        assert isinstance(answer.exception, Unserviceable), answer.output
