"""个人中心 the page that a candidate sees first, for everybody: what it leads to, and what of it is open now."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.exemption.api.answers import cycle_shown
from services.exemption.api.asking import BooksDep
from services.exemption.api.shapes import CycleShown, WindowShown
from services.exemption.handlers import Books
from services.exemption.views.cycles import find_cycles
from shared.kernel.errors import Refused
from shared.kernel.time import SHANGHAI
from shared.runtime.access import ServiceDep
from shared.runtime.problems import refuses
from shared.schemes.book import Head, Home, Tile

router = APIRouter()

_WEEKDAYS = "一二三四五六日"


class TileShown(BaseModel):
    """`note` stands beside what is closed (未开放). `cycle`: where it is open, or opens next."""

    id: str
    title: str
    open: bool
    note: str
    window: str | None
    cycle: str | None
    opens_at: datetime | None
    closes_at: datetime | None


class TileGroupShown(BaseModel):
    title: str
    tiles: Sequence[TileShown]


class HomeShown(BaseModel):
    """SX-E-14 to 16. `today`: the server's day in Shanghai, as people write it."""

    scheme: str
    site_title: str
    title: str
    back: str
    slogan: str
    today: str
    at: datetime
    footer: Sequence[str]
    groups: Sequence[TileGroupShown]


@router.get("/home", openapi_extra=refuses("exemption.no_home"))
async def home(
    service: ServiceDep,
    books: BooksDep,
    jurisdiction: Annotated[str, Query(max_length=40, description="The first part of a scheme's name.")],
) -> HomeShown:
    """SX-E-14, SX-E-15: every tile and query with its state, which the windows of the cycles decide."""
    ref, head, page = _newest(books, jurisdiction)
    async with service.reading() as connection:
        rows = [row for each in _versions(books, ref) for row in await find_cycles(connection, scheme=each)]
    now = service.clock()
    return home_shown(ref, head, page, [cycle_shown(row, books.rules(row.scheme), now) for row in rows], now)


def _newest(books: Books, jurisdiction: str) -> tuple[str, Head, Home]:
    """The last version of the book that has such a page."""
    heads = {ref: books.head(ref) for ref in books.refs() if ref.split("/")[0] == jurisdiction}
    found = [(head.version, ref, head, head.home) for ref, head in heads.items() if head.home]
    if not found:
        raise Refused("exemption.no_home")
    _, ref, head, page = max(found, key=lambda each: each[:2])
    return ref, head, page


def _versions(books: Books, ref: str) -> Iterable[str]:
    """A cycle of an earlier version may still be open."""
    return (each for each in books.refs() if each.split("@")[0] == ref.split("@")[0])


def home_shown(ref: str, head: Head, page: Home, cycles: Sequence[CycleShown], now: datetime) -> HomeShown:
    windows = {tile.id: _window_of(tile, cycles) for tile in page.tiles()}
    return HomeShown(
        scheme=ref,
        site_title=head.title.text,
        title=page.title,
        back=page.back,
        slogan=head.slogan.text if head.slogan else "",
        today=day_in_words(now.astimezone(SHANGHAI).date()),
        at=now,
        footer=[each.text for each in head.footer],
        groups=[
            TileGroupShown(title=group.title, tiles=[_tile_shown(tile, windows, page) for tile in group.tiles])
            for group in page.groups
        ],
    )


def day_in_words(day: date) -> str:
    """2020年05月11日 星期一."""
    return f"{day.year}年{day.month:02}月{day.day:02}日 星期{_WEEKDAYS[day.weekday()]}"


Found = tuple[str, WindowShown]


def _window_of(tile: Tile, cycles: Sequence[CycleShown]) -> Found | None:
    """With its cycle: the one that is open, of several the one that closes last; else the next one to open."""
    found = [(cycle.id, each) for cycle in cycles for each in cycle.windows if each.purpose == tile.window]
    opened = [(each.closes_at, cycle, each) for cycle, each in found if each.closes_at]
    if opened:
        return max(opened, key=lambda each: each[:2])[1:]
    coming = [(each.opens_at, cycle, each) for cycle, each in found if each.opens_at]
    return min(coming, key=lambda each: each[:2])[1:] if coming else None


def _tile_shown(tile: Tile, windows: Mapping[str, Found | None], page: Home) -> TileShown:
    cycle, window = windows[tile.id] or (None, None)
    is_open = tile.always or (window is not None and window.open)
    return TileShown(
        id=tile.id,
        title=tile.title,
        open=is_open,
        note="" if is_open else page.closed,
        window=tile.window,
        cycle=cycle,
        opens_at=window.opens_at if window else None,
        closes_at=window.closes_at if window else None,
    )
