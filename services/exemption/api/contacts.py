"""Whom candidates can ask: the contacts of the book, beside those `of_level` their own office. For `candidates.py`."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from services.exemption.domain.followed import Organisation, at_level
from shared.schemes.book import Head
from shared.schemes.reference import Organisations, ServiceHours


class OfficeShown(BaseModel):
    """Where the candidate's application goes, at one level; `hours` as the jurisdiction lists them."""

    title: str
    phones: Sequence[str]
    hours: ServiceHours | None


class ContactShown(BaseModel):
    """Whom to ask about what; `office` is the candidate's own, where the book leads to it and they have chosen one."""

    about: str
    text: str
    phones: Sequence[str]
    office: OfficeShown | None


def contacts_shown(
    head: Head, start: str, organisations: Mapping[str, Organisation], listed: Organisations | None
) -> list[ContactShown]:
    """`start`: the organisation that the form chooses, or else the cycle's; `organisations`: it and those above it."""

    def office(level: str) -> OfficeShown | None:
        found = organisations.get(at_level(start, level, organisations) or "")
        if found is None:
            return None
        known = listed.get(found.id) if listed else None
        return OfficeShown(title=found.title, phones=found.phones, hours=known.hours if known else None)

    return [
        ContactShown(
            about=each.about,
            text=each.text,
            phones=each.phones,
            office=office(each.of_level) if each.of_level else None,
        )
        for each in head.contacts
    ]
