"""Ports of our own, the same at every start."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ops.stack.ports import LOOPBACK, Ports, bound, is_free


def test_a_port_is_remembered_between_starts(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = Ports(file).of("identity")
    assert Ports(file).of("identity") == first


def test_a_bound_socket_keeps_its_address_and_refuses_until_a_process_listens_at_it() -> None:
    with bound(0) as ours:
        address = ours.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        with socket.socket(fileno=os.dup(ours.fileno())) as theirs:
            theirs.listen()
        with socket.create_connection(address):  # nobody takes it yet, and it waits
            pass


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
