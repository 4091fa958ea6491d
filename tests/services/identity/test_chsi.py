"""Our gateway to CHSI against its stand-in: what each answer, and each silence, is understood to mean."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.identity.gateways import ON_RECORD, Answered, Chsi, Query, chsi_of, read_answer
from services.identity.settings import ChsiSettings
from services.identity.signing import Account
from shared.kernel.answers import Absent, Accepted, Declined, InDoubt
from tests.sandbox.serving import SETTINGS, Sandbox, serving
from tests.services.identity.schooling import form

LONG, QUICK = timedelta(seconds=10), timedelta(seconds=0.3)
NUMBER = "105241201806999999"
ID_NUMBER = "990101199001010018"
QUERY = Query("request-1", form(NUMBER), ID_NUMBER)
FOUND = {"result": "found", "on_record": {k: v for k, v in form().items() if k != "certificate_number"}}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with serving() as running:
        yield running


@pytest.fixture
async def chsi(sandbox: Sandbox) -> AsyncIterator[Chsi]:
    async with httpx.AsyncClient() as client:
        assert SETTINGS.chsi_secret is not None
        account = Account("zikao", SETTINGS.chsi_secret.get_secret_value())
        yield Chsi(client, f"{sandbox.url}/chsi", account, sandbox.clock)


async def test_a_query_is_taken_and_its_answer_found_later(chsi: Chsi, sandbox: Sandbox) -> None:
    await sandbox.behaves(_={"after_seconds": 60})
    assert await chsi.ask(QUERY, LONG) == Accepted(None)
    assert await chsi.look(QUERY.request, LONG) == Accepted(None)
    sandbox.clock.forward(seconds=60)
    assert await chsi.look(QUERY.request, LONG) == Answered(FOUND)
    assert [query["request_id"] for query in await sandbox.queries(NUMBER)] == ["request-1"]


async def test_a_diploma_is_asked_for_with_the_number_of_the_id_card_so_that_a_namesakes_is_not_found(
    chsi: Chsi, sandbox: Sandbox
) -> None:
    await sandbox.behaves(_={"id_number": "990101199001010026"})
    await chsi.ask(QUERY, LONG)
    assert await chsi.look(QUERY.request, LONG) == Answered({"result": "not_found"})
    await sandbox.behaves(_={"id_number": ID_NUMBER})
    mine = Query("request-2", QUERY.form, ID_NUMBER)
    await chsi.ask(mine, LONG)
    assert await chsi.look(mine.request, LONG) == Answered(FOUND)


async def test_what_was_never_asked_is_absent(chsi: Chsi) -> None:
    assert await chsi.look("request-0", LONG) == Absent()


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [
        ({"answer": "unknown"}, {"result": "not_found"}),
        ({"answer": "no"}, {"result": "invalid"}),
        ({"on_record": {"holder": "样木"}}, {**FOUND, "on_record": {**FOUND["on_record"], "holder": "样木"}}),  # type: ignore[dict-item]
    ],
)
async def test_chsi_answers_as_it_is_told_to(
    chsi: Chsi, sandbox: Sandbox, behaviour: dict[str, Any], answer: dict[str, Any]
) -> None:
    await sandbox.behaves(_=behaviour)
    await chsi.ask(QUERY, LONG)
    assert await chsi.look(QUERY.request, LONG) == Answered(answer)


@pytest.mark.parametrize(
    ("behaviour", "result"),
    [
        ({"refuse": "quota_used_up"}, Declined("quota_used_up")),
        ({"fault": "before_taking"}, InDoubt("http_500")),
        ({"fault": "after_taking"}, InDoubt("http_500")),
    ],
)
async def test_a_refusal_is_certain_and_a_fault_is_not(
    chsi: Chsi, sandbox: Sandbox, behaviour: dict[str, Any], result: object
) -> None:
    await sandbox.behaves(_=behaviour)
    assert await chsi.ask(QUERY, LONG) == result


async def test_slower_than_we_wait_is_in_doubt(chsi: Chsi, sandbox: Sandbox) -> None:
    await sandbox.behaves(_={"slow_seconds": 2})
    assert await chsi.ask(QUERY, QUICK) == InDoubt("timeout")
    assert len(await sandbox.queries(NUMBER)) == 1


async def test_a_chsi_that_is_not_there_was_certainly_not_asked_and_cannot_be_looked_at() -> None:
    async with httpx.AsyncClient() as client:
        gone = Chsi(client, "http://127.0.0.1:1/chsi", Account("zikao", "x"), lambda: NOW)
        assert isinstance(await gone.ask(QUERY, LONG), Declined)
        assert isinstance(await gone.look("request-1", LONG), InDoubt)


async def test_a_key_that_is_not_ours_is_refused(chsi: Chsi, sandbox: Sandbox) -> None:
    """And since the stand-in signs its answer with the right one, we do not believe that either."""
    wrong = Chsi(chsi.client, chsi.url, Account("zikao", "another"), sandbox.clock)
    assert await wrong.ask(QUERY, LONG) == InDoubt("signature_wrong")
    assert await sandbox.queries(NUMBER) == []


async def test_neither_name_nor_number_stands_in_a_log(chsi: Chsi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await chsi.ask(QUERY, LONG)
    await chsi.look(QUERY.request, LONG)
    assert NUMBER not in caplog.text + repr(QUERY)
    assert ID_NUMBER not in caplog.text + repr(QUERY)
    assert "样例学院" not in caplog.text + repr(QUERY) + repr(Answered(FOUND))


@pytest.mark.parametrize(
    "said",
    [
        None,
        "found",
        {},
        {"result": "maybe"},
        {"result": ["found"]},
        {"result": {"found": True}},
        {"result": "found"},
        {"result": "found", "on_record": {"holder": "x"}},
        {"result": "found", "on_record": dict.fromkeys(ON_RECORD, "")},
        {"result": "found", "on_record": {**FOUND["on_record"], "major": " "}},  # type: ignore[dict-item]
        {"result": "found", "on_record": {**FOUND["on_record"], "major": ["园林"]}},  # type: ignore[dict-item]
        {"result": "found", "on_record": {**FOUND["on_record"], "major": "园\ud800"}},  # type: ignore[dict-item]
        {"result": "found", "on_record": {**FOUND["on_record"], "major": "园\x00"}},  # type: ignore[dict-item]
    ],
    ids=ascii,
)
def test_what_is_no_answer_is_not_read_as_one(said: object) -> None:
    assert read_answer(said) is None


def test_one_answer_reads_the_same_in_any_order_and_with_anything_more() -> None:
    reordered = {"remark": 1, "on_record": dict(reversed(list(form().items()))), "result": "found"}
    assert read_answer(reordered) == FOUND
    assert read_answer({"result": "not_found", "on_record": {}}) == {"result": "not_found"}


async def test_without_an_account_there_is_no_gateway() -> None:
    async with httpx.AsyncClient() as client:
        assert chsi_of(ChsiSettings(), client, lambda: NOW) is None


# --- signatures

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ACCOUNT = Account("zikao", "only-for-tests")


def fault(at: timedelta = timedelta(), nonce: str | None = None, **changed: Any) -> str | None:
    headers = ACCOUNT.headers("POST", "/v1/chsi/answers", b"{}", NOW - at, "n-1")
    said = {"method": "POST", "path": "/v1/chsi/answers", "body": b"{}", **changed}
    return ACCOUNT.fault(said["method"], said["path"], said["body"], headers, NOW, nonce)


def test_what_is_signed_and_fresh_is_genuine() -> None:
    assert fault() is None
    assert fault(nonce="n-1") is None
    assert fault(at=timedelta(minutes=5)) is None


@pytest.mark.parametrize(
    "changed", [{"body": b"{ }"}, {"path": "/v1/chsi"}, {"method": "PUT"}, {"nonce": "n-2"}], ids=str
)
def test_whatever_is_changed_breaks_the_signature(changed: dict[str, Any]) -> None:
    assert fault(**changed) == "signature_wrong"


def test_what_is_old_or_of_tomorrow_is_expired() -> None:
    assert fault(at=timedelta(minutes=5, seconds=1)) == "call_expired"
    assert fault(at=-timedelta(minutes=5, seconds=1)) == "call_expired"


@pytest.mark.parametrize("headers", [{}, {"X-Chsi-Signature": "é"}, {"X-Chsi-Time": "soon", "X-Chsi-Signature": ""}])
def test_headers_that_make_no_sense_are_a_wrong_signature(headers: dict[str, str]) -> None:
    assert ACCOUNT.fault("POST", "/", b"", headers, NOW) == "signature_wrong"
