"""个人中心: tiles and queries open and close with the windows of the cycles, seen by a clock (SX-E-14 to 16). Pure."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.exemption.api.answers import cycle_shown
from services.exemption.api.home import HomeShown, day_in_words, home_shown
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.views.cycles import CycleRow
from shared.kernel.time import SHANGHAI
from shared.schemes.book import Head, Home, Tile
from shared.schemes.catalog import Catalog
from shared.schemes.procedure import Window

SHELF = Path(__file__).parents[2] / "schemes" / "claims_books"
REF = "lagoon/isle@1"
BOOK = Catalog.load(SHELF).get(REF)
HEAD = BOOK.part("scheme", Head)
RULES = Rules(REF, BOOK.part("exemption", ExemptionScheme))
MARCH = Window(date(2026, 3, 1), date(2026, 3, 31))
MAY = Window(date(2026, 5, 1), date(2026, 5, 10))


def cycle(name: str, apply: Window = MARCH, results: Window = MAY, *, closed: bool = False) -> CycleRow:
    windows = {"apply": apply, "results": results}
    ended = frozenset({"apply"} if closed else ())  # a query keeps its days
    return CycleRow(name, REF, "harbour", name, closed, datetime(2026, 2, 1, tzinfo=SHANGHAI), 1, windows, ended)


def seen(at: datetime, *rows: CycleRow) -> HomeShown:
    assert HEAD.home
    return home_shown(REF, HEAD, HEAD.home, [cycle_shown(row, RULES, at) for row in rows], at)


def tiles(shown: HomeShown) -> dict[str, tuple[bool, str]]:
    return {tile.id: (tile.open, tile.note) for group in shown.groups for tile in group.tiles}


def noon(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=SHANGHAI)


OPEN, SHUT = (True, ""), (False, "未开放")


@pytest.mark.parametrize(
    ("at", "exemption", "results"),
    [
        (noon(2, 20), SHUT, SHUT),
        (noon(3, 10), OPEN, SHUT),
        (noon(4, 10), SHUT, SHUT),
        (noon(5, 3), SHUT, OPEN),
        (noon(6, 1), SHUT, SHUT),
    ],
)
def test_a_tile_is_open_exactly_while_its_window_is(
    at: datetime, exemption: tuple[bool, str], results: tuple[bool, str]
) -> None:
    shown = tiles(seen(at, cycle("spring")))
    assert (shown["exemption"], shown["results"]) == (exemption, results)
    assert shown["notices"] == OPEN  # at any time
    assert shown["sailing"] == SHUT  # a procedure that is not here


def test_without_any_cycle_only_what_is_always_open_is_open() -> None:
    assert tiles(seen(noon(3, 10))) == {"exemption": SHUT, "sailing": SHUT, "notices": OPEN, "results": SHUT}


def test_one_of_several_cycles_is_enough_and_a_closed_one_counts_for_nothing() -> None:
    (tile, *_), _ = (group.tiles for group in seen(noon(3, 10), cycle("a", MAY), cycle("b")).groups)
    assert (tile.open, tile.cycle, tile.closes_at) == (True, "b", datetime(2026, 4, 1, tzinfo=SHANGHAI))
    assert tiles(seen(noon(3, 10), cycle("b", closed=True)))["exemption"] == SHUT


def test_the_query_of_a_cycle_that_was_closed_by_hand_opens_on_its_days_and_no_sooner() -> None:
    assert tiles(seen(noon(4, 10), cycle("b", closed=True)))["results"] == SHUT
    assert tiles(seen(noon(5, 3), cycle("b", closed=True)))["results"] == OPEN


def test_what_is_not_open_yet_says_when_it_opens() -> None:
    (tile, *_), _ = (group.tiles for group in seen(noon(2, 20), cycle("b"), cycle("a", MAY)).groups)
    assert (tile.open, tile.cycle, tile.opens_at) == (False, "b", datetime(2026, 3, 1, tzinfo=SHANGHAI))


def test_the_head_of_the_page_has_the_slogan_and_the_servers_day_in_shanghai() -> None:
    shown = seen(datetime(2020, 5, 10, 23, 30, tzinfo=SHANGHAI) + timedelta(hours=1))
    assert (shown.today, shown.slogan, shown.back) == ("2020年05月11日 星期一", "学海无涯", "系统首页")
    assert day_in_words(date(2026, 11, 1)) == "2026年11月01日 星期日"


def test_tiles_have_names_of_their_own() -> None:
    tile = {"id": "one", "title": "一", "source": "TT-24"}
    group = {"title": "入口", "tiles": [tile, tile], "source": "TT-24"}
    with pytest.raises(ValidationError, match="tiles of home: named twice: one"):
        Home.model_validate({"title": "首页", "back": "回", "groups": [group], "closed": "关", "source": "TT-24"})


def test_what_opens_by_a_window_is_not_always_open() -> None:
    with pytest.raises(ValidationError, match="one: what opens by a window is not always open"):
        Tile(id="one", title="一", window="apply", always=True, source="TT-24")
