"""Which patterns of a book are refused because some text would keep whoever tries them busy for years."""

import pytest

from shared.schemes.patterns import is_quick

QUICK = (
    "[0-9]{9,12}",
    r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "粤?[A-Z]{2}[0-9]?(?:-[0-9]{4})?",
    "(?:" + "|".join(f"证{number}" for number in range(40)) + ")[0-9]+",
    "(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])",
    r"\?{3}\|[?|*+]{20}",
    "(?:ab){26}",
)
ENDLESS = (
    "([0-9]+)+",
    "(a|a)*",
    "((a|a))*",
    "((?:a?)){28}",
    "a?" * 28 + "a" * 28,
    "a{0,1}" * 28 + "a" * 28,
    "(a|a)" * 26 + "b",
    "(a|aa)" * 27 + "b",
    "((a|a)x?)" * 26 + "b",
    "a*" * 9,
)


@pytest.mark.parametrize("pattern", QUICK)
def test_a_pattern_with_few_ways_is_quick(pattern: str) -> None:
    assert is_quick(pattern, 60)


@pytest.mark.parametrize("pattern", ENDLESS, ids=lambda pattern: pattern[:12])
def test_a_pattern_with_ways_without_number_is_not(pattern: str) -> None:
    assert not is_quick(pattern, 60)
