"""Staff, roles, organisations, erasure and the directory over HTTP, on a real database. Every person is invented."""

from hashlib import sha256
from itertools import count

import httpx
import pytest

from ops.first_admin import NotMade, make_first_administrator
from shared.events.identity import MobileReplaced, SignedIn
from shared.kernel.messages import ERASED
from shared.runtime.access import LocalKeySource, Verifier
from tests.services.identity.people import (
    BOOTSTRAP,
    KEYS,
    PASSWORD,
    SERVICE_SECRET,
    Office,
    Official,
    Person,
)
from tests.services.identity.test_registration import code_of, fired

pytestmark = pytest.mark.servers

_numbers = count(1)


def new_name(kind: str) -> str:
    return f"{kind}-{next(_numbers)}"


async def university(chief: Official) -> tuple[str, str]:
    """A university with a teaching point of its own."""
    of_university, point = new_name("university"), new_name("point")
    assert (await chief.add_organisation(of_university, "university")).status_code == 201
    assert (await chief.add_organisation(point, "teaching_point", of_university)).status_code == 201
    return of_university, point


async def roles_in(office: Office, token: str) -> set[tuple[str, str]]:
    return set((await Verifier("exemption", LocalKeySource(KEYS), office.clock).caller(token)).roles)


async def test_the_first_administrator_is_made_once_ever(office: Office, chief: Official) -> None:
    assert await roles_in(office, await chief.token()) == {("administrator", "*")}
    transport = httpx.ASGITransport(office.web.app)
    with pytest.raises(NotMade) as refused:
        await make_first_administrator("http://identity", BOOTSTRAP, "second", transport=transport)
    assert refused.value.code == "identity.first_administrator_exists"
    assert "首任管理员已经创建" in str(refused.value)


async def test_the_bootstrap_secret_cannot_be_guessed_for_long(office: Office) -> None:
    body = {"login": "first-2", "name": "样本"}
    codes = [code_of(await office.post("/v1/first-administrator", {**body, "secret": f"guess {n}"})) for n in range(11)]
    assert codes == ["identity.bootstrap_refused"] * 10 + ["request.too_many"]
    right = await office.post("/v1/first-administrator", {**body, "secret": BOOTSTRAP})
    assert code_of(right) == "request.too_many"


async def test_staff_is_added_activates_and_signs_in_with_a_second_factor(office: Office, chief: Official) -> None:
    _, point = await university(chief)
    official = await chief.add_staff(new_name("li"), point)
    answer = await official.sign_in()
    assert answer.status_code == 201
    me = (await office.get("/v1/me", answer.json()["access_token"])).json()
    assert (me["kind"], me["login"], me["organisation"], me["roles"]) == ("staff", official.login, point, [])


async def test_password_alone_or_a_used_code_does_not_let_staff_in(office: Office, chief: Official) -> None:
    _, point = await university(chief)
    official = await chief.add_staff(new_name("li"), point)
    code = official.code()
    assert (await official.sign_in(code=code)).status_code == 201
    for wrong in (code, "000000", "x"):
        assert code_of(await official.sign_in(code=wrong)) == "identity.login_wrong"
    assert code_of(await official.sign_in("wrong horse battery")) == "identity.login_wrong"


async def test_wrong_one_time_codes_lock_the_account_like_wrong_passwords(office: Office, chief: Official) -> None:
    _, point = await university(chief)
    official = await chief.add_staff(new_name("li"), point)
    codes = [code_of(await official.sign_in(code="000000")) for _ in range(6)]
    assert codes == ["identity.login_wrong"] * 5 + ["identity.login_locked"]
    office.clock.move(minutes=16)
    assert (await official.sign_in()).status_code == 201


async def test_a_staff_member_is_no_candidate_and_a_candidate_no_staff(office: Office, chief: Official) -> None:
    person = Person()
    await office.registered(person)
    body = {"login": person.mobile, "password": PASSWORD, "one_time_code": "000000"}
    assert code_of(await office.post("/v1/sessions/staff", body)) == "identity.login_wrong"
    assert code_of(await office.sign_in(chief.login)) == "identity.login_wrong"
    token = (await office.signed_in(person))["access_token"]
    for path in ("/v1/staff", "/v1/organisations", "/v1/people/find"):
        body_of = {"login": "abc", "name": "样本", "organisation": "*", "title": "样本", "level": "university"}
        answer = await office.post(path, body_of, token)
        assert answer.status_code in {403, 422}
    assert (await office.get("/v1/staff", token)).status_code == 403


@pytest.mark.parametrize("code", ["AAAA-AAAA-AAAA-AAAA", "", "𠮷"])
async def test_a_wrong_activation_code_opens_nothing(office: Office, chief: Official, code: str) -> None:
    _, point = await university(chief)
    login = new_name("li")
    body = {"login": login, "name": "样本职员", "organisation": point}
    await office.post("/v1/staff", body, await chief.token())
    for name in (login, "nobody-has-this"):
        wrong = {"login": name, "activation_code": code, "password": PASSWORD}
        assert code_of(await office.post("/v1/staff/activations", wrong)) == "identity.activation_refused"


async def test_an_activation_code_is_used_up_by_activation(office: Office, chief: Official) -> None:
    _, point = await university(chief)
    body = {"login": new_name("li"), "name": "样本职员", "organisation": point}
    invitation = (await office.post("/v1/staff", body, await chief.token())).json()
    await office.activated(invitation)
    again = {"login": invitation["login"], "activation_code": invitation["activation_code"], "password": PASSWORD}
    assert code_of(await office.post("/v1/staff/activations", again)) == "identity.activation_refused"


async def test_a_lost_authenticator_is_replaced_by_a_new_activation(office: Office, chief: Official) -> None:
    _, point = await university(chief)
    official = await chief.add_staff(new_name("li"), point)
    refresh = (await official.sign_in()).json()["refresh_token"]
    invitation = await office.post(f"/v1/staff/{official.id}/activation", {}, await chief.token())
    assert invitation.status_code == 201
    assert code_of(await official.sign_in()) == "identity.login_wrong"
    over = await office.post("/v1/sessions/refresh", {"refresh_token": refresh})
    assert code_of(over) == "identity.session_over"
    assert (await (await office.activated(invitation.json())).sign_in()).status_code == 201


async def test_a_granted_role_is_in_the_next_token_and_a_revoked_one_ends_within_five_minutes(
    office: Office, chief: Official
) -> None:
    _, point = await university(chief)
    official = await chief.add_staff(new_name("li"), point)
    assert (await chief.grant(official, "teaching_point_admin", point)).status_code == 201
    tokens = (await official.sign_in()).json()
    assert await roles_in(office, tokens["access_token"]) == {("teaching_point_admin", point)}
    body = {"role": "teaching_point_admin", "organisation": point}
    revoked = await office.post(f"/v1/staff/{official.id}/roles/revoke", body, await chief.token())
    assert revoked.status_code == 200
    after = await office.post("/v1/sessions/refresh", {"refresh_token": tokens["refresh_token"]})
    assert await roles_in(office, after.json()["access_token"]) == set()
    office.clock.move(minutes=5, seconds=6)
    assert code_of(await office.get("/v1/me", tokens["access_token"])) == "access.token_expired"


async def test_an_administrator_acts_within_their_own_tree_and_never_for_themselves(
    office: Office, chief: Official
) -> None:
    own, point = await university(chief)
    other, _ = await university(chief)
    admin = await chief.add_staff(new_name("admin"), own)
    assert (await chief.grant(admin, "administrator", own)).status_code == 201
    helper = await admin.add_staff(new_name("helper"), point)
    assert (await admin.grant(helper, "teaching_point_admin", point)).status_code == 201
    assert code_of(await admin.grant(helper, "university_admin", other)) == "access.not_allowed"
    assert code_of(await admin.grant(helper, "auditor", "*")) == "access.not_allowed"
    assert code_of(await admin.grant(admin, "university_admin", own)) == "identity.not_your_own_roles"
    assert code_of(await chief.grant(chief, "auditor", "*")) == "identity.not_your_own_roles"
    assert code_of(await helper.grant(admin, "teaching_point_admin", point)) == "access.not_allowed"
    takeover = await office.post(f"/v1/staff/{chief.id}/activation", {}, await admin.token())
    assert code_of(takeover) == "access.not_allowed"
    listed = (await office.get("/v1/staff", await admin.token())).json()["staff"]
    assert {row["staff"] for row in listed} == {admin.id, helper.id}


async def test_an_existing_account_gets_a_further_role(office: Office, chief: Official) -> None:
    """SW-22: teaching-point administrators keep the account they have."""
    own, point = await university(chief)
    official = await chief.add_staff(new_name("li"), point)
    await chief.grant(official, "teaching_point_admin", point)
    await chief.grant(official, "university_admin", own)
    assert await roles_in(office, await official.token()) == {
        ("teaching_point_admin", point),
        ("university_admin", own),
    }


async def test_a_staff_login_belongs_to_one_person(office: Office, chief: Official) -> None:
    _, point = await university(chief)
    official = await chief.add_staff(new_name("li"), point)
    body = {"login": official.login, "name": "样本职员", "organisation": point}
    assert code_of(await office.post("/v1/staff", body, await chief.token())) == "identity.staff_login_has_account"


async def test_everybody_reads_the_organisations_and_roles_at_a_closed_one_end(office: Office, chief: Official) -> None:
    own, point = await university(chief)
    official = await chief.add_staff(new_name("li"), point)
    await chief.grant(official, "teaching_point_admin", point)
    title = {"title": "<b>样本</b>助学点 =1+1", "phones": ["0816-1234567"]}
    renamed = await office.post(f"/v1/organisations/{point}/title", title, await chief.token())
    assert renamed.status_code == 200
    (shown,) = (await office.get(f"/v1/organisations?parent={own}")).json()["organisations"]
    assert (shown["organisation"], shown["title"], shown["phones"], shown["level"]) == (
        point,
        title["title"],  # text is text: pages escape it, tables quote it
        ["0816-1234567"],
        "teaching_point",
    )
    refused = await office.post(f"/v1/organisations/{own}/closure", {}, await chief.token())
    assert code_of(refused) == "identity.organisation_has_children"
    assert (await office.post(f"/v1/organisations/{point}/closure", {}, await chief.token())).status_code == 200
    assert (await office.get(f"/v1/organisations?parent={own}")).json()["organisations"] == []
    assert await roles_in(office, await official.token()) == set()


async def test_organisations_are_paged_by_their_code(office: Office, chief: Official) -> None:
    own, point = await university(chief)
    for _ in range(2):
        await chief.add_organisation(new_name("point"), "teaching_point", own)
    seen, after = [], ""
    while True:
        page = (await office.get(f"/v1/organisations?parent={own}&limit=1&after={after}")).json()
        seen += [row["organisation"] for row in page["organisations"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert len(seen) == 3
    assert point in seen
    assert seen == sorted(seen)


async def test_a_clerk_replaces_a_lost_mobile_and_the_events_say_who_and_why(office: Office, chief: Official) -> None:
    """F-10: no way back by SMS, so somebody who may looks at the person and the card."""
    _, point = await university(chief)
    clerk = await chief.add_staff(new_name("clerk"), point)
    person, new = Person(), Person()
    registered = await office.registered(person)
    find = {"id_number": person.id_number}
    assert code_of(await office.post("/v1/people/find", find, await clerk.token())) == "access.not_allowed"
    await chief.grant(clerk, "teaching_point_admin", point)
    found = await office.post("/v1/people/find", find, await clerk.token())
    assert found.json() == {"person": registered}
    seen = {"mobile": new.mobile, "evidence": "本人到场，核对身份证原件"}
    answer = await office.post(f"/v1/people/{registered}/mobile", seen, await clerk.token())
    assert answer.status_code == 200
    assert (await office.sign_in(new.mobile)).status_code == 201
    async with office.service.reading() as connection:
        facts = await office.service.history(connection, f"account-{registered}")
    (fact,) = [fact for fact in facts if isinstance(fact.event, MobileReplaced)]
    assert (fact.event.checked_by, fact.meta.actor, fact.event.evidence) == (clerk.id, clerk.id, seen["evidence"])


async def test_an_erased_person_is_gone_and_their_numbers_are_free(office: Office, chief: Official) -> None:
    person = Person()
    registered = await office.registered(person)
    tokens = await office.signed_in(person)
    wrong = await office.post(f"/v1/people/{registered}/erasure", {"ground": "boredom"}, await chief.token())
    assert code_of(wrong) == "identity.no_such_ground"
    body = {"ground": "asked_by_person"}
    erased = await office.post(f"/v1/people/{registered}/erasure", body, await chief.token())
    assert erased.json()["events"] == ["identity.person_erased.v1"]
    await fired(office.web, f"account-{registered}")
    assert code_of(await office.sign_in(person.mobile)) == "identity.login_wrong"
    over = await office.post("/v1/sessions/refresh", {"refresh_token": tokens["refresh_token"]})
    assert code_of(over) == "identity.session_over"
    async with office.service.reading() as connection:
        facts = await office.service.history(connection, f"account-{registered}")
    assert facts[0].event.mobile == ERASED
    assert [fact.event.name for fact in facts[-2:]] == ["identity.person_erased.v1", "identity.key_destroyed.v1"]
    office.clock.move(seconds=61)
    again = Person(number=person.number)
    assert await office.registered(again) != registered


async def test_only_an_administrator_of_everything_erases_and_not_themselves(office: Office, chief: Official) -> None:
    own, _ = await university(chief)
    admin = await chief.add_staff(new_name("admin"), own)
    await chief.grant(admin, "administrator", own)
    registered = await office.registered(Person())
    body = {"ground": "asked_by_person"}
    answer = await office.post(f"/v1/people/{registered}/erasure", body, await admin.token())
    assert code_of(answer) == "access.not_allowed"
    answer = await office.post(f"/v1/people/{chief.id}/erasure", body, await chief.token())
    assert code_of(answer) == "identity.not_your_own_roles"
    answer = await office.post(f"/v1/people/{admin.id}/erasure", body, await chief.token())
    assert answer.status_code == 200
    await fired(office.web, f"staff-{admin.id}")
    assert code_of(await admin.sign_in()) == "identity.login_wrong"


async def test_a_service_learns_of_a_person_what_the_book_allows_it(office: Office) -> None:
    person = Person()
    registered = await office.registered(person)
    body = {"service": "exemption", "secret": SERVICE_SECRET, "audience": "identity"}
    token = (await office.post("/v1/tokens/service", body)).json()["access_token"]
    entry = (await office.get(f"/v1/directory/people/{registered}", token)).json()
    assert entry == {
        "person": registered,
        "name": person.name,
        "id_number": person.id_number,
        "mobile": person.mobile,
        "ticket_number": person.ticket_number,
    }
    assert code_of(await office.get("/v1/directory/people/nobody", token)) == "access.not_found"
    mine = (await office.signed_in(person))["access_token"]
    assert (await office.get(f"/v1/directory/people/{registered}", mine)).status_code == 403


async def test_the_address_of_a_visitor_is_kept_as_a_keyed_hash_only(office: Office) -> None:
    await office.registered(Person())
    rows = [row[0] for row in await office.service.pool.fetch("select t::text from attempts as t")]
    plain = sha256(office.address.encode()).hexdigest()
    assert rows
    assert not any(office.address in row or plain in row for row in rows)


async def test_who_signed_in_when_is_a_fact(office: Office) -> None:
    person = Person()
    registered = await office.registered(person)
    await office.signed_in(person)
    async with office.service.reading() as connection:
        facts = await office.service.history(connection, f"account-{registered}")
    assert [fact.meta.at for fact in facts if isinstance(fact.event, SignedIn)] == [office.clock.now]
