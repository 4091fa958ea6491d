"""What `./zikao test` counts as passed, and what surrounds its processes."""

from xml.etree.ElementTree import Element, SubElement

import pytest

from ops.checks import FAILED, NO_TESTS, NONE, PASSED, counted, keeping_bytecode, proved


@pytest.mark.parametrize(
    ("outcomes", "chosen", "answer"),
    [
        ((PASSED, PASSED, PASSED), False, True),
        ((PASSED, FAILED, PASSED), False, False),
        ((PASSED, NONE, PASSED), False, False),
        ((NONE, PASSED, NONE), True, True),
        ((NONE, PASSED, FAILED), True, False),
        ((NONE, NONE, NONE), True, False),
    ],
)
def test_a_part_without_tests_passes_only_if_the_caller_chose_and_another_had_some(
    outcomes: tuple[str, ...], chosen: bool, answer: bool
) -> None:
    assert proved(outcomes, chosen=chosen) is answer


def test_bytecode_is_kept_whatever_the_caller_keeps_elsewhere() -> None:
    assert keeping_bytecode({"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/bin"}) == {"PATH": "/bin"}


BOTH = ("integration", "journeys")


def case(room: str, wrong: str = "") -> Element:
    """A test as pytest reports it."""
    made = Element("testcase", classname=f"tests.{room}.test_it")
    if wrong:
        SubElement(made, wrong)
    return made


@pytest.mark.parametrize("wrong", ["failure", "error"])
def test_a_run_of_two_kinds_tells_of_each_what_became_of_its_own_tests(wrong: str) -> None:
    cases = [case("ops"), case("journeys", wrong), case("ops")]
    assert counted(BOTH, cases, 1) == {"integration": (PASSED, 2), "journeys": (FAILED, 1)}
    assert counted(BOTH, cases[::2], 0) == {"integration": (PASSED, 2), "journeys": (NONE, 0)}


def test_a_skipped_test_is_no_failure() -> None:
    assert counted(["unit"], [case("ops", "skipped")], 0) == {"unit": (PASSED, 1)}


@pytest.mark.parametrize("code", [1, 2, 3, -9])
def test_a_run_that_breaks_off_has_passed_nothing_whatever_its_report_says(code: int) -> None:
    assert counted(BOTH, [case("ops")], code) == {"integration": (FAILED, 1), "journeys": (FAILED, 0)}
    assert counted(["unit"], [], code) == {"unit": (FAILED, 0)}


def test_a_run_without_tests_is_told_as_one() -> None:
    assert counted(["unit"], [], NO_TESTS) == {"unit": (NONE, 0)}
