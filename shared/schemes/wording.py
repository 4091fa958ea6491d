"""The words of the books in Chinese, and figures as people write them: for pages that officials read.

`words.yaml` beside this file has the words. Called by `explaining.py` and by `ops/schemes`; what has no entry there
keeps its own name, so that a word added to a book's vocabulary appears by itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

from shared.kernel.values import yuan
from shared.schemes.procedure import ASSUMPTION
from shared.schemes.yaml_reading import read_sheet

WORDS = Path(__file__).with_name("words.yaml")
ASSUMED = "假定"
_MIDNIGHT = time(0)
_PLACE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Word:
    """One word of a book, as officials call it."""

    zh: str
    values: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    if_true: str = ""
    if_false: str = ""
    if_missing: str = ""


@dataclass(frozen=True)
class Words:
    """All of them."""

    words: Mapping[str, Word]
    entries: Mapping[str, str]
    units: Mapping[str, str]
    commands: Mapping[str, str]
    places: Mapping[str, str]

    def of(self, word: str, place: str = "") -> Word | None:
        """What a word is called below another word."""
        return self.words.get(f"{place}.{word}") or self.words.get(word)

    def entry(self, code: str) -> str:
        return self.entries.get(code, code)

    def path(self, steps: tuple[str, ...]) -> str:
        """Where a clause stands, for a reader: 审核环节〔初审〕 › 办理时限."""
        said, place = "", ""
        for step in steps:
            if step.startswith("["):
                said += f"〔{step[1:-1]}〕"
            else:
                known = self.of(step, place)
                said += f"{' › ' if said else ''}{known.zh if known else self.entry(step)}"
                place = step
        return said

    def figure(self, value: Any, word: Word | None) -> str:
        """One plain value as people write it."""
        unit = word.unit if word else ""
        match value:
            case bool():
                said = (word.if_true if value else word.if_false) if word else ""
                return said or ("是" if value else "否")
            case datetime() | time():
                return value.strftime("%H:%M")
            case date():
                return f"{value.year} 年 {value.month} 月 {value.day} 日"
            case int() | float() if unit:
                return self._measured(value, unit)
            case float():
                return f"{value:g}"
            case str() if word and value in word.values:
                return word.values[value]
            case _:
                return ASSUMED if value == ASSUMPTION else self.filled(str(value))

    def filled(self, text: str) -> str:
        """Where a text has a place for a fact ({stage}), its name stands there."""
        return _PLACE.sub(lambda found: f"〔{known}〕" if (known := self.places.get(found[1])) else found[0], text)

    def _measured(self, value: float, unit: str) -> str:
        match unit:
            case "bytes":
                return _scaled(value, ((1024 * 1024, "MB"), (1024, "KB")), "字节")
            case "seconds":
                return _scaled(value, ((86_400, "天"), (3600, "小时"), (60, "分钟")), "秒")
            case "percent":
                return f"{value * 100:g}%"
            case "fen":
                return f"{yuan(int(value))} 元"
            case _:
                return self.units[unit].format(f"{value:g}")


def _scaled(value: float, steps: tuple[tuple[int, str], ...], smallest: str) -> str:
    """In the largest unit that gives a short number, as notices print it."""
    for size, name in steps:
        if value >= size and round(value / size, 1) == value / size:
            return f"{value / size:g} {name}"
    return f"{value:g} {smallest}"


def hours(daily: tuple[tuple[time, time], ...]) -> str:
    """09:00–12:00、13:00–17:00; an end at midnight is 24:00."""
    return "、".join(f"{start:%H:%M}–{'24:00' if end == _MIDNIGHT else f'{end:%H:%M}'}" for start, end in daily)


@cache
def chinese() -> Words:
    said = read_sheet(WORDS.read_bytes()).data
    words = {name: Word(**each) if isinstance(each, dict) else Word(each) for name, each in said["words"].items()}
    return Words(words, said["entries"], said["units"], said["commands"], said["places"])
