"""`scheme.yaml`: what every book says once for all services: its name, who stands behind it, whom to ask. Pure."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from shared.schemes.procedure import Clause, Id, Sentence, Sourced, Text, no_twins

Phone = Annotated[str, StringConstraints(pattern=r"^0[0-9]{2,3}-[0-9]{7,8}$")]
Site = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=200)]


class Contact(Sourced):
    """Whom to ask, and about what."""

    about: Text = Field(description="What this contact is for.")
    text: Text = Field(description="What people read.")
    phones: tuple[Phone, ...] = ()
    of_level: Id | None = Field(None, description="Also shown: the phones of the candidate's own organisation there.")


class Scope(Sourced):
    """A level of organisations that this procedure knows."""

    level: Id
    title: Text


class Role(Sourced):
    """Who acts in this procedure, and at which level of organisation."""

    id: Id
    title: Text
    level: Id | None = None
    menu_path: tuple[Text, ...] = Field((), description="Where such a person finds the work list.")
    entry: Sentence | None = Field(None, description="How such a person signs in.")


class Entrance(Sourced):
    """The way in, as notices describe it: from a site that people know, step by step, to ours."""

    start: Site = Field(description="The site where people begin.")
    steps: tuple[Text, ...] = Field((), description="What they click there, in order.")
    item: Text | None = Field(None, description="The name under which the matter is searched for.")
    aliases: tuple[Text, ...] = Field((), description="Other spellings under which it is to be found.")
    site: Site | None = Field(None, description="Where they arrive, if that is another site.")


class Tile(Sourced):
    """One entry of the home page: open while its window is, or always, or (a procedure that is not here) never."""

    id: Id
    title: Text
    window: Id | None = Field(None, description="The window of exemption.yaml by which it opens and closes.")
    always: bool = Field(False, description="Open at any time: nothing is handed in there.")

    @model_validator(mode="after")
    def _opens_one_way(self) -> "Tile":
        if self.window and self.always:
            raise ValueError(f"{self.id}: what opens by a window is not always open")
        return self


class TileGroup(Sourced):
    """Tiles under one heading."""

    title: Text
    tiles: tuple[Tile, ...] = Field(min_length=1)


class Home(Sourced):
    """The page that a candidate sees first."""

    title: Text
    back: Text = Field(description="What the link back to it says.")
    groups: tuple[TileGroup, ...] = Field(min_length=1)
    closed: Text = Field(description="What stands beside a tile that is not open.")

    def tiles(self) -> Iterator[Tile]:
        return (tile for group in self.groups for tile in group.tiles)

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Home":
        no_twins([tile.id for tile in self.tiles()], "tiles of home")
        no_twins([group.title for group in self.groups], "groups of home")
        return self


class Head(Clause):
    """The head of a book."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    version: int = Field(ge=1, description="A published version never changes; a change is a new version.")
    title: Sentence = Field(description="Name of the procedure or system.")
    audience: Sentence = Field(description="Who may apply.")
    authority: Sentence = Field(description="Who stands behind it.")
    slogan: Sentence | None = Field(None, description="Above every page, beside the date.")
    footer: tuple[Sentence, ...] = Field(description="Below every page.")
    entrance: Entrance | None = Field(None, description="How people come here.")
    home: Home | None = Field(None, description="What the home page leads to.")
    levels: tuple[Scope, ...] = Field(description="Levels of organisations, from the candidate upwards.")
    roles: tuple[Role, ...]
    contacts: tuple[Contact, ...]

    @model_validator(mode="after")
    def _names_are_known(self) -> "Head":
        no_twins([each.level for each in self.levels], "levels")
        no_twins([each.id for each in self.roles], "roles")
        levels = {each.level for each in self.levels}
        if strange := [each.of_level for each in self.contacts if each.of_level and each.of_level not in levels]:
            raise ValueError(f"contacts: {strange[0]}: no such level")
        return self
