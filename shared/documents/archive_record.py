"""档案 (the archive record): one finished case as a sealed bundle that can be read and checked without this system.

Called by the graduation service, off the event loop. Pure: the same record and key make the same bytes. What is in the
bundle and why is in docs/archive-record.md; `ops/verify_archive.py` checks one with a public key alone, and
`archive_page.py` draws the page that a person reads.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.documents.archive_page import page
from shared.kernel.time import microseconds

FORMAT = "zikao-archive/1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SEALED = "sealed:"
_GENESIS = "00" * 32


@dataclass(frozen=True)
class ArchivedEvent:
    """One event as it stands in its store, to the letter, and the same opened so that it can be read.

    `told` is the body with every sealed value opened; `words` says in the language of the office what happened.
    """

    source: str
    stream: str
    version: int
    type: str
    event_id: str
    command_id: str
    case_id: str | None
    person: str | None
    actor: str
    causation: str | None
    correlation: str | None
    traceparent: str | None
    recorded_at: datetime
    body: str
    previous_hash: str
    hash: str
    told: Mapping[str, Any]
    words: str


@dataclass(frozen=True)
class Enclosure:
    """A document or photograph. `name` is of letters, digits, dots and dashes; people read `title`."""

    name: str
    title: str
    media_type: str
    data: bytes


@dataclass(frozen=True)
class ArchiveRecord:
    """Everything that is put away."""

    number: str
    title: str
    authority: str
    case: str
    scheme: str
    sealed_at: datetime
    about: tuple[tuple[str, str], ...]  # whom and what it is about, as the cover says
    events: tuple[ArchivedEvent, ...]  # in the order of the story; each stream without holes
    documents: tuple[Enclosure, ...]
    photographs: tuple[Enclosure, ...]


class NotWhole(Exception):
    """The record contradicts itself, and nobody signs that: a hash, a hole in a stream, a name used twice."""


def seal(record: ArchiveRecord, signer: Ed25519PrivateKey) -> bytes:
    """The bundle: a zip, nothing in it packed, whose manifest names every file by its digest and is signed."""
    _check_events(record.events)
    placed = list(_placed(record))
    files = {path: each.data for path, _, each in placed}
    if len(files) < len(placed):
        raise NotWhole("two enclosures have one name")
    files["events.jsonl"] = "".join(map(_line, record.events)).encode()
    files["index.html"] = page(record, [(path, room, each.title) for path, room, each in placed]).encode()
    files["README.txt"] = _README.encode()
    public = signer.public_key()
    files["authority.pem"] = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    titles = {path: (each.title, each.media_type) for path, _, each in placed}
    key = sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()
    manifest = _manifest(record, files, titles, key)
    return _zipped({"manifest.json": manifest, "manifest.sig": signer.sign(manifest), **files})


def chain_hash(event: ArchivedEvent) -> str:
    """As the store works it out: sha256 over the previous hash and every column, each with its length before it."""
    columns = (
        event.stream,
        event.version,
        event.type,
        event.event_id,
        event.command_id,
        event.case_id,
        event.person,
        event.actor,
        event.causation,
        event.correlation,
        event.traceparent,
        microseconds(event.recorded_at),
        event.body,
    )
    return sha256(bytes.fromhex(event.previous_hash) + b"".join(map(_measured, columns))).hexdigest()


def _measured(value: object) -> bytes:
    if value is None:
        return b"\xff\xff\xff\xff"
    text = str(value).encode()
    return len(text).to_bytes(4, "big") + text


def _check_events(events: tuple[ArchivedEvent, ...]) -> None:
    heads: dict[tuple[str, str], ArchivedEvent] = {}
    for event in events:
        place = f"{event.source} {event.stream} {event.version}"
        if chain_hash(event) != event.hash:
            raise NotWhole(f"{place}: the hash is of something else")
        before = heads.get((event.source, event.stream))
        follows = (before.version + 1, before.hash) if before else (1, _GENESIS)
        if (event.version, event.previous_hash) != follows:
            raise NotWhole(f"{place}: does not follow {follows[0] - 1}")
        if not _opens(json.loads(event.body), event.told):
            raise NotWhole(f"{place}: is told otherwise than it is stored")
        heads[event.source, event.stream] = event


def _opens(body: dict[str, Any], told: Mapping[str, Any]) -> bool:
    """Whether `told` is the body, but for what is sealed in it."""
    as_read = json.loads(_json(told))
    return body.keys() == as_read.keys() and all(
        value == as_read[name] or (isinstance(value, str) and value.startswith(_SEALED)) for name, value in body.items()
    )


def _placed(record: ArchiveRecord) -> Iterator[tuple[str, str, Enclosure]]:
    for room, all_of in (("documents", record.documents), ("photographs", record.photographs)):
        for each in all_of:
            if not _NAME.fullmatch(each.name):
                raise NotWhole(f"not a name for a file: {each.name!r}")
            yield f"{room}/{each.name}", room, each


def _line(event: ArchivedEvent) -> str:
    return _json({**asdict(event), "recorded_at": event.recorded_at.isoformat()}) + "\n"


def _manifest(
    record: ArchiveRecord, files: Mapping[str, bytes], titles: Mapping[str, tuple[str, str]], key: str
) -> bytes:
    heads = {f"{each.source} {each.stream}": {"version": each.version, "hash": each.hash} for each in record.events}
    told = {
        "format": FORMAT,
        "record": {
            "number": record.number,
            "title": record.title,
            "authority": record.authority,
            "case": record.case,
            "scheme": record.scheme,
            "sealed_at": record.sealed_at.isoformat(),
        },
        "key": {"algorithm": "Ed25519", "sha256": key},
        "events": {"count": len(record.events), "heads": heads},
        "files": {path: _described(path, data, titles) for path, data in files.items()},
    }
    return (json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()


_OURS = {
    "events.jsonl": ("全部事件", "application/jsonl"),
    "index.html": ("可读页面", "text/html"),
    "README.txt": ("说明", "text/plain"),
    "authority.pem": ("公钥", "application/x-pem-file"),
}


def _described(path: str, data: bytes, titles: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    title, media_type = titles[path] if path in titles else _OURS[path]
    return {"sha256": sha256(data).hexdigest(), "bytes": len(data), "title": title, "type": media_type}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _zipped(files: Mapping[str, bytes]) -> bytes:
    """Stored, in the order of the names, with the one date that says nothing: the same files make the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as bundle:
        for path in sorted(files):
            told = zipfile.ZipInfo(path)
            told.create_system, told.external_attr = 3, 0o100644 << 16
            bundle.writestr(told, files[path])
    return made.getvalue()


_README = """\
本文件是一份封存的电子档案。打开 index.html 即可阅读；不需要任何系统，也不联网。
manifest.json 列出每个文件的摘要（SHA-256），manifest.sig 是主管机关对它的 Ed25519 签名。
核验时请向主管机关索取公钥，不要只凭本包中的 authority.pem：

    openssl pkeyutl -verify -pubin -inkey authority.pem -rawin -in manifest.json -sigfile manifest.sig
    sha256sum 逐个文件，与 manifest.json 比对

This is a sealed record. Open index.html to read it; nothing else is needed, and nothing is fetched.
manifest.json names every file by its SHA-256; manifest.sig is the authority's Ed25519 signature of it.
To verify it get the public key from the authority itself, not only from this bundle:

    openssl pkeyutl -verify -pubin -inkey authority.pem -rawin -in manifest.json -sigfile manifest.sig
    sha256sum each file, and compare with manifest.json

events.jsonl has every event of the case, one a line. `body` is the stored text; a value that begins with "sealed:" is
enciphered there, and `told` has it opened. `hash` is the SHA-256 of `previous_hash` followed by stream, version, type,
event_id, command_id, case_id, person, actor, causation, correlation, traceparent, recorded_at (whole microseconds since
1970 UTC, in decimal) and body, each as UTF-8 with its length in four bytes (big-endian) before it; nothing is told as
the length 2^32 - 1. The first event of a stream has version 1 and a previous_hash of zeros.
"""
