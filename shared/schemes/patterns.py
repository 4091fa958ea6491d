"""Whether a regular expression of a book can be tried on whatever somebody types. Pure; called by `forms.py`.

Python tries every way in which a text can be divided among repetitions: with one inside another there are so many that
forty letters take years, with several behind each other as many as the length to the power of their number. Branches,
and what may be left out, multiply as well: each is tried with every way of those before it.
"""

import re
from collections.abc import Iterator
from math import prod

_MOST_WAYS = 10_000_000
_SINGLE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
"""What stands for one character: an escape, a class."""
_INNERMOST = re.compile(r"\((?:\?(?:[:=!]|<[=!]|P<\w+>))?([^()]*)\)([*+]|\{[^}]*\})?")
_VARIES = re.compile(r"(?:\{(\d*),(\d*)\}|([*+?]))[?+]?")
_COUNTED = "\0"
"""Stands for a branch that is counted already, and is still none that may be repeated."""
_DIVIDES = re.compile(rf"[*+?|{_COUNTED}]|\{{\d*,\d*\}}")


def is_quick(pattern: str, most: int) -> bool:
    """Whether no text of so many characters has too many ways to be tried. Of a pattern that `re` can read."""
    left, ways = _SINGLE.sub("x", pattern), 1
    while group := _INNERMOST.search(left):
        inner, repeated = group.groups()
        if repeated and _DIVIDES.search(inner):
            return False
        ways *= 1 + inner.count("|")
        inner = inner.replace("|", _COUNTED)
        left = f"{left[: group.start()]}{inner}{repeated or ''}{left[group.end() :]}"
    ways *= 1 + left.count("|")
    return ways * prod(_lengths(left, most)) <= _MOST_WAYS


def _lengths(flat: str, most: int) -> Iterator[int]:
    """How many lengths each of its repetitions may have."""
    for first, last, sign in _VARIES.findall(flat):
        yield 2 if sign == "?" else int(last) - int(first or 0) + 1 if last else most
