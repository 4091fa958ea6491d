"""角色 in queries: which rows lie where somebody holds a role. The law itself is `rules.holds`."""

from collections.abc import Iterable

from services.exemption.domain.rules import EVERYWHERE


def held_at(role: str, organisation: str, first: int) -> str:
    """SQL: the columns `role` and `organisation` are held. Its parameters are `apart(roles)`, from `$first` on."""
    return (
        f"exists (select from unnest(${first}::text[], ${first + 1}::text[]) as held (role, place) "
        f"where held.role = {role} and held.place in ({organisation}, '{EVERYWHERE}'))"
    )


def apart(roles: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Roles and the organisations they are held at, as two lists in the same order."""
    pairs = list(roles)
    return [role for role, _ in pairs], [place for _, place in pairs]
