"""`./zikao schemes diff`: what changed between two books, in a form that an official reads. Called by `commands.py`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.schemes.catalog import Book
from shared.schemes.comparing import Change
from shared.schemes.procedure import ASSUMPTION
from shared.schemes.wording import ASSUMED, chinese

KINDS = {"changed": "修改", "added": "新增", "removed": "删除", "reordered": "顺序"}


def told(found: Sequence[Change], books: tuple[Book, Book], left_out: Sequence[str] = ()) -> str:
    """Every change with its place, the old and the new text and their sources, and how many there are.

    `left_out` is what nobody compared: reference data that a draft's folder does not have.
    """
    old, new = (f"{book.ref}（{book.head.title.text}）" if book.head else book.ref for book in books)
    lines = [f"{old} → {new}"]
    for change in found:
        lines += ["", f"[{KINDS[change.kind]}] {chinese().path(change.path)}    {change.named}", *_texts(change)]
    counts = [f"{KINDS[kind]} {count}" for kind in KINDS if (count := sum(each.kind == kind for each in found))]
    same = "其余内容完全相同。" if left_out else "内容完全相同。"
    lines += ["", *(f"{each}.yaml：草案的文件夹里没有，仍按现有的，未作比较。" for each in left_out)]
    lines += [f"共 {len(found)} 处不同：{'，'.join(counts)}。" if found else same]
    return "\n".join(lines) + "\n"


def _texts(change: Change) -> Iterator[str]:
    if change.kind == "reordered":
        yield f"  - {' → '.join(map(str, change.old))}"
        yield f"  + {' → '.join(map(str, change.new))}"
        return
    words = [step for step in change.path if not step.startswith("[")]
    if change.kind != "added":
        yield from _marked("-", change.old, change.old_source, words)
    if change.kind != "removed":
        yield from _marked("+", change.new, change.new_source, words)


def _marked(mark: str, said: Any, source: str, words: Sequence[str]) -> Iterator[str]:
    word, place = ["", "", *words][-1], ["", "", *words][-2]
    first, *more = _lines(said, word, place)
    yield f"  {mark} {first}" + (f"    （依据 {source.replace(ASSUMPTION, ASSUMED)}）" if source else "")
    yield from (f"  {mark} {line}" for line in more)


def _lines(said: Any, word: str, place: str) -> list[str]:
    """A clause in few lines: its plain words in the first one, lists of clauses below."""
    if not isinstance(said, Mapping):
        return _short(said, word, place).split("\n")
    plain = [
        f"{_word(each, word)}：{_short(value, each, word)}" for each, value in said.items() if _is_plain(each, value)
    ]
    lines = ["；".join(plain)] if plain else []
    for each, value in said.items():
        if _clauses(value):
            entries = value.values() if isinstance(value, Mapping) else value
            lines += [
                f"{_word(each, word)}：",
                *(f"    {line}" for entry in entries for line in _lines(entry, each, word)),
            ]
    return lines or [""]


def _is_plain(word: str, said: Any) -> bool:
    return word != "source" and not _clauses(said)


def _clauses(said: Any) -> bool:
    """Whether it is a list or a table of clauses, and so takes lines of its own."""
    entries = said if isinstance(said, list) else list(said.values()) if isinstance(said, Mapping) else []
    return bool(entries) and all(isinstance(each, Mapping) for each in entries)


def _short(said: Any, word: str, place: str) -> str:
    match said:
        case None:
            return "（空）"
        case list():
            return "、".join(_short(each, word, place) for each in said)
        case dict():
            plain = {each: value for each, value in said.items() if each != "source"}
            return "，".join(f"{_word(each, word)} {_short(value, each, word)}" for each, value in plain.items())
        case _:
            return chinese().figure(said, chinese().of(word, place))


def _word(word: str, place: str) -> str:
    known = chinese().of(word, place)
    return known.zh if known else chinese().entry(word)
