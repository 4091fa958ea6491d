"""What changed between two books, clause by clause. Pure; called by `ops/schemes`.

Lists are compared by what their entries are called and not by where they stand, so a stage put in between is one
addition, and not a change of everything below it. Where the order itself changed, that is said as a change of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["changed", "added", "removed", "reordered"]
NAMES = ("id", "slot", "code", "name", "title", "level", "about", "text")
"""By which an entry of a list is known: the first of these that all entries have and that differs in each."""


@dataclass(frozen=True)
class Change:
    """One clause that is not what it was. `path` is in the book's words, entries of lists by their names."""

    kind: Kind
    path: tuple[str, ...]
    old: Any = None
    new: Any = None
    old_source: str = ""
    new_source: str = ""

    @property
    def named(self) -> str:
        """`exemption.stages[初审].due_days`, as clauses are named in events."""
        return "".join(step if step.startswith("[") else f".{step}" for step in self.path).removeprefix(".")


def changes(old: Any, new: Any, path: tuple[str, ...] = (), sources: tuple[str, str] = ("", "")) -> Iterator[Change]:
    """From `old` to `new`, in the order of the new book; what it no longer says comes last in each place."""
    sources = (_source(old, sources[0]), _source(new, sources[1]))
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _of_entries(old, new, path, sources, "{}")
    elif (name := _name_of_entries(old, new)) is not None:
        before, after = ({str(each[name]): each for each in entries} for entries in (old, new))
        yield from _of_entries(before, after, path, sources, "[{}]")
        if [each for each in before if each in after] != [each for each in after if each in before]:
            yield Change("reordered", path, list(before), list(after), *sources)
    elif old != new:
        yield Change("changed", path, old, new, *sources)


def _of_entries(
    old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...], sources: tuple[str, str], written: str
) -> Iterator[Change]:
    for name, said in new.items():
        here = (*path, written.format(name))
        if name in old:
            yield from changes(old[name], said, here, sources)
        else:
            yield Change("added", here, new=said, new_source=_source(said, sources[1]))
    for name, said in old.items():
        if name not in new:
            yield Change("removed", (*path, written.format(name)), old=said, old_source=_source(said, sources[0]))


def _source(said: Any, around: str) -> str:
    """The source of a clause: its own, or that of the clause it is part of."""
    own = said.get("source") if isinstance(said, Mapping) else None
    return own if isinstance(own, str) else around


def _name_of_entries(old: Any, new: Any) -> str | None:
    if not (isinstance(old, Sequence) and isinstance(new, Sequence)) or isinstance(old, str) or isinstance(new, str):
        return None
    entries = [*old, *new]
    if not entries or not all(isinstance(each, Mapping) for each in entries):
        return None
    return next((name for name in NAMES if _tells_apart(name, old) and _tells_apart(name, new)), None)


def _tells_apart(name: str, entries: Sequence[Mapping[str, Any]]) -> bool:
    names = [str(each.get(name)) for each in entries]
    return all(name in each for each in entries) and len(set(names)) == len(names)
