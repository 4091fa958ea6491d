"""`verification:` in a jurisdiction's `identity.yaml`: how, and by whom, people are verified. Pure.

The same person is judged pair by pair by the clerk who decides: no model for comparing faces can be had offline from a
package registry, and a rule that nobody can carry out would only pretend. `pairs` names what must be answered.
"""

from collections.abc import Iterable
from itertools import combinations
from typing import Literal

from pydantic import Field, model_validator

from shared.schemes.forms import PhotoSlot
from shared.schemes.procedure import Clause, Id, Sentence, Sourced, Text, no_twins


class Route(Sourced):
    """One way to be verified, as the page of registration offers it: a heading, a button, photographs, steps."""

    id: Id
    title: Text = Field(description="The heading, e.g. 我是新考生.")
    audience: Text = Field(description="Who should take this route, and what comes of it.")
    action: Text = Field(description="What the button says.")
    photos_called: Text = Field(description="What people call its photographs together, e.g. 三照.")
    photos: tuple[Id, ...] = Field(min_length=2, description="The photographs asked for, in the order shown.")
    steps: tuple[Text, ...] = Field(min_length=2, description="The boxes of the flow chart, in order.")
    password_step: Literal["before_photos", "after_verification"] = Field(description="When the password is chosen.")
    asks_ticket_number: bool = Field(description="Whether only those with an admission ticket number may take it.")


class Review(Sourced):
    """Who decides about the photographs, and within how many days."""

    role: Id
    level: Id
    within_days: int = Field(ge=1, le=60)


class ByHand(Sourced):
    """人工认证: after so many refused photographs no automatic rule may be in the way any more; the clerk looks."""

    refused_photos: int = Field(ge=1, le=50, description="How many refused photographs open this way.")
    photos: tuple[PhotoSlot, ...] = Field(min_length=2, description="What is asked for instead.")
    text: Sentence = Field(description="What the candidate is told.")


class Reason(Sourced):
    """Why the photographs do not verify somebody."""

    code: Id
    text: Text
    slot: Id | None = Field(None, description="The photograph that it is about.")


class Document(Sourced):
    """A paper that a clerk may have seen."""

    code: Id
    title: Text


class InPerson(Sourced):
    """The way for those whom photographs cannot verify: a clerk sees the person and their papers."""

    role: Id
    level: Id
    documents: tuple[Document, ...] = Field(min_length=1)
    text: Sentence = Field(description="What the candidate is told.")


class OnsiteConfirmation(Sourced):
    """现场确认: `none`: photographs are enough. `only`: photographs verify nobody, a clerk must see the person."""

    kind: Literal["none", "only"]


class VerificationRules(Clause):
    """How a jurisdiction verifies its candidates."""

    under: str | None = Field(None, max_length=40, description="The organisation below which its clerks work.")
    onsite_confirmation: OnsiteConfirmation
    page_title: Sentence
    routes: tuple[Route, ...] = Field(min_length=1)
    photos: tuple[PhotoSlot, ...] = Field(min_length=2)
    no_face: tuple[Id, ...] = Field((), description="Photographs that no comparison is about, as the back of a card.")
    same_person: Sentence = Field(description="Every two photographs of a route show one person; said to both sides.")
    review: Review
    by_hand: ByHand | None = None
    reasons: tuple[Reason, ...] = Field(min_length=1)
    in_person: InPerson

    def route(self, route: str) -> Route | None:
        return next((each for each in self.routes if each.id == route), None)

    def reason(self, code: str) -> Reason | None:
        return next((each for each in self.reasons if each.code == code), None)

    def pairs(self, slots: Iterable[str]) -> tuple[str, ...]:
        """Every two photographs with a face, named `first+second`: each pair is a question of its own."""
        faces = sorted(set(slots) - set(self.no_face))
        return tuple(f"{first}+{second}" for first, second in combinations(faces, 2))

    def pairs_said(self, pairs: Iterable[str]) -> dict[str, list[str]]:
        """Of a refusal, as both sides know them: 证件照与手持证件照."""
        every = (*self.photos, *(self.by_hand.photos if self.by_hand else ()))
        labels = {each.slot: each.label for each in every}
        return {"pairs": ["与".join(labels[slot] for slot in pair.split("+")) for pair in pairs]}

    def slots(self, route: str, *, by_hand: bool) -> tuple[PhotoSlot, ...]:
        """The photographs that are asked for now."""
        if by_hand and self.by_hand is not None:
            return self.by_hand.photos
        said = self.route(route)
        assert said is not None  # it was there when somebody started on it: a published book never changes
        return tuple(next(each for each in self.photos if each.slot == slot) for slot in said.photos)

    @model_validator(mode="after")
    def _names_are_known_once(self) -> "VerificationRules":
        no_twins([each.id for each in self.routes], "routes")
        no_twins([each.slot for each in self.photos], "photos")
        no_twins([each.code for each in self.reasons], "reasons")
        no_twins([each.code for each in self.in_person.documents], "documents")
        by_hand = self.by_hand.photos if self.by_hand else ()
        no_twins([each.slot for each in by_hand], "photos by hand")
        slots = {each.slot for each in self.photos}
        if missing := {slot for route in self.routes for slot in route.photos} - slots:
            raise ValueError(f"routes: no such photographs: {', '.join(sorted(missing))}")
        if unused := slots - {slot for route in self.routes for slot in route.photos}:
            raise ValueError(f"photos: no route asks for: {', '.join(sorted(unused))}")
        everywhere = slots | {each.slot for each in by_hand}
        if strange := {each.slot for each in self.reasons if each.slot} - everywhere:
            raise ValueError(f"reasons: no such photographs: {', '.join(sorted(strange))}")
        return self
