"""What an official reads for what events hold, on trails that were never stored."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from rich.cells import cell_len
from rich.console import Console

from ops.telling import told
from ops.words import Words
from shared.events.exemption import (
    ApplicationHandedOff,
    DocumentsViewed,
    DraftSaved,
    PhotographRefused,
)
from shared.events.identity import (
    OrganisationAdded,
    OrganisationRenamed,
    PasswordChosen,
    PhotographViewed,
    RoleGranted,
    RoleRevoked,
)
from shared.events.notification import ReceiptAwaited, SendingAttempted
from shared.kernel.messages import Event, Fact, Meta
from shared.kernel.time import SHANGHAI
from shared.runtime.trail import Entry, Trail

START = datetime(2026, 3, 1, 9, 0, tzinfo=SHANGHAI)
STAFF, CANDIDATE = "5f2a91bc-52aa-4a3b-9d52-8f0c6f6f0a01", "3f2a91bc-52aa-4a3b-9d52-8f0c6f6f0a01"


def fact(event: Event, *, stream: str = "application-a", actor: str = STAFF, hour: int = 0) -> Fact[Event]:
    meta = Meta(command_id=uuid4(), actor=actor, at=START + timedelta(hours=hour))
    return Fact(event.name.split(".")[0], stream, 1, event, uuid4(), meta)


def trail(*story: Fact[Event], offices: Sequence[Fact[Event]] = ()) -> Trail:
    entries = tuple(Entry(each, b"", b"", None, None, False) for each in story)
    return Trail("a", None, (CANDIDATE,), True, entries, {}, tuple(offices))


def printed(story: Trail, width: int = 120) -> str:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        told(story, console)
    return capture.get()


HANDED = ApplicationHandedOff(
    batch="b", title="已报考试院", receiver_role="authority_clerk", receiver="p-01", clause="c"
)
UNIVERSITY = OrganisationAdded(organisation="u-01", title="〔合成〕大学", level="university", parent=None, phones=())


def staff_was(event: Event, hour: int) -> Fact[Event]:
    return fact(event, stream=f"staff-{STAFF}", actor="root", hour=hour)


def test_somebody_is_called_by_the_role_that_identity_says_they_held_then() -> None:
    offices = [
        staff_was(RoleGranted(role="university_admin", organisation="u-01"), 0),
        staff_was(RoleRevoked(role="university_admin", organisation="u-01"), 2),
        fact(UNIVERSITY, stream="organisation-u-01"),
    ]
    story = trail(fact(HANDED, hour=1), fact(HANDED, hour=3), offices=offices)
    words = Words(story)
    assert [words.who(entry) for entry in story.entries] == [
        ("高校管理员（〔合成〕大学）", "5f2a91bc"),
        ("", "5f2a91bc"),
    ]


def test_who_looked_at_a_photograph_of_a_person_is_called_so_too_though_the_event_names_no_role() -> None:
    offices = [
        staff_was(RoleGranted(role="authority_clerk", organisation="u-01"), 0),
        fact(UNIVERSITY, stream="organisation-u-01"),
    ]
    looked = PhotographViewed(attempt=1, slot="id_front", viewer=STAFF)
    story = trail(fact(looked, stream=f"verification-{CANDIDATE}", hour=1), offices=offices)
    words = Words(story)
    assert words.who(story.entries[0]) == (words.office("authority_clerk", "u-01"), "5f2a91bc")


def test_an_organisation_is_called_by_its_last_title() -> None:
    renamed = fact(OrganisationRenamed(title="〔合成〕理工大学", phones=()), stream="organisation-u-01")
    words = Words(trail(fact(HANDED), offices=[fact(UNIVERSITY, stream="organisation-u-01"), renamed]))
    assert words.office("university_admin", "u-01") == "高校管理员（〔合成〕理工大学）"


def test_a_role_held_everywhere_names_no_organisation() -> None:
    assert Words(trail()).office("auditor", "*") == "审计员"


def test_the_code_stands_for_itself_where_nobody_has_a_word() -> None:
    words = Words(trail())
    assert words.said("provider", "carrier_pigeon") == "carrier_pigeon"
    assert words.said("organisation", "u-99") == "u-99"


def test_an_event_is_called_with_its_own_fields_in_words() -> None:
    words = Words(trail())
    assert words.called(PasswordChosen(password_hash="h", purpose="reset")) == "设置密码（找回密码）"
    attempted = SendingAttempted(attempt=2, provider="tencent", out_id="o", tried_at=START, ask_at=START)
    assert words.called(attempted) == "发送短信（第2次，腾讯云）"


def test_a_form_is_told_in_full_once_and_then_only_what_became_different() -> None:
    first = fact(DraftSaved(form={"name": "〔合成〕张三", "certificate_number": "X1"}, photos={}), actor=CANDIDATE)
    second = fact(DraftSaved(form={"name": "〔合成〕张三", "certificate_number": "X2"}, photos={}), actor=CANDIDATE)
    text = printed(trail(first, second))
    assert text.count("〔合成〕张三") == 1
    assert "X1 → X2" in text


def test_claims_are_told_in_full_once_and_then_only_what_became_different() -> None:
    def claim(number: str) -> dict[str, Any]:
        courses = [{"code": "00018", "name": "计算机应用基础", "form": {}}]
        return {"basis": "ncre", "form": {"number": number}, "photos": {}, "courses": courses}

    first = fact(DraftSaved(form={}, photos={}, claims=(claim("C1"), claim("C2"))), actor=CANDIDATE)
    second = fact(DraftSaved(form={}, photos={}, claims=(claim("C1"), claim("C3"))), actor=CANDIDATE)
    text = printed(trail(first, second))
    assert [text.count(number) for number in ("C1", "C2", "C3")] == [1, 1, 1]
    assert "00018 计算机应用基础" in text


def test_one_persons_looks_one_after_the_other_are_one_line_and_anothers_are_not() -> None:
    def look(document: str, actor: str) -> Fact[Event]:
        viewed = DocumentsViewed(viewer=actor, role="university_admin", organisation="u-01", documents=(document,))
        return fact(viewed, stream="viewing-a", actor=actor)

    text = printed(trail(look("form", "li"), look("history", "li"), look("form", "chen")))
    assert text.count("查阅申请材料") == 2
    assert "申请表、经办记录" in text


def test_what_repeats_is_counted() -> None:
    awaited = [fact(ReceiptAwaited(attempt=1, asked=n, ask_at=START), stream="message-m") for n in range(3)]
    assert "等待短信回执（3次）" in printed(trail(*awaited))


def test_a_refused_photograph_says_which_rules_failed_and_no_other() -> None:
    results = (
        {"code": "photo.empty", "passed": True, "zh": "文件是空的。"},
        {"code": "photo.too_blurred", "passed": False, "zh": "照片不清晰。"},
    )
    refused = PhotographRefused(owner=CANDIDATE, application="a", slot="id_front", results=results, clause="c")
    text = printed(trail(fact(refused, stream="upload-u", actor=CANDIDATE)))
    assert "照片不清晰。" in text
    assert "文件是空的" not in text


def test_a_narrow_terminal_gets_the_same_story() -> None:
    story = trail(fact(HANDED), offices=[staff_was(RoleGranted(role="university_admin", organisation="u-01"), 0)])
    changed = replace(
        story, entries=tuple(replace(entry, before="已复核", after="已报考试院") for entry in story.entries)
    )
    for width in (60, 80, 120):
        text = printed(changed, width)
        assert "高校管理员（u-01）" in text
        assert "已复核 → 已报考试院" in text
        day = [
            line for line in text.splitlines() if "完整记录" not in line and " = " not in line and "案件" not in line
        ]
        assert max(cell_len(line) for line in day) <= width
