"""The one-time command as an operator meets it. What identity answers is tried in test_offices.py."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.first_admin import app, told_to_identity
from ops.stack.environment import Secrets
from ops.stack.places import Place, Unserviceable


def test_without_identity_the_command_says_so_in_one_sentence_and_shows_no_secret() -> None:
    told = CliRunner().invoke(
        app, ["first", "--identity-url", "http://127.0.0.1:1"], env={"ZIKAO_BOOTSTRAP_SECRET": "s3"}
    )
    assert told.exit_code == 1
    assert told.stderr == "Identity does not answer at http://127.0.0.1:1. Is the stack up?\n"
    assert "s3" not in told.output


def test_without_an_address_it_is_the_stack_of_this_checkout(tmp_path: Path) -> None:
    place = Place(home=tmp_path, data=tmp_path, user=None)
    with pytest.raises(Unserviceable, match=r"There is no stack here yet: `./zikao up` makes one"):
        told_to_identity(place)
    (tmp_path / "ports.json").write_text('{"identity": 20001}')
    secret = Secrets(tmp_path / "secrets.json").bootstrap
    assert told_to_identity(place) == ("http://127.0.0.1:20001", secret)
