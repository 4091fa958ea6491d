"""Ports of our own, the same at every start."""

from __future__ import annotations

import socket
from pathlib import Path

from ops.stack.ports import LOOPBACK, Ports, is_free


def test_a_port_is_remembered_between_starts(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = Ports(file).of("identity")
    assert Ports(file).of("identity") == first


def test_two_names_get_two_ports(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    assert len({ports.of(str(number)) for number in range(50)}) == 50


def test_a_port_that_somebody_took_meanwhile_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = Ports(file).of("identity")
    with socket.socket() as somebody:
        somebody.bind((LOOPBACK, first))
        somebody.listen()
        assert not is_free(first)
        second = Ports(file).of("identity")
    assert second != first
    assert Ports(file).of("identity") == second
