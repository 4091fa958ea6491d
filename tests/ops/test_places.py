"""Where data goes, for whom, and what stays closed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ops.stack import places
from ops.stack.places import Place, ServerUser, Unserviceable, fallback_of, home_of, make_private


class Anywhere(ServerUser):
    """A server user who can enter every folder, or none."""

    def __init__(self, *, enters: bool) -> None:
        super().__init__("somebody", os.getuid(), os.getgid())
        object.__setattr__(self, "enters", enters)

    def can_enter(self, path: Path) -> bool:
        return bool(self.__dict__["enters"])


def test_data_lives_in_the_checkout(tmp_path: Path) -> None:
    assert home_of(tmp_path, Anywhere(enters=True)) == tmp_path / ".zikao"


def test_data_moves_out_of_a_folder_that_the_servers_cannot_enter(tmp_path: Path) -> None:
    assert home_of(tmp_path, Anywhere(enters=False)) == fallback_of(tmp_path)


@pytest.mark.parametrize("name", ["with space", "自考", "a;b", "it's"])
def test_data_moves_out_of_a_path_that_rabbitmq_would_misread(tmp_path: Path, name: str) -> None:
    checkout = tmp_path / name
    checkout.mkdir()
    assert home_of(checkout) == fallback_of(checkout)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_data_moves_out_of_a_checkout_that_is_not_ours_to_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    assert home_of(tmp_path) == fallback_of(tmp_path)
    assert places.environment_of(tmp_path) == fallback_of(tmp_path) / "venv"


def test_two_checkouts_never_share_a_fallback(tmp_path: Path) -> None:
    assert fallback_of(tmp_path / "a") != fallback_of(tmp_path / "b")


def test_a_private_folder_is_closed_to_others(tmp_path: Path) -> None:
    make_private(tmp_path / "ours", None)
    assert (tmp_path / "ours").stat().st_mode & 0o777 == 0o700


def test_the_servers_group_may_only_pass_through(tmp_path: Path) -> None:
    make_private(tmp_path / "ours", Anywhere(enters=True))
    assert (tmp_path / "ours").stat().st_mode & 0o777 == 0o710


def test_a_link_laid_where_our_folder_belongs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").symlink_to(tmp_path / "theirs")
    with pytest.raises(Unserviceable, match="somebody else"):
        make_private(tmp_path / "ours", None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 65534, 65534)
    with pytest.raises(Unserviceable, match="somebody else"):
        make_private(tmp_path / "theirs", None)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user needs no other")
def test_the_kernel_is_asked_whether_a_server_can_enter(tmp_path: Path) -> None:
    user = places.server_user()
    assert user is not None
    closed = tmp_path / "closed"
    (closed / "inside").mkdir(parents=True)
    closed.chmod(0o700)
    assert user.can_enter(Path("/"))
    assert not user.can_enter(closed / "inside")


def test_what_servers_read_is_closed_to_others(tmp_path: Path) -> None:
    place = Place(home=tmp_path, data=tmp_path / "data", user=None)
    place.make()
    place.write_for_servers(place.data / "password", "secret")
    assert (place.data / "password").stat().st_mode & 0o777 == 0o600
