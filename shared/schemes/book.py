"""`scheme.yaml`: what every book says once for all services: its name, who stands behind it, whom to ask. Pure."""

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.schemes.procedure import Clause, Id, Sentence, Sourced, Text

Phone = Annotated[str, StringConstraints(pattern=r"^0[0-9]{2,3}-[0-9]{7,8}$")]


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


class Head(Clause):
    """The head of a book."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    version: int = Field(ge=1, description="A published version never changes; a change is a new version.")
    title: Sentence = Field(description="Name of the procedure or system.")
    audience: Sentence = Field(description="Who may apply.")
    authority: Sentence = Field(description="Who stands behind it.")
    footer: tuple[Sentence, ...] = Field(description="Below every page.")
    levels: tuple[Scope, ...] = Field(description="Levels of organisations, from the candidate upwards.")
    roles: tuple[Role, ...]
    contacts: tuple[Contact, ...]
