"""The source tree as the architecture tests see it: files and what stands in them. Nothing is imported here."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("bench", "ops", "sandbox", "services", "shared", "soak")


def python_files(*folders: str) -> Iterator[Path]:
    """Every Python file below these folders of the checkout, in order."""
    for folder in folders:
        yield from sorted(file for file in (ROOT / folder).rglob("*.py") if "__pycache__" not in file.parts)


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), named(file))


def services() -> list[str]:
    """The services there are: folders of `services/`."""
    return sorted(folder.name for folder in (ROOT / "services").iterdir() if any(folder.rglob("*.py")))


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or an attribute of one; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def names_of_tests(file: Path) -> set[str]:
    """The names of the test functions of a file, those in classes too."""
    return {
        node.name
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }
