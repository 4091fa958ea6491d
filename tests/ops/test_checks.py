"""What `./zikao test` counts as passed, and what surrounds its processes."""

import pytest

from ops.checks import FAILED, NONE, PASSED, keeping_bytecode, proved


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
