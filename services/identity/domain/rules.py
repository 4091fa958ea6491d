"""The laws of identity as functions, and the values only identity parses. Called by the deciders and by `api/`."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from services.identity.domain.scheme import IdentityScheme, PasswordRule
from shared.kernel.errors import Refused
from shared.kernel.values import half_width, parse_id_number, parse_mobile, parse_text

EVERYWHERE = "*"
Roles = Collection[tuple[str, str]]
"""(role, organisation) pairs that somebody holds."""

_LIKE_ID_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_LIKE_MOBILE = re.compile(r"1[3-9][0-9]{9}")


@dataclass(frozen=True)
class Place:
    """An organisation in the tree: `path` is itself, everything above it, and `*`."""

    path: tuple[str, ...]
    level: str
    open: bool
    open_children: int = 0


EVERYWHERE_PLACE = Place(path=(EVERYWHERE,), level=EVERYWHERE, open=True)
Places = Mapping[str, Place]


# --- values


def parse_ticket_number(typed: str) -> str:
    """准考证号, empty for none; never of the form of a mobile or an ID number, which share its login field."""
    number = half_width(typed).strip().upper()
    if number and (
        not re.fullmatch(r"[0-9A-Z]{6,20}", number, re.ASCII)
        or _LIKE_MOBILE.fullmatch(number)
        or _LIKE_ID_NUMBER.fullmatch(number)
    ):
        raise Refused("identity.ticket_number_malformed")
    return number


def login_name(typed: str, today: date) -> tuple[str, str] | None:
    """What a candidate typed into the one login field, as (kind, canonical value); None if it can be nothing."""
    parsers: dict[str, Callable[[], str]] = {
        "mobile": lambda: parse_mobile(typed),
        "id_number": lambda: parse_id_number(typed, today),
        "ticket_number": lambda: parse_ticket_number(typed),
    }
    for kind, parsed in parsers.items():
        try:
            if value := parsed():
                return kind, value
        except Refused:
            continue
    return None


def parse_staff_login(typed: str) -> str:
    login = half_width(typed).strip().lower()
    if not re.fullmatch(r"[a-z][a-z0-9._-]{2,31}", login, re.ASCII):
        raise Refused("identity.staff_login_malformed")
    return login


def parse_organisation(typed: str) -> str:
    code = typed.strip().lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,39}", code, re.ASCII):
        raise Refused("identity.organisation_code_malformed")
    return code


def parse_phones(typed: Iterable[str]) -> tuple[str, ...]:
    """Numbers of an office, as people write them: 0816-1234567, 400-..., an extension behind it."""
    phones = tuple(parse_text(phone, "phones", most=30, least=5) for phone in typed)
    if not all(re.fullmatch(r"\+?[0-9][0-9 ()转-]{3,28}[0-9]", phone, re.ASCII) for phone in phones):
        raise Refused("identity.phone_malformed")
    return phones


def parse_password(typed: str, rule: PasswordRule) -> str:
    """As typed but in one normal form (RFC 8265), so that every keyboard makes the same bytes."""
    return parse_text(unicodedata.normalize("NFC", typed), "password", most=rule.most)


# --- laws


def password_must_be_hard_to_guess(password: str, rule: PasswordRule) -> None:
    """Long, not one of the common ones, and neither a mobile nor an ID number inside."""
    if len(password) < rule.least:
        raise Refused("identity.password_too_short", least=rule.least)
    if password.casefold() in rule.common or len(set(password)) < rule.least_different:
        raise Refused("identity.password_too_common")
    if _LIKE_ID_NUMBER.search(password) or _LIKE_MOBILE.search(password):
        raise Refused("identity.password_is_personal")


def is_personal(password: str, mobile: str, id_number: str) -> bool:
    """Whether the password holds the mobile, the date of birth, or the last six characters of the ID number."""
    parts = [mobile, id_number[6:14], id_number[-6:]]
    return any(len(part) >= 6 and part.upper() in password.upper() for part in parts)


def administrator_must_reach(organisation: str, roles: Roles, places: Places, scheme: IdentityScheme) -> Place:
    """Only an administrator of it or of something above it; of `*`, only one who is it everywhere."""
    place = place_must_exist(organisation, places)
    if not any((scheme.administrator, above) in roles for above in place.path):
        raise Refused("access.not_allowed")
    return place


def place_must_exist(organisation: str, places: Places) -> Place:
    if organisation not in places:
        raise Refused("identity.no_such_organisation", organisation=organisation)
    return places[organisation]


def place_must_be_open(place: Place, organisation: str) -> None:
    if not place.open:
        raise Refused("identity.organisation_closed", organisation=organisation)


def role_must_fit(role: str, place: Place, scheme: IdentityScheme) -> None:
    """A teaching point has no university administrator; only some roles can be held everywhere."""
    rule = scheme.roles.get(role)
    if rule is None:
        raise Refused("identity.no_such_role", role=role)
    if not (rule.everywhere if place == EVERYWHERE_PLACE else place.level in rule.levels):
        raise Refused("identity.role_does_not_fit", role=role, level=place.level)


def nobody_may_change_their_own_access(actor: str, staff: str) -> None:
    if actor == staff:
        raise Refused("identity.not_your_own_roles")


def eraser_must_be_allowed(roles: Roles, scheme: IdentityScheme) -> None:
    if not any((role, EVERYWHERE) in roles for role in scheme.erasers):
        raise Refused("access.not_allowed")


def clerk_must_be_allowed(roles: Roles, scheme: IdentityScheme) -> None:
    """F-10: who may look a person up and vouch for having seen them."""
    if not any(role in scheme.clerks for role, _ in roles):
        raise Refused("access.not_allowed")


def office_must_be_held(role: str, organisation: str, roles: Roles) -> None:
    """SX-E-08: who decides about persons does so at their own office only, or everywhere."""
    if (role, organisation) not in roles and (role, EVERYWHERE) not in roles:
        raise Refused("access.not_allowed")


def level_must_fit_under(level: str, parent: Place | None, scheme: IdentityScheme) -> None:
    rule = scheme.levels.get(level)
    if rule is None:
        raise Refused("identity.no_such_level", level=level)
    above = parent.level if parent else None
    if above not in rule.under:
        raise Refused("identity.level_does_not_fit", level=level, parent=above)
