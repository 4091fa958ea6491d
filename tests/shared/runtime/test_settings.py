"""What a service reads from its environment beyond plain values."""

import pytest
from pydantic import ValidationError

from tests.shared.runtime.web import settings


def test_sockets_are_listed_with_commas_and_none_is_the_rule() -> None:
    assert settings(listen_fds="7, 8").listen_fds == (7, 8)
    assert settings().listen_fds == ()


def test_a_socket_is_a_number() -> None:
    with pytest.raises(ValidationError):
        settings(listen_fds="7,eight")
