"""Whether a regular expression of a book can be tried on whatever somebody types. Pure; called by `forms.py`.

Python tries every way in which a text can be divided among repetitions: with one inside another there are so many that
forty letters take years, with several behind each other as many as the length to the power of their number.
"""

import re
from math import prod

_MOST_WAYS = 10_000_000
_SINGLE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
"""What stands for one character: an escape, a class."""
_INNERMOST = re.compile(r"\((?:\?(?:[:=!]|<[=!]|P<\w+>))?([^()]*)\)([*+]|\{[^}]*\})?")
_VARIES = re.compile(r"[*+]|\{(\d*),(\d*)\}")
_DIVIDES = re.compile(r"[*+?|]|\{\d*,\d*\}")


def is_quick(pattern: str, most: int) -> bool:
    """Whether no text of so many characters has too many ways to be tried."""
    left = _SINGLE.sub("x", pattern)
    while group := _INNERMOST.search(left):
        inner, repeated = group.groups()
        if repeated and _DIVIDES.search(inner):
            return False
        left = f"{left[: group.start()]}{inner}{repeated or ''}{left[group.end() :]}"
    lengths = (int(last) - int(first or 0) + 1 if last else most for first, last in _VARIES.findall(left))
    return prod(lengths) <= _MOST_WAYS
