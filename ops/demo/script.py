"""剧本: the stories of the demonstration, as `stories/*.yaml` tell them: who there is, what they have, what they do.

Steps are names of functions in `steps_of_candidates.py` and `steps_of_offices.py`; YAML decides nothing. Values may
name facts of the candidate in braces: `{name}`, `{id_number}`, `{mobile}`, `{ticket_number}`, `{certificate_number}`.
"""

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shared.schemes.catalog import Catalog
from shared.schemes.yaml_reading import read_sheet

STORIES = Path(__file__).parent / "stories"


class Said(BaseModel):
    """A part of a story; unknown words are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Organisation(Said):
    code: str
    title: str
    level: str
    parent: str | None = None


class Position(Said):
    """A person's work: login, made-up name, place, and roles with where they are held."""

    login: str
    name: str
    organisation: str
    roles: tuple[tuple[str, str], ...]


class Today(Said):
    """When a window of a cycle of today is open, where that is not today and tomorrow, day and night."""

    seconds: int | None = Field(default=None, ge=5, le=600, description="From now on, so long.")
    after: str | None = Field(
        default=None, description="From the end of this window, which has `seconds`, to midnight."
    )
    pause: int = Field(default=0, ge=0, le=600, description="Seconds between that end and this opening.")


class Cycle(Said):
    organisation: str
    title: str
    windows: dict[str, Today] = Field(default_factory=dict)


class Paper(Said):
    """What is drawn and photographed for one photograph of the book."""

    drawn: str = Field(description="As `papers.py` calls it.")
    heading: str = ""
    rows: dict[str, str] = Field(default_factory=dict, description="Label -> what stands beside it.")
    turned: int | None = Field(
        default=None, description="By EXIF, 12 megapixels of a phone; none: as a scanner leaves it."
    )
    share: float = Field(0.38, description="Of the picture that the paper fills.")


class Script(Said):
    title: str
    book: str = Field(description="Its name without a version: the newest is taken.")
    candidate: str = Field(description="The made-up name.")
    organisations: tuple[Organisation, ...]
    people: tuple[Position, ...]
    cycle: Cycle
    papers: dict[str, Paper] = Field(default_factory=dict, description="Photograph of the book -> what is drawn.")
    steps: tuple[tuple[str, dict[str, Any]], ...]

    @field_validator("steps", mode="before")
    @classmethod
    def _each_a_name_and_what_it_needs(cls, given: list[Any]) -> list[Any]:
        """`- submit` or `- submit: {...}`."""
        return [(each, {}) if isinstance(each, str) else next(iter(each.items())) for each in given]

    @property
    def scheme(self) -> str:
        """The newest version there is."""
        versions = [int(ref.rpartition("@")[2]) for ref in shelf().refs() if ref.startswith(f"{self.book}@")]
        return f"{self.book}@{max(versions)}"


@cache
def shelf() -> Catalog:
    """Every book; read once."""
    return Catalog.load()


@cache
def scripts() -> dict[str, Script]:
    """Every story by the name of its file, in the order of the numbers before the names."""
    files = sorted(STORIES.glob("*.yaml"))
    return {file.stem.split("_", 1)[1]: Script.model_validate(read_sheet(file.read_bytes()).data) for file in files}


def filled(said: Any, facts: dict[str, str]) -> Any:
    """The same with the candidate's facts in the place of their names."""
    match said:
        case str():
            return said.format_map(facts)
        case dict():
            return {name: filled(value, facts) for name, value in said.items()}
        case list() | tuple():
            return [filled(each, facts) for each in said]
        case _:
            return said
