"""The stack on one machine: places, servers, processes, screen.

`ops/main.py` brings it up for people, `tests/conftest.py` brings up its servers for tests.
"""
