"""The one-time command as an operator meets it. What identity answers is tried in test_offices.py."""

from typer.testing import CliRunner

from ops.first_admin import app


def test_without_identity_the_command_says_so_in_one_sentence_and_shows_no_secret() -> None:
    told = CliRunner().invoke(
        app, ["first", "--identity-url", "http://127.0.0.1:1"], env={"ZIKAO_BOOTSTRAP_SECRET": "s3"}
    )
    assert told.exit_code == 1
    assert told.stderr == "Identity does not answer at http://127.0.0.1:1. Is the stack up?\n"
    assert "s3" not in told.output
