"""档案: a case sealed in one bundle that reads and checks without the system, and shows every change."""

import base64
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ops.verify_archive import faults, main, trusted
from shared.documents.archive_record import (
    ArchivedEvent,
    ArchiveRecord,
    Enclosure,
    NotWhole,
    chain_hash,
    seal,
)
from shared.runtime.records import Record, chained
from tests.architecture.tree import ROOT

AUTHORITY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
AT = datetime(2026, 6, 1, 1, 30, 0, 123456, tzinfo=UTC)
SPACE = UUID(int=5)


def story(source: str, stream: str, *bodies: tuple[str, dict[str, Any], dict[str, Any]]) -> list[ArchivedEvent]:
    """A stream of events, chained; each of what it is called, its stored body and the same opened."""
    events: list[ArchivedEvent] = []
    for version, (words, body, told) in enumerate(bodies, start=1):
        event = ArchivedEvent(
            source=source,
            stream=stream,
            version=version,
            type=f"{source}.something_happened.v1",
            event_id=str(uuid5(SPACE, f"{stream}/{version}")),
            command_id=str(uuid5(SPACE, "command")),
            case_id="TT2026G000001",
            person="person-1",
            actor="clerk-7",
            causation=None,
            correlation=str(uuid5(SPACE, "correlation")),
            traceparent=None,
            recorded_at=AT + timedelta(minutes=version),
            body=json.dumps(body, ensure_ascii=False),
            previous_hash=events[-1].hash if events else "00" * 32,
            hash="",
            told=told,
            words=words,
        )
        events.append(replace(event, hash=chain_hash(event)))
    return events


RECORD = ArchiveRecord(
    number="TTDA2026000001",
    title="毕业档案",
    authority="样例省测试考试院",
    case="TT2026G000001",
    scheme="test/graduation@1",
    sealed_at=AT + timedelta(days=30),
    about=(("姓名", "样本张三"), ("专业", "行政管理（专科）"), ("毕业证书编号", "TT-6500-1")),
    events=(
        *story(
            "graduation",
            "case/1",
            ("提交毕业申请", {"major": "A1", "name": "sealed:AAAA"}, {"major": "A1", "name": "样本张三"}),
            ("县区预审通过", {"stage": "pre_review", "items": ["a"]}, {"stage": "pre_review", "items": ("a",)}),
            ("集体会审通过", {"votes": 5}, {"votes": 5}),
        ),
        *story("payment", "order/1", ("支付成功", {"fen": 12050}, {"fen": 12050})),
    ),
    documents=(Enclosure("registration-form.pdf", "毕业生登记表", "application/pdf", b"%PDF-1.7 made up"),),
    photographs=(Enclosure("graduate.jpg", "毕业照 <一寸>", "image/jpeg", b"\xff\xd8\xff made up"),),
)
BUNDLE = seal(RECORD, AUTHORITY)


def taken(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as opened:
        return {info.filename: opened.read(info) for info in opened.infolist()}


def put(files: dict[str, bytes]) -> bytes:
    """A bundle as `seal` writes it, of whatever is given."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as bundle:
        for path in sorted(files):
            bundle.writestr(zipfile.ZipInfo(path), files[path])
    return made.getvalue()


def found(bundle: bytes) -> list[str]:
    return list(faults(bundle, trusted(taken(BUNDLE)["authority.pem"])))


# --- what is in it


def test_a_sealed_record_has_no_faults_and_seals_to_the_same_bytes() -> None:
    assert found(BUNDLE) == []
    assert seal(RECORD, AUTHORITY) == BUNDLE


def test_every_file_is_in_the_manifest_with_its_digest() -> None:
    files = taken(BUNDLE)
    manifest = json.loads(files["manifest.json"])
    assert set(manifest["files"]) == set(files) - {"manifest.json", "manifest.sig"}
    assert set(files) >= {"documents/registration-form.pdf", "photographs/graduate.jpg", "events.jsonl", "index.html"}
    assert manifest["record"]["number"] == "TTDA2026000001"
    assert manifest["events"]["count"] == 4
    assert manifest["events"]["heads"]["graduation case/1"]["version"] == 3


def test_the_events_keep_their_stored_text_to_the_letter() -> None:
    lines = [json.loads(line) for line in taken(BUNDLE)["events.jsonl"].splitlines()]
    assert [line["body"] for line in lines] == [event.body for event in RECORD.events]
    assert lines[0]["told"]["name"] == "样本张三"


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.reached: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.reached += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_the_page_has_no_script_and_reaches_for_nothing_outside_the_bundle() -> None:
    page = taken(BUNDLE)["index.html"].decode()
    seen = Seen()
    seen.feed(page)
    assert not {"script", "iframe", "link", "object", "form"} & set(seen.tags)
    assert set(seen.reached) <= set(taken(BUNDLE))
    assert "url(" not in page
    assert "@import" not in page


def test_the_page_tells_the_story_and_what_people_typed_is_no_markup() -> None:
    page = taken(BUNDLE)["index.html"].decode()
    for said in (
        "样本张三",
        "TT-6500-1",
        "提交毕业申请",
        "集体会审通过",
        "2026-06-01 09:31:00",
        "毕业生登记表",
        "办理经过（4 条）",
    ):
        assert said in page, said
    assert "毕业照 &lt;一寸&gt;" in page
    assert "<一寸>" not in page


def test_the_hash_is_the_one_of_the_store() -> None:
    for event in RECORD.events:
        stored = Record(
            stream=event.stream,
            version=event.version,
            type=event.type,
            event_id=UUID(event.event_id),
            command_id=UUID(event.command_id),
            case_id=event.case_id,
            person=event.person,
            actor=event.actor,
            causation=None,
            correlation=UUID(event.correlation or ""),
            traceparent=None,
            recorded_at=event.recorded_at,
            body=event.body,
            previous_hash=bytes.fromhex(event.previous_hash),
            hash=b"",
        )
        assert chained(stored).hex() == event.hash


# --- what is not sealed


def _with(place: int, **changes: Any) -> ArchiveRecord:
    events = list(RECORD.events)
    events[place] = replace(events[place], **changes)
    return replace(RECORD, events=tuple(events))


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (_with(1, body='{"stage": "other"}'), "graduation case/1 2: the hash is of something else"),
        (_with(0, told={"major": "B2", "name": "样本张三"}), "graduation case/1 1: is told otherwise"),
        (_with(0, told={"name": "样本张三"}), "graduation case/1 1: is told otherwise"),
        (replace(RECORD, events=RECORD.events[1:]), "graduation case/1 2: does not follow 0"),
        (replace(RECORD, events=(RECORD.events[0], *RECORD.events[2:])), "graduation case/1 3: does not follow 1"),
        (replace(RECORD, documents=RECORD.documents * 2), "two enclosures have one name"),
        (replace(RECORD, documents=(Enclosure("../x", "", "", b""),)), "not a name for a file"),
    ],
)
def test_nobody_signs_a_record_that_contradicts_itself(record: ArchiveRecord, why: str) -> None:
    with pytest.raises(NotWhole, match=why):
        seal(record, AUTHORITY)


# --- every way to break it


def _event(files: dict[str, bytes], place: int, change: Callable[[dict[str, Any]], object]) -> None:
    lines = files["events.jsonl"].decode().splitlines()
    event = json.loads(lines[place])
    change(event)
    lines[place] = json.dumps(event, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    files["events.jsonl"] = ("\n".join(lines) + "\n").encode()


def _manifest(files: dict[str, bytes], change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads(files["manifest.json"])
    change(manifest)
    files["manifest.json"] = json.dumps(manifest, ensure_ascii=False).encode()


CHANGED = "events.jsonl: was changed"
BREAKS: dict[str, tuple[Callable[[dict[str, bytes]], object], list[str]]] = {
    "a document": (
        lambda files: files.update({"documents/registration-form.pdf": b"%PDF-1.7 forged."}),
        ["documents/registration-form.pdf: was changed"],
    ),
    "a photograph": (
        lambda files: files.update({"photographs/graduate.jpg": b"\xff\xd8\xff somebody"}),
        ["photographs/graduate.jpg: was changed"],
    ),
    "the page": (lambda files: files.update({"index.html": b"<p>"}), ["index.html: was changed"]),
    "a file taken out": (lambda files: files.pop("README.txt"), ["README.txt: is missing"]),
    "a file put in": (lambda files: files.update({"documents/new.pdf": b""}), ["documents/new.pdf: was added"]),
    "the body of an event": (
        lambda files: _event(files, 2, lambda event: event.update(body='{"votes": 9}', told={"votes": 9})),
        [CHANGED, "events.jsonl: case/1 3 (graduation): was changed, its hash is of something else"],
    ),
    "who did it": (
        lambda files: _event(files, 3, lambda event: event.update(actor="clerk-8")),
        [CHANGED, "events.jsonl: order/1 1 (payment): was changed, its hash is of something else"],
    ),
    "when it was": (
        lambda files: _event(files, 3, lambda event: event.update(recorded_at="2026-06-01T01:31:00.123457+00:00")),
        [CHANGED, "events.jsonl: order/1 1 (payment): was changed, its hash is of something else"],
    ),
    "what is told of it": (
        lambda files: _event(files, 2, lambda event: event.update(told={"votes": 9})),
        [CHANGED, "events.jsonl: case/1 3 (graduation): votes is told otherwise than it is stored"],
    ),
    "what is told of a sealed value": (
        lambda files: _event(files, 0, lambda event: event["told"].update(name="样本李四")),
        [CHANGED],
    ),
    "an event taken out": (
        lambda files: files.update({"events.jsonl": b"".join(files["events.jsonl"].splitlines(True)[:-1])}),
        [
            CHANGED,
            "events.jsonl: 3 events, 4 were sealed",
            "events.jsonl: payment order/1: does not end where it was sealed",
        ],
    ),
    "a line that is no event": (
        lambda files: files.update({"events.jsonl": files["events.jsonl"] + b"[]\n"}),
        [CHANGED, "events.jsonl: line 5 is no event", "events.jsonl: 5 events, 4 were sealed"],
    ),
    "the manifest": (
        lambda files: _manifest(files, lambda manifest: manifest["record"].update(number="other")),
        ["manifest.json: the signature is not of this manifest: the list of files itself was changed"],
    ),
    "the signature": (
        lambda files: files.update({"manifest.sig": bytes(64)}),
        ["manifest.json: the signature is not of this manifest: the list of files itself was changed"],
    ),
    "no manifest": (
        lambda files: files.pop("manifest.json"),
        ["manifest.json: missing or not a manifest"],
    ),
}


@pytest.mark.parametrize(("change", "said"), BREAKS.values(), ids=BREAKS.keys())
def test_a_change_is_named(change: Callable[[dict[str, bytes]], object], said: list[str]) -> None:
    files = taken(BUNDLE)
    change(files)
    assert found(put(files)) == said


def test_a_record_that_a_stranger_sealed_is_not_trusted() -> None:
    [said] = found(seal(RECORD, STRANGER))
    assert said.startswith("manifest.json: signed by a key that is not trusted here")


def test_a_stranger_who_names_the_authoritys_key_is_found_out() -> None:
    files = taken(seal(RECORD, STRANGER))
    key = json.loads(taken(BUNDLE)["manifest.json"])["key"]
    _manifest(files, lambda manifest: manifest.update(key=key))
    files["manifest.sig"] = STRANGER.sign(files["manifest.json"])
    assert any("the signature is not of this manifest" in said for said in found(put(files)))


def test_a_later_manifest_is_told_to_be_unknown_and_still_checked() -> None:
    files = taken(BUNDLE)
    _manifest(files, lambda manifest: manifest.update(format="zikao-archive/2"))
    files["manifest.sig"] = AUTHORITY.sign(files["manifest.json"])
    assert found(put(files)) == ["manifest.json: its format is zikao-archive/2, this program knows zikao-archive/1"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_and_hidden_bytes_are_named() -> None:
    made = io.BytesIO(BUNDLE)
    with zipfile.ZipFile(made, "a") as bundle:
        bundle.writestr("index.html", b"<p>another")
    assert "index.html: is in the bundle 2 times" in found(made.getvalue())
    hidden = "the bundle has bytes that belong to no file of it"
    assert found(b"#!/bin/sh\n" + BUNDLE) == [hidden]
    with zipfile.ZipFile(made := io.BytesIO(BUNDLE), "a") as bundle:
        bundle.comment = b"hello"
    assert found(made.getvalue()) == [hidden]


def test_a_bundle_that_was_packed_anew_is_named() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path, data in taken(BUNDLE).items():
            bundle.writestr(path, data)
    assert "index.html: is packed or enciphered, which nothing in a record is" in found(made.getvalue())


def test_a_byte_changed_anywhere_is_noticed() -> None:
    """Not in the dates and attributes of the container, which say nothing and are shown to nobody."""
    with zipfile.ZipFile(io.BytesIO(BUNDLE)) as opened:
        for info in opened.infolist():
            at = info.header_offset + 30 + len(info.filename)
            for place in range(at, at + info.file_size, 1 + info.file_size // 40):
                assert found(BUNDLE[:place] + bytes((BUNDLE[place] ^ 1,)) + BUNDLE[place + 1 :]), (info.filename, place)


@pytest.mark.parametrize("bundle", [b"", b"hello", BUNDLE[:500], BUNDLE[:-30], BUNDLE[600:]])
def test_a_broken_bundle_is_told_and_not_thrown(bundle: bytes) -> None:
    assert found(bundle)


# --- the program


def test_the_program_stands_alone(tmp_path: Path) -> None:
    """Run outside the checkout, with nothing of ours to import."""
    alone = tmp_path / "verify_archive.py"
    alone.write_bytes((ROOT / "ops/verify_archive.py").read_bytes())
    (tmp_path / "record.zip").write_bytes(BUNDLE)
    (tmp_path / "keys.pem").write_bytes(taken(seal(RECORD, STRANGER))["authority.pem"] + taken(BUNDLE)["authority.pem"])
    words = [sys.executable, "-I", str(alone), "record.zip", "--key", "keys.pem"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "record.zip: as it was sealed\n", "")


def test_the_program_names_the_faults_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = taken(BUNDLE) | {"index.html": b"<p>"}
    (tmp_path / "record.zip").write_bytes(put(files))
    (tmp_path / "key.pem").write_bytes(files["authority.pem"])
    assert main([str(tmp_path / "record.zip"), "--key", str(tmp_path / "key.pem")]) == 1
    assert capsys.readouterr().out == "index.html: was changed\nrecord.zip: 1 faults\n"
    (tmp_path / "key.pem").write_bytes(base64.b64encode(b"no key"))
    assert main([str(tmp_path / "record.zip"), "--key", str(tmp_path / "key.pem")]) == 2
