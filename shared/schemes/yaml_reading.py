"""Reading YAML that people write, safely, remembering the line of everything. Called by `catalog`.

Only plain data is accepted: no tags, no anchors or aliases (so no bombs), no duplicate keys, no deep nesting, one
document. Dates and times stay text; the models say what they are.
"""

import codecs
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.composer import Composer

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20

Path = tuple[str | int, ...]
_PLAIN = {"str", "int", "float", "bool", "null", "timestamp", "seq", "map"}


class BadYaml(Exception):
    """What is wrong, and on which line."""

    def __init__(self, line: int, law: str) -> None:
        super().__init__(f"line {line}: {law}")
        self.line = line
        self.law = law


@dataclass(frozen=True)
class Sheet:
    """The data of one file, and where each part of it stands."""

    data: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest thing above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Loader(Composer, yaml.CSafeLoader):
    """Composes nodes of what libyaml parses, since every start of every process reads all books; refuses what could
    hide or multiply data before it is built."""

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise BadYaml(line, "aliases (*) are not allowed")
        if getattr(event, "anchor", None) is not None:
            raise BadYaml(line, "anchors (&) are not allowed")
        if getattr(event, "tag", None) is not None:
            raise BadYaml(line, f"tags are not allowed: {event.tag}")
        return super().compose_node(parent, index)


def read_sheet(content: bytes) -> Sheet:
    """The data of one file; raises BadYaml."""
    if len(content) > MAX_BYTES:
        raise BadYaml(1, f"the file has {len(content)} bytes; at most {MAX_BYTES} are read")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadYaml(1, "saved as UTF-16 (Unicode): save it as UTF-8")
    try:
        text = content.decode("utf-8")
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadYaml(line, f"not UTF-8: {error.reason} at byte {error.start}; save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadYaml(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise BadYaml(1, f"not YAML: {error}") from None
    except RecursionError:
        raise BadYaml(1, f"nested deeper than {MAX_DEPTH}") from None
    lines: dict[Path, int] = {}
    return Sheet(_plain(node, (), lines) if node is not None else None, lines)


def _plain(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    line = lines[path] = node.start_mark.line + 1
    if len(path) > MAX_DEPTH:
        raise BadYaml(line, f"nested deeper than {MAX_DEPTH}")
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind not in _PLAIN:
        raise BadYaml(line, f"tags are not allowed: {node.tag}")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, place), lines) for place, item in enumerate(node.value)]
    return _scalar(kind, node.value, line)


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise BadYaml(line, "keys are plain words (write numbers and yes/no in quotes)")
        if key.value in found:
            raise BadYaml(line, f"{key.value} stands twice")
        found[key.value] = _plain(value, (*path, key.value), lines)
        lines[(*path, key.value)] = line
    return found


def _scalar(kind: str, text: str, line: int) -> Any:
    match kind:
        case "bool":
            if text not in {"true", "false"}:
                raise BadYaml(line, f"{text} is read as a truth value: write true or false, or put it in quotes")
            return text == "true"
        case "int":
            if not text.lstrip("-").isdigit() or (text.lstrip("-").startswith("0") and text != "0"):
                raise BadYaml(line, f"{text} is read as a number in another base: put it in quotes")
            return int(text)
        case "float":
            try:
                return float(text)
            except ValueError:
                raise BadYaml(line, f"{text} is not a plain number: put it in quotes") from None
        case "null":
            return None
        case _:
            return text
