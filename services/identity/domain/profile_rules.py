"""个人中心: what a jurisdiction's personal centre shows of the account, and asks besides; what a book may say. Pure."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any, Literal

from pydantic import Field, model_validator

from services.identity.domain.education_rules import OURS, fields_must_mean_something_here
from services.identity.domain.refusals import said
from shared.kernel.errors import Refused
from shared.schemes.forms import FormField
from shared.schemes.procedure import Clause, Id, Sentence, Sourced, Text, no_twins
from shared.schemes.reading import examples_must_pass, read_value
from shared.schemes.reference import CodeLists

AccountFact = Literal["name", "id_number", "ticket_number", "sex", "mobile"]
"""What is known from the account; the sex stands in the ID number."""


class Entry(Sourced):
    """One entry of a list to choose from."""

    id: Text
    title: Text


class ShownFact(Sourced):
    """Something of the account that is shown, and not changed here."""

    name: AccountFact
    label: Text


class PersonalCentre(Clause):
    """What is shown and asked, row by row."""

    title: Sentence
    facts: tuple[ShownFact, ...] = Field(min_length=1)
    fields: tuple[FormField, ...] = ()
    lists: dict[Id, tuple[Entry, ...]] = Field(default_factory=dict)
    order: tuple[Id, ...] = Field(description="Facts and fields by name, as they are shown.")
    photo: Id | None = Field(None, description="The photograph of the verification that is shown beside them.")

    def field(self, name: str) -> FormField | None:
        return next((each for each in self.fields if each.name == name), None)

    def fact(self, name: str) -> ShownFact | None:
        return next((each for each in self.facts if each.name == name), None)

    def entries(self, field: FormField, code_lists: CodeLists) -> Mapping[str, str]:
        """What may be chosen, with its words; nothing where one types."""
        if field.list:
            return {each.id: each.title for each in self.lists[field.list]}
        listed = code_lists.get(field.code_list) if field.code_list else None
        if listed is None:
            return {}
        offered = listed.deepest() if field.deepest else listed.entries
        return {code: title for code, title in listed.entries.items() if code in offered}

    @model_validator(mode="after")
    def _every_row_once(self) -> "PersonalCentre":
        names = [*(each.name for each in self.facts), *(each.name for each in self.fields)]
        no_twins(names, "facts and fields")
        no_twins(self.order, "order")
        if set(self.order) != set(names):
            raise ValueError("order: names every fact and every field, and nothing else")
        fields_must_mean_something_here(self.fields)
        if missing := {each.list for each in self.fields if each.list} - set(self.lists):
            raise ValueError(f"fields: no such list: {', '.join(sorted(missing))}")
        examples_must_pass(self.fields)
        return self


def checked_profile(
    centre: PersonalCentre, form: Mapping[str, str], code_lists: CodeLists, today: date
) -> dict[str, str]:
    """The form in canonical spelling, without what stays empty; Refused with every fault, by field."""
    if unknown := sorted(set(form) - {each.name for each in centre.fields}):
        raise Refused("identity.unknown_field", fields=unknown[:10], count=len(unknown))
    checked, faults = {}, list[dict[str, Any]]()
    for field in centre.fields:
        try:
            value = _checked(field, form.get(field.name, ""), centre.entries(field, code_lists), today)
        except Refused as refused:
            zh, en = said(refused)
            faults.append({"field": field.name, "label": field.label, "code": refused.code, "zh": zh, "en": en})
            continue
        if value:
            checked[field.name] = value
    if faults:
        raise Refused("identity.form_wrong", faults=faults, count=len(faults))
    return checked


def _checked(field: FormField, typed: str, entries: Collection[str], today: date) -> str:
    if not typed.strip():
        if field.required:
            raise Refused("identity.field_missing", label=field.label)
        return ""
    try:
        return read_value(field, typed, today, {field.chosen_from: entries})
    except Refused as refused:
        raise Refused(OURS.get(refused.code, refused.code), **refused.facts) from None


def sex_of(id_number: str) -> Literal["1", "2"]:
    """GB 11643: the seventeenth digit is odd for men; in codes of GB/T 2261.1."""
    return "1" if int(id_number[16]) % 2 else "2"


def rows(centre: PersonalCentre) -> Iterator[ShownFact | FormField]:
    """In the order shown."""
    for name in centre.order:
        found = centre.fact(name) or centre.field(name)
        assert found is not None  # the book's own law
        yield found
