"""Checks a sealed archive record (档案) with the authority's public key alone, years later, on any machine.

    python verify_archive.py RECORD.zip --key AUTHORITY.pem

Stands alone: it needs Python 3.11 and the package `cryptography`, nothing else of Zikao. Take this file and the key
from the authority, never out of the bundle. The key file may hold several keys, one after another: the right one is
found by its digest. Every fault is named; the exit code is 0 only where there is none. docs/archive-record.md says what
is in a bundle.
"""

import argparse
import io
import json
import re
import struct
import sys
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

FORMAT = "zikao-archive/1"
SIGNED = ("manifest.json", "manifest.sig")
COLUMNS = (
    "stream",
    "version",
    "type",
    "event_id",
    "command_id",
    "case_id",
    "person",
    "actor",
    "causation",
    "correlation",
    "traceparent",
    "recorded_at",
    "body",
)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def faults(bundle: bytes, keys: Mapping[str, Ed25519PublicKey]) -> Iterator[str]:
    """Everything that is not as it was sealed, in words. `keys` are those that are trusted, by their digest."""
    try:
        with zipfile.ZipFile(io.BytesIO(bundle)) as opened:
            yield from _container_faults(opened, len(bundle))
            files = dict(_read(opened, bundle))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        yield f"the bundle is no readable zip ({error})"
        return
    try:
        manifest = _object(json.loads(files["manifest.json"]))
    except (KeyError, ValueError):
        yield "manifest.json: missing or not a manifest"
        return
    if manifest.get("format") != FORMAT:
        yield f"manifest.json: its format is {manifest.get('format')}, this program knows {FORMAT}"
    yield from _signature_faults(files, keys, str(_object(manifest.get("key")).get("sha256")))
    yield from _file_faults(files, _object(manifest.get("files")))
    yield from _event_faults(files.get("events.jsonl", b""), _object(manifest.get("events")))


def _object(value: object) -> Mapping[str, Any]:
    """A manifest that nobody signed may say anything anywhere."""
    return value if isinstance(value, dict) else {}


def _container_faults(opened: zipfile.ZipFile, size: int) -> Iterator[str]:
    """A second file of one name, or bytes that belong to none, could be shown by another program."""
    infos = opened.infolist()
    names = [info.filename for info in infos]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name}: is in the bundle {names.count(name)} times"
    for info in infos:
        if not _as_it_is(info):
            yield f"{info.filename}: is packed or enciphered, which nothing in a record is"
    if size != 22 + sum(30 + 46 + 2 * len(info.filename.encode()) + info.compress_size for info in infos):
        yield "the bundle has bytes that belong to no file of it"


def _as_it_is(info: zipfile.ZipInfo) -> bool:
    return info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1 and info.compress_size == info.file_size


def _read(opened: zipfile.ZipFile, bundle: bytes) -> Iterator[tuple[str, bytes]]:
    """The bytes as they lie there. The container's own checksums are passed over: the manifest's digests say more."""
    for info in filter(_as_it_is, opened.infolist()):
        at = info.header_offset + 30 + sum(struct.unpack_from("<HH", bundle, info.header_offset + 26))
        yield info.filename, bundle[at : at + info.file_size]


def _signature_faults(files: Mapping[str, bytes], keys: Mapping[str, Ed25519PublicKey], key: str) -> Iterator[str]:
    if key not in keys:
        yield f"manifest.json: signed by a key that is not trusted here ({key[:16]})"
        return
    try:
        keys[key].verify(files.get("manifest.sig", b""), files["manifest.json"])
    except InvalidSignature:
        yield "manifest.json: the signature is not of this manifest: the list of files itself was changed"


def _file_faults(files: Mapping[str, bytes], listed: Mapping[str, Any]) -> Iterator[str]:
    for path, told in listed.items():
        if path not in files:
            yield f"{path}: is missing"
        elif sha256(files[path]).hexdigest() != _object(told).get("sha256"):
            yield f"{path}: was changed"
    for path in sorted(files.keys() - listed.keys() - set(SIGNED)):
        yield f"{path}: was added"


def _event_faults(lines: bytes, told: Mapping[str, Any]) -> Iterator[str]:
    heads: dict[str, tuple[int, str]] = {}
    count = 0
    for number, line in enumerate(lines.splitlines(), start=1):
        count += 1
        try:
            event = json.loads(line)
            stream, place = f"{event['source']} {event['stream']}", f"{event['stream']} {event['version']}"
            version, before = heads.get(stream, (0, "00" * 32))
            if (event["version"], event["previous_hash"]) != (version + 1, before):
                yield f"events.jsonl: {place} ({event['source']}): does not follow version {version}"
            if _hash(event) != event["hash"]:
                yield f"events.jsonl: {place} ({event['source']}): was changed, its hash is of something else"
            for name in _told_otherwise(json.loads(event["body"]), event["told"]):
                yield f"events.jsonl: {place} ({event['source']}): {name} is told otherwise than it is stored"
            heads[stream] = event["version"], event["hash"]
        except (KeyError, TypeError, ValueError, AttributeError):
            yield f"events.jsonl: line {number} is no event"
    if count != told.get("count"):
        yield f"events.jsonl: {count} events, {told.get('count')} were sealed"
    sealed_heads = {stream: _object(head) for stream, head in _object(told.get("heads")).items()}
    sealed = {stream: (head.get("version"), head.get("hash")) for stream, head in sealed_heads.items()}
    for stream in sorted(sealed.keys() | heads.keys()):
        if sealed.get(stream) != heads.get(stream):
            yield f"events.jsonl: {stream}: does not end where it was sealed"


def _hash(event: Mapping[str, Any]) -> str:
    at = datetime.fromisoformat(event["recorded_at"]) - EPOCH
    columns = {**event, "recorded_at": at // timedelta(microseconds=1)}
    return sha256(
        bytes.fromhex(event["previous_hash"]) + b"".join(_measured(columns[name]) for name in COLUMNS)
    ).hexdigest()


def _measured(value: object) -> bytes:
    if value is None:
        return b"\xff\xff\xff\xff"
    text = str(value).encode()
    return len(text).to_bytes(4, "big") + text


def _told_otherwise(body: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[str]:
    """What is sealed in the body is told by the signature alone; the rest must be the same in both."""
    for name in sorted(body.keys() | told.keys()):
        sealed = isinstance(body.get(name), str) and body[name].startswith("sealed:")
        if name not in body or name not in told or (body[name] != told[name] and not sealed):
            yield name


def trusted(pem: bytes) -> dict[str, Ed25519PublicKey]:
    """The keys of a file, by the digest that a manifest names them by."""
    keys = {}
    for block in re.findall(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", pem, re.DOTALL):
        key = load_pem_public_key(block)
        if isinstance(key, Ed25519PublicKey):
            keys[sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()] = key
    return keys


def main(words: list[str] | None = None) -> int:
    said = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    said.add_argument("record", type=Path, help="the bundle")
    said.add_argument("--key", type=Path, required=True, help="the authority's public key or keys, as PEM")
    asked = said.parse_args(words)
    keys = trusted(asked.key.read_bytes())
    if not keys:
        print(f"{asked.key}: no Ed25519 public key in it", file=sys.stderr)
        return 2
    found = list(faults(asked.record.read_bytes(), keys))
    for fault in found:
        print(fault)
    print(f"{asked.record.name}: {len(found)} faults" if found else f"{asked.record.name}: as it was sealed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
