"""Laws of the house that no tool checks: where files are, what they may say, what tests may do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT, dotted, named, parsed, python_files, services

MOST_LINES = 400
LONGER_WITH_REASON: dict[str, str] = {
    f"shared/events/{service}.py": "every fact of one service stands in one list"
    for service in ("identity", "exemption")
}
"""File -> why it may be longer."""

FOR_TESTS = "shared/testing/"
"""Draws and invents people and papers, as tests do."""

PROVINCES = (
    "北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南"
    "|陕西|甘肃|青海|内蒙古|广西|西藏|宁夏|新疆"
)
"""港澳台 is left out: residence permits of 81, 82 and 83 are national law."""

PINYIN = (
    "beijing|tianjin|chongqing|hebei|shanxi|liaoning|jilin|heilongjiang|jiangsu|zhejiang|anhui|fujian|jiangxi|shandong"
    "|henan|hubei|hunan|guangdong|hainan|sichuan|guizhou|yunnan|shaanxi|gansu|qinghai|neimenggu|guangxi|xizang|tibet"
    "|ningxia|xinjiang|swust"
)
"""shanghai is left out: it is the name of the time zone, whose time people call Beijing time (北京时间)."""

UNIVERSITY = re.compile(r"[\u4e00-\u9fff]{2,}(?:大学|学院)|西南科技|[A-Z][a-z]+ University")
INVENTED = "样例"
"""样例大学: plainly marked as nobody's."""

PLACE = re.compile(rf"(?:{PROVINCES})(?!时间)|\b(?:{PINYIN})\b(?! time)", re.IGNORECASE)

PURE = ("shared/kernel", "shared/events", *(f"services/{service}/domain" for service in services()))
PURE_SCHEMES = tuple(
    ROOT / "shared/schemes" / f"{room}.py" for room in ("book", "courses", "forms", "procedure", "reading", "reference")
)
CLOCK = "shared/kernel/time.py"
"""The one place that asks for the time; the shell hands it on as `Clock`."""

IMPURE = re.compile(
    r"(^|\.)((now|utcnow|utc_now|uuid1|uuid4|open|print|input|urandom|getrandbits)|date(time)?\.today)$"
)


def test_every_folder_with_python_is_a_package() -> None:
    """import-linter does not see modules of a folder without __init__.py, so no contract would hold there."""
    folders = {file.parent for file in python_files(*PACKAGES)}
    assert not [named(folder) for folder in folders if not (folder / "__init__.py").exists()]


@pytest.mark.parametrize("file", [*python_files(*PACKAGES, "tests")], ids=named)
def test_a_file_is_short_enough_to_be_read(file: Path) -> None:
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES or named(file) in LONGER_WITH_REASON, f"{lines} lines"


def test_no_exception_is_made_for_a_file_that_is_short() -> None:
    for name in LONGER_WITH_REASON:
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) > MOST_LINES, name


@pytest.mark.parametrize("file", [*python_files(*PACKAGES)], ids=named)
def test_every_module_with_code_opens_by_saying_what_it_is(file: Path) -> None:
    assert not parsed(file).body or ast.get_docstring(parsed(file))


@pytest.mark.parametrize("file", [f for f in python_files(*PACKAGES) if not named(f).startswith(FOR_TESTS)], ids=named)
def test_no_province_or_university_is_named_in_python(file: Path) -> None:
    """Rules of a place are data: `shared/schemes/books`."""
    assert not [f"line {line}: {what}" for line, what in places_in(file.read_text(encoding="utf-8"))]


def places_in(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        for found in (*PLACE.finditer(line), *UNIVERSITY.finditer(line)):
            if not found[0].startswith(INVENTED):
                yield number, found[0]


@pytest.mark.parametrize(
    "text", ["四川省教育考试院", '"swust/1x@1"', "绵阳某某大学", "Hubei", "class ShandongScheme: # Shandong"]
)
def test_a_named_place_would_be_noticed(text: str) -> None:
    assert list(places_in(text))


def test_what_only_sounds_like_a_place_may_be_said() -> None:
    assert not list(
        places_in('ZoneInfo("Asia/Shanghai")  # 北京时间, Beijing time; 样例大学; 港澳台居民居住证; 大学英语四级')
    )


@pytest.mark.parametrize("file", [*python_files("tests", "shared/testing")], ids=named)
def test_tests_replace_nothing_of_ours(file: Path) -> None:
    assert not list(replacements_in(parsed(file)))


def replacements_in(tree: ast.Module) -> Iterator[str]:
    """Mocks and patches; `monkeypatch.setenv` and the like change the surroundings only."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names if each.name in ("mock", "unittest.mock"))
            case ast.ImportFrom(module=module, names=names):
                yield from (f"{module}.{each.name}" for each in names if _mocks(f"{module}.{each.name}"))
            case ast.Attribute() if re.fullmatch(r"(monkeypatch\.(setattr|setitem|delattr)|mocker\..*)", dotted(node)):
                yield dotted(node)
            case ast.arg(arg="mocker"):
                yield "mocker"
            case _:
                pass


def _mocks(name: str) -> bool:
    return name.startswith(("unittest.mock", "mock.")) or name.endswith((".mock", "MagicMock"))


@pytest.mark.parametrize(
    "line",
    [
        "from unittest.mock import patch",
        "from unittest import mock",
        "import unittest.mock",
        "def test_it(mocker): ...",
        "def test_it(monkeypatch): monkeypatch.setattr(a, 'b', 1)",
    ],
)
def test_a_mock_would_be_noticed(line: str) -> None:
    assert list(replacements_in(ast.parse(line)))


def _pure_files() -> list[Path]:
    rooms = [room for room in PURE if (ROOT / room).is_dir()]
    return [file for file in (*python_files(*rooms), *PURE_SCHEMES) if named(file) != CLOCK]


@pytest.mark.parametrize("file", _pure_files(), ids=named)
def test_the_pure_core_asks_neither_the_clock_nor_chance(file: Path) -> None:
    """`datetime` and `uuid` may be imported for their types, so the import contracts cannot see their clocks."""
    assert not list(impure_calls_in(parsed(file)))


def impure_calls_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and IMPURE.search(dotted(node.func)):
            yield f"line {node.lineno}: {dotted(node.func)}"
        if isinstance(node, ast.AsyncFunctionDef | ast.Await):
            yield f"line {node.lineno}: waits"


@pytest.mark.parametrize("line", ["datetime.now(UTC)", "date.today()", "uuid4()", "uuid.uuid4()", "open('x')"])
def test_an_impure_call_would_be_noticed(line: str) -> None:
    assert list(impure_calls_in(ast.parse(line)))


LOCKS = re.compile(r"advisory_xact_lock|\bfor (no key )?(update|share)\b", re.IGNORECASE)
OPENED = "work.tx.open()"


def _rooms_of_handlers() -> list[Path]:
    return [
        file for file in python_files("services", "shared/runtime") if "work.tx." in file.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("file", _rooms_of_handlers(), ids=named)
def test_a_handler_locks_only_in_a_transaction_it_opened(file: Path) -> None:
    """Before `tx.open` every statement is a transaction of its own, whose locks end with it."""
    assert not list(idle_locks_in(file.read_text(encoding="utf-8")))


def idle_locks_in(text: str) -> Iterator[str]:
    """Functions of a handler with the words of a lock, in which nothing is opened."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.AsyncFunctionDef):
            words = ast.get_source_segment(text, node) or ""
            if "work.tx." in words and LOCKS.search(words) and OPENED not in words:
                yield node.name


def test_a_lock_that_ends_at_once_would_be_noticed() -> None:
    handler = """async def on(work): await work.tx.connection.execute("select pg_advisory_xact_lock(1)")"""
    assert list(idle_locks_in(handler)) == ["on"]
    assert not list(idle_locks_in(handler.replace("work.tx.connection", "(await work.tx.open())")))
