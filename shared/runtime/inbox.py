"""The inbox: how far each stream of other services was handled, and how one transaction of the consumer moves it.

A batch looks at it and moves it on as it writes, if it stands where it was seen (`seen`, `moves`); one event alone
locks its row before (`open`, `close`), and so does whatever has to do with a parked stream.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

from shared.runtime.feed import Envelope
from shared.runtime.parking import pass_over
from shared.runtime.rows import Connection

Key = tuple[str, str]
"""(source, stream)"""
_SEEN = """
select k.source, k.stream, coalesce(i.version, 0) as version, p.source is not null as parked,
    coalesce(s.deployed_at, 0) as deployed_at
from unnest($1::text [], $2::text []) as k (source, stream)
left join inbox as i using (source, stream)
left join parked as p using (source, stream)
left join sources as s using (source)
"""
_MOST_RUNS = 1000
"""What is forgotten beyond them is only read again from the feed."""
Place = Literal["next", "duplicate", "hole", "parked"]
"""Where an event stands to what was handled of its stream."""


class Inbox:
    """Where the streams that some envelopes are of stand."""

    def __init__(self, connection: Connection, rows: Iterable[Any]) -> None:
        self._connection = connection
        self._last: dict[Key, int] = {}
        self._parked: set[Key] = set()
        self._deployed_at: dict[str, int] = {}
        self._passed: dict[Key, int] = {}
        """The highest version of each parked stream that was left for later."""
        self.holes: set[Key] = set()
        self.settled: list[tuple[str, int]] = []
        """(source, position) of what needs nothing more once the transaction is committed."""
        for row in rows:
            self._last[row["source"], row["stream"]] = row["version"]
            self._deployed_at[row["source"]] = row["deployed_at"]
            if row["parked"]:
                self._parked.add((row["source"], row["stream"]))
        self._known = dict(self._last)

    @classmethod
    async def seen(cls, connection: Connection, envelopes: Iterable[Envelope]) -> Self:
        """As they stand now; `moves` finds out if that has changed."""
        return cls(connection, await connection.fetch(_SEEN, *_columns({(e.source, e.stream) for e in envelopes})))

    @classmethod
    async def open(cls, connection: Connection, envelopes: Iterable[Envelope]) -> Self:
        """Lock the rows in one order, so that two replicas cannot both handle one."""
        keys = sorted({(e.source, e.stream) for e in envelopes})
        return cls(connection, await connection.fetch("select * from open_inbox($1, $2)", *_columns(keys)))

    def take(self, envelope: Envelope, *, unpark: bool = False) -> Place:
        """Its place; what is next counts as handled from now on. `unpark`: whether its stream is parked or not."""
        key = (envelope.source, envelope.stream)
        if envelope.version > self._last[key]:
            if key in self._parked and not unpark:
                self._passed[key] = max(envelope.version, self._passed.get(key, 0))
                place: Place = "parked"
            elif key in self.holes or envelope.version > self._last[key] + 1:
                self.holes.add(key)
                return "hole"
            else:
                self._last[key] = envelope.version
                place = "next"
        else:
            place = "duplicate"
        self.settled.append((envelope.source, envelope.position))
        return place

    def waits(self, envelope: Envelope) -> bool:
        """Whether its stream is parked."""
        return (envelope.source, envelope.stream) in self._parked

    def follows(self, envelope: Envelope) -> bool:
        """Whether it was recorded after we first followed its source."""
        return envelope.position > self._deployed_at[envelope.source]

    @property
    def moves(self) -> tuple[Sequence[Any], ...]:
        """What `move_inbox` is told: sources, streams, where they were seen and where they are now."""
        moved = {key: version for key, version in self._last.items() if version > self._known[key]}
        return *_columns(moved), [self._known[key] for key in moved], list(moved.values())

    async def close(self) -> None:
        """Remember the versions, also of what was passed over."""
        await pass_over(self._connection, self._passed)
        await self._connection.execute(
            "update inbox as i set version = k.version from unnest($1::text[], $2::text[], $3::int[]) "
            "as k (source, stream, version) "
            "where i.source = k.source and i.stream = k.stream and i.version < k.version",
            *(*_columns(self._last), list(self._last.values())),
        )


class Settled:
    """The positions of one source's log that were handled, as runs without a hole.

    Each queue brings the streams of its own slots, so that a source's log comes in pieces; what joins the complete
    position without a hole need not be read again from the feed.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[int, int]] = []

    def add(self, positions: Iterable[int]) -> None:
        runs: list[tuple[int, int]] = []
        for first, last in sorted([*self._runs, *((position, position) for position in positions)]):
            if runs and first <= runs[-1][1] + 1:
                runs[-1] = (runs[-1][0], max(last, runs[-1][1]))
            else:
                runs.append((first, last))
        self._runs = runs[:_MOST_RUNS]

    def joined_to(self, position: int) -> int:
        """How far the log is handled if it is up to `position`; forgets what lies below."""
        self._runs = [run for run in self._runs if run[1] > position]
        return self._runs[0][1] if self._runs and self._runs[0][0] <= position + 1 else position


def _columns(keys: Iterable[Key]) -> tuple[Sequence[str], Sequence[str]]:
    pairs = list(keys)
    return [source for source, _ in pairs], [stream for _, stream in pairs]
