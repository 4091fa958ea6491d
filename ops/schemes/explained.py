"""`./zikao schemes explain`: a whole book as a page, with the way of a case as the decider itself shows it.

Called by `commands.py`. The chapters are the parts of the book; what follows a state is not taken from the book's
words but from the walk of `services/exemption/domain/proofs.py`, so the page tells what the code does.
"""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from ops.schemes.outcomes import whole
from ops.schemes.proving import MODELS, PLATFORM_MODELS
from services.exemption.domain.proofs import PAYMENT, RELEASER, REVOKER, UNLOCKER, walked
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.domain.strangers import strangers
from services.exemption.handlers import known_of
from services.identity.domain.scheme import IdentityScheme
from shared.kernel.errors import Refused
from shared.schemes.book import Head
from shared.schemes.catalog import HEAD, PLATFORM, BadBook, Book, Catalog
from shared.schemes.explaining import Explainer, Page, Row, Section, names_of
from shared.schemes.wording import chinese

ORDER = (HEAD, "exemption", "identity", "notification")
FOLLOWS = "状态与后续"
CANDIDATE = "考生"


def page_of(book: Book, catalog: Catalog) -> Page:
    """Everything that a book says; raises BadBook when it may not be used."""
    models = MODELS if book.head else PLATFORM_MODELS
    if strange := [part for part in book.parts() if part not in models]:
        raise BadBook([book.fault(part, (), f"no service reads {part}.yaml") for part in strange])
    parts = sorted(book.parts(), key=lambda part: (ORDER.index(part) if part in ORDER else len(ORDER), part))
    said = {part: book.part(part, models[part]) for part in parts}
    known = catalog.reference.courses
    explainer = Explainer(
        {**_organisations(catalog), **_given_roles(catalog), **(names_of(book.head) if book.head else {})},
        lambda code: course.name if (course := known.get(code)) else "",
        _elsewhere(catalog, said),
    )
    sections = []
    for part in parts:
        sections.append(explainer.chapter(_title(part), part, said[part]))
        if part == "exemption" and book.head:
            rules = Rules(book.ref, book.part(part, ExemptionScheme), known_of(catalog, book.ref))
            if strange := [book.fault(part, path, law) for path, law in strangers(rules)]:
                raise BadBook(strange)
            sections.append(_follows(rules, book.head))
    count = f"共 {explainer.clauses} 条，其中假定 {len(explainer.assumed)} 处（标 ※）"
    about: tuple[str, ...]
    if head := book.head:
        title, about = head.title.text, (head.authority.text, f"适用对象：{head.audience.text}", f"{book.ref}，{count}")
    else:
        title, about = "各地通用的规则", ("不属于任何一个办理事项，对所有事项同时有效", f"{book.ref}，{count}")
    unnamed = tuple(sorted(explainer.unnamed.items()))
    return Page(title, about, tuple(sections), explainer.clauses, tuple(explainer.assumed), unnamed)


def _elsewhere(catalog: Catalog, said: Mapping[str, BaseModel]) -> dict[str, dict[str, str]]:
    """What one part of a book calls by a code that another part, or the reference data, has the name for."""
    reference = catalog.reference
    types = {each.id: each for each in reference.certificates.certificates}
    names = {
        "certificate": {each.id: each.name for each in types.values()},
        "certificate_level": {level.id: level.title for each in types.values() for level in each.levels},
        "code_list": {code: f"{each.title}（{each.standard}）" for code, each in reference.code_lists.lists.items()},
        "diploma": names_of(said["identity"]) if "identity" in said else {},
    }
    rules = said.get("exemption")
    if isinstance(rules, ExemptionScheme):
        slots = {
            f"{basis.id}.{slot.slot}": f"{basis.title}：{slot.label}"
            for basis in rules.bases
            for slot in rules.claim_photos(basis)
        }
        names["document"] = {"courses": "所选课程", "majors": "所选专业", **slots}
        names["window"] = {each.id: each.title for each in rules.windows}
    return names


def _organisations(catalog: Catalog) -> dict[str, str]:
    return {each.id: each.name for listed in catalog.reference.organisations.values() for each in listed.organisations}


def _given_roles(catalog: Catalog) -> dict[str, str]:
    """Roles and levels of the whole platform, by which books may speak too."""
    if PLATFORM not in catalog.books:
        return {}
    given = catalog.get(PLATFORM).part("identity", IdentityScheme)
    return {code: each.title for rules in (given.levels, given.roles) for code, each in rules.items()}


def _title(part: str) -> str:
    known = chinese().of(part)
    return known.zh if known else part


def _follows(rules: Rules, head: Head) -> Section:
    """From each state: who does what, and what it becomes."""
    try:
        moves = walked(rules).moves
    except Refused as refused:
        return Section(FOLLOWS, rows=(Row("无法推演", (f"一份完全符合要求的申请也会被拒绝：{whole(refused)}",)),))
    actors = dict(_actors(rules.book, head))
    rows = []
    for state in rules.book.states:
        onward = sorted((who, by, to) for who, by, to in moves.get(state.title, ()) if to != state.title)
        says = tuple(f"{actors.get(who, who)}{chinese().commands.get(by, by)} → {to}" for who, by, to in onward)
        rows.append(Row(state.title, (state.explanation, *(says or ("到此办结。",)))))
    return Section(FOLLOWS, rows=tuple(rows))


def _actors(rules: ExemptionScheme, head: Head) -> Iterator[tuple[str, str]]:
    """What the people of the walk are called here."""
    titles = {role.id: role.title for role in head.roles}
    yield "sample-candidate", CANDIDATE
    yield from ((f"by-{stage.name}", titles.get(stage.role, stage.role)) for stage in rules.stages)
    yield "timer", ""
    yield PAYMENT, "支付系统"
    if rules.uniqueness and (unlocking := rules.uniqueness.unlocking):
        yield UNLOCKER, titles.get(unlocking.role, unlocking.role)
    if rules.uniqueness and (release := rules.uniqueness.release):
        yield RELEASER, titles.get(release.role, release.role)
    if revocation := rules.revocation:
        yield REVOKER, titles.get(revocation.role, revocation.role)
    if handing := rules.hand_off:
        yield "sender", titles.get(handing.role, handing.role)
        yield "receiver", titles.get(handing.receiver_role, handing.receiver_role)
