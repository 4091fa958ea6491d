"""Read models of identity: who there is, by which keyed hashes they are found, sessions, roles, organisations.

Projections run in the transaction of the event; `find_x` are for `handlers.py` and `api/`. Claims are made here, so
that they are rebuilt with everything else. No row holds a personal value.
"""

from collections.abc import Collection
from dataclasses import dataclass

from services.identity.domain.rules import EVERYWHERE, EVERYWHERE_PLACE, Place
from shared.events.identity import (
    AccountRegistered,
    ActivationRenewed,
    FirstAdministratorMade,
    KeyDestroyed,
    MobileReplaced,
    OrganisationAdded,
    OrganisationClosed,
    OrganisationRenamed,
    PasswordChosen,
    PersonErased,
    RegistrationStarted,
    RoleGranted,
    RoleRevoked,
    SecondFactorConfirmed,
    SessionEnded,
    SignedIn,
    StaffActivated,
    StaffAdded,
)
from shared.kernel.messages import ERASED, Fact
from shared.runtime.event_store import View
from shared.runtime.rows import Connection, Tx

ABANDON_REGISTRATION, DESTROY_KEY = "abandon_registration", "destroy_key"
STAFF_LOGIN = "staff_login"

# --- people


async def _insert_person(tx: Tx, fact: Fact[RegistrationStarted | StaffAdded]) -> None:
    kind = "staff" if isinstance(fact.event, StaffAdded) else "candidate"
    organisation = fact.event.organisation if isinstance(fact.event, StaffAdded) else None
    state = "invited" if kind == "staff" else "registering"
    await tx.insert(
        "people",
        person=fact.subject,
        kind=kind,
        state=state,
        organisation=organisation,
        since=fact.meta.at,
        version=fact.version,
    )


_STATE_AFTER = {
    AccountRegistered: "registered",
    ActivationRenewed: "invited",
    StaffActivated: "enrolling",
    SecondFactorConfirmed: "working",
    PersonErased: "erased",
}


async def _move_person(tx: Tx, fact: Fact) -> None:  # type: ignore[type-arg]
    await tx.change("people", {"person": fact.subject}, state=_STATE_AFTER[type(fact.event)], version=fact.version)


async def _schedule_abandonment(tx: Tx, fact: Fact[RegistrationStarted]) -> None:
    await tx.schedule(ABANDON_REGISTRATION, fact.stream, fact.event.expires_at)


async def _finish_registration(tx: Tx, fact: Fact[AccountRegistered]) -> None:
    await tx.unschedule(ABANDON_REGISTRATION, fact.stream)


async def _schedule_destruction(tx: Tx, fact: Fact[PersonErased]) -> None:
    await tx.unschedule(ABANDON_REGISTRATION, fact.stream)
    await tx.schedule(DESTROY_KEY, fact.stream, fact.meta.at)


async def _finish_destruction(tx: Tx, fact: Fact[KeyDestroyed]) -> None:
    await tx.unschedule(DESTROY_KEY, fact.stream)


async def find_kind(connection: Connection, person: str) -> str | None:
    """candidate, staff, or None for nobody."""
    kind: str | None = await connection.fetchval("select kind from people where person = $1", person)
    return kind


# --- login names


async def _name(tx: Tx, fact: Fact, kind: str, value: str) -> None:  # type: ignore[type-arg]
    """Claim a value and make the person findable by it. Of an erased person there is nothing left to find."""
    if not value or value == ERASED:
        return
    await tx.claim(kind, value, fact.stream)
    await tx.insert("login_names", kind=kind, digest=tx.hashed(kind, value), person=fact.subject)


async def _name_account(tx: Tx, fact: Fact[AccountRegistered]) -> None:
    for kind in ("mobile", "id_number", "ticket_number"):
        await _name(tx, fact, kind, getattr(fact.event, kind))


async def _name_staff(tx: Tx, fact: Fact[StaffAdded]) -> None:
    await _name(tx, fact, STAFF_LOGIN, fact.event.login)


async def _rename_mobile(tx: Tx, fact: Fact[MobileReplaced]) -> None:
    await tx.release("mobile", fact.event.previous, fact.stream)
    await tx.remove("login_names", kind="mobile", person=fact.subject)
    await _name(tx, fact, "mobile", fact.event.mobile)


async def _unname(tx: Tx, fact: Fact[PersonErased]) -> None:
    await tx.release_all(fact.stream)
    await tx.remove("login_names", person=fact.subject)


async def _claim_first(tx: Tx, fact: Fact[FirstAdministratorMade]) -> None:
    """Held by no stream, so that erasing the first administrator does not make room for another first one."""
    await tx.claim("first_administrator", "only", f"once-{fact.subject}")


async def find_named(connection: Connection, kind: str, digest: bytes) -> str | None:
    person: str | None = await connection.fetchval(
        "select person from login_names where kind = $1 and digest = $2", kind, digest
    )
    return person


# --- sessions


async def _open_session(tx: Tx, fact: Fact[SignedIn]) -> None:
    await tx.insert(
        "sessions",
        session=fact.event.session,
        person=fact.subject,
        kind="staff" if fact.stream.startswith("staff-") else "candidate",
        started_at=fact.meta.at,
        expires_at=fact.event.expires_at,
    )


async def _end_session(tx: Tx, fact: Fact[SessionEnded]) -> None:
    open_one = {"session": fact.event.session, "person": fact.subject, "ended_at": None}
    await tx.change("sessions", open_one, ended_at=fact.meta.at, reason=fact.event.reason)


_WHY_ALL_END = {PasswordChosen: "password_chosen", ActivationRenewed: "activation_renewed", PersonErased: "erased"}


async def _end_sessions(tx: Tx, fact: Fact) -> None:  # type: ignore[type-arg]
    """Whoever was signed in with what has just been replaced is signed out."""
    open_ones = {"person": fact.subject, "ended_at": None}
    await tx.change("sessions", open_ones, ended_at=fact.meta.at, reason=_WHY_ALL_END[type(fact.event)])


# --- roles


async def _grant(tx: Tx, fact: Fact[RoleGranted]) -> None:
    await tx.insert(
        "roles",
        person=fact.subject,
        role=fact.event.role,
        organisation=fact.event.organisation,
        granted_by=fact.meta.actor,
        granted_at=fact.meta.at,
    )


async def _revoke(tx: Tx, fact: Fact[RoleRevoked]) -> None:
    await tx.remove("roles", person=fact.subject, role=fact.event.role, organisation=fact.event.organisation)


async def _revoke_all(tx: Tx, fact: Fact[PersonErased]) -> None:
    await tx.remove("roles", person=fact.subject)


async def find_roles(connection: Connection, person: str) -> list[tuple[str, str]]:
    """What a token says: the roles of a person, without those at organisations that were closed."""
    rows = await connection.fetch(
        "select r.role, r.organisation from roles as r left join organisations as o using (organisation) "
        "where r.person = $1 and (r.organisation = $2 or o.open) order by 1, 2",
        person,
        EVERYWHERE,
    )
    return [(row["role"], row["organisation"]) for row in rows]


@dataclass(frozen=True)
class StaffRow:
    person: str
    state: str
    organisation: str
    roles: tuple[tuple[str, str], ...]


async def find_staff(connection: Connection, organisations: Collection[str], after: str, most: int) -> list[StaffRow]:
    """Who works at these organisations, or holds a role at one; `*` finds everybody."""
    rows = await connection.fetch(
        "select p.person, p.state, p.organisation, "
        "coalesce(array_agg(array[r.role, r.organisation] order by r.role, r.organisation) "
        "filter (where r.role is not null), '{}') as roles "
        "from people as p left join roles as r using (person) "
        "where p.kind = 'staff' and p.person > $2 and ('*' = any($1) or p.organisation = any($1) or exists "
        "(select from roles as h where h.person = p.person and h.organisation = any($1))) "
        "group by p.person, p.state, p.organisation order by p.person limit $3",
        list(organisations),
        after,
        most,
    )
    return [
        StaffRow(row["person"], row["state"], row["organisation"], tuple((role, at) for role, at in row["roles"]))
        for row in rows
    ]


# --- organisations


async def _add_organisation(tx: Tx, fact: Fact[OrganisationAdded]) -> None:
    event = fact.event
    await tx.insert(
        "organisations",
        organisation=event.organisation,
        title=event.title,
        level=event.level,
        parent=event.parent,
        phones=list(event.phones),
        open=True,
        version=fact.version,
    )


async def _rename_organisation(tx: Tx, fact: Fact[OrganisationRenamed]) -> None:
    await tx.change(
        "organisations",
        {"organisation": fact.subject},
        title=fact.event.title,
        phones=list(fact.event.phones),
        version=fact.version,
    )


async def _close_organisation(tx: Tx, fact: Fact[OrganisationClosed]) -> None:
    await tx.change("organisations", {"organisation": fact.subject}, open=False, version=fact.version)


@dataclass(frozen=True)
class OrganisationRow:
    organisation: str
    title: str
    level: str
    parent: str | None
    phones: tuple[str, ...]
    version: int


async def find_organisations(
    connection: Connection, *, level: str | None, parent: str | None, after: str, most: int
) -> list[OrganisationRow]:
    """Open organisations, by code."""
    rows = await connection.fetch(
        "select organisation, title, level, parent, phones, version from organisations "
        "where open and organisation > $3 and ($1::text is null or level = $1) and ($2::text is null or parent = $2) "
        "order by organisation limit $4",
        level,
        parent,
        after,
        most,
    )
    return [OrganisationRow(**{**row, "phones": tuple(row["phones"])}) for row in rows]


async def find_places(connection: Connection, organisations: Collection[str]) -> dict[str, Place]:
    """Where each stands in the tree; one that does not exist is left out."""
    rows = await connection.fetch(
        "with recursive above as ("
        "select organisation as asked, organisation, parent, 0 as height from organisations "
        "where organisation = any($1) union all "
        "select a.asked, o.organisation, o.parent, a.height + 1 from above as a "
        "join organisations as o on o.organisation = a.parent) "
        "select a.asked, array_agg(a.organisation order by a.height) as path, o.level, o.open, "
        "(select count(*) from organisations as c where c.parent = a.asked and c.open) as children "
        "from above as a join organisations as o on o.organisation = a.asked group by a.asked, o.level, o.open",
        list(organisations),
    )
    places = {
        row["asked"]: Place((*row["path"], EVERYWHERE), row["level"], row["open"], row["children"]) for row in rows
    }
    return {EVERYWHERE: EVERYWHERE_PLACE, **places}


async def find_below(connection: Connection, organisations: Collection[str]) -> list[str]:
    """These organisations and everything under them."""
    rows = await connection.fetch(
        "with recursive below as ("
        "select organisation from organisations where organisation = any($1) union "
        "select o.organisation from below as b join organisations as o on o.parent = b.organisation) "
        "select organisation from below order by 1",
        list(organisations),
    )
    return [row["organisation"] for row in rows]


VIEWS = (
    View(
        "people",
        ("people",),
        {RegistrationStarted: _insert_person, StaffAdded: _insert_person, **dict.fromkeys(_STATE_AFTER, _move_person)},
    ),
    View(
        "registration and erasure timers",
        (),
        {
            RegistrationStarted: _schedule_abandonment,
            AccountRegistered: _finish_registration,
            PersonErased: _schedule_destruction,
            KeyDestroyed: _finish_destruction,
        },
    ),
    View(
        "login names",
        ("login_names",),
        {
            AccountRegistered: _name_account,
            StaffAdded: _name_staff,
            MobileReplaced: _rename_mobile,
            PersonErased: _unname,
            FirstAdministratorMade: _claim_first,
        },
    ),
    View(
        "sessions",
        ("sessions",),
        {SignedIn: _open_session, SessionEnded: _end_session, **dict.fromkeys(_WHY_ALL_END, _end_sessions)},
    ),
    View("roles", ("roles",), {RoleGranted: _grant, RoleRevoked: _revoke, PersonErased: _revoke_all}),
    View(
        "organisations",
        ("organisations",),
        {
            OrganisationAdded: _add_organisation,
            OrganisationRenamed: _rename_organisation,
            OrganisationClosed: _close_organisation,
        },
    ),
)
