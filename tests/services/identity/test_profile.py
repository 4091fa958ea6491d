"""个人信息 as pure rules: what a personal centre takes, and what a book may say of one (SX-E-12)."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.identity.domain.commands import SaveProfile
from services.identity.domain.education_rules import OURS
from services.identity.domain.profile import PROFILE, ProfileContext
from services.identity.domain.profile_rules import PersonalCentre, sex_of
from services.identity.domain.refusals import REFUSALS
from services.identity.domain.scheme import JurisdictionIdentity
from services.identity.main import BOOKS
from shared.events.identity import ProfileSaved
from shared.kernel.errors import Refused
from shared.schemes import reading
from shared.testing.given import given

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
BOOK = BOOKS.with_centre("sx") or ""
CENTRE = BOOKS.centre(BOOK)
assert CENTRE is not None
CONTEXT = ProfileContext(NOW, CENTRE, BOOKS.code_lists)
FORM = {"ethnicity": "01", "household": "urban", "education": "21", "email": "yangben@example.com"}
SAVED = ProfileSaved(jurisdiction="sx", form=FORM, clause=f"{BOOK} identity.personal_centre SX-E-12")


def save(**form: str) -> SaveProfile:
    return SaveProfile(person="person-1", book=BOOK, form=form)


def test_what_was_filled_in_is_kept_without_what_stays_empty() -> None:
    given(PROFILE).when(save(**FORM, occupation="  ", political_status=""), CONTEXT).then(SAVED)


def test_the_same_form_again_is_no_new_fact_and_another_one_replaces_it() -> None:
    given(PROFILE, SAVED).when(save(**FORM), CONTEXT).then()
    less = ProfileSaved(jurisdiction="sx", form={"ethnicity": "02"}, clause=SAVED.clause)
    given(PROFILE, SAVED).when(save(ethnicity="02"), CONTEXT).then(less)
    assert PROFILE.replay([SAVED, less]).forms == {"sx": {"ethnicity": "02"}}


def test_each_jurisdiction_has_a_form_of_its_own() -> None:
    elsewhere = ProfileSaved(jurisdiction="lagoon", form={"ethnicity": "56"}, clause="c")
    assert PROFILE.replay([SAVED, elsewhere]).forms == {"sx": FORM, "lagoon": {"ethnicity": "56"}}


def test_every_fault_is_told_at_once_by_field() -> None:
    wrong = save(ethnicity="汉族", email="yangben at example", education="99", household="somewhere")
    with pytest.raises(Refused) as refused:
        PROFILE.decide(wrong, PROFILE.initial, CONTEXT)
    assert refused.value.code == "identity.form_wrong"
    assert {each["field"]: each["code"] for each in refused.value.facts["faults"]} == {
        "ethnicity": "identity.not_on_the_list",
        "household": "identity.not_on_the_list",
        "education": "identity.not_on_the_list",
        "email": "identity.does_not_fit_the_pattern",
    }


def test_the_name_and_numbers_of_the_account_are_not_changed_here() -> None:
    given(PROFILE).when(save(name="别人"), CONTEXT).refused("identity.unknown_field")


@pytest.mark.parametrize(
    ("number", "sex"), [("110101202311012176", "1"), ("120103198806018241", "2"), ("14010519990307123X", "1")]
)
def test_the_sex_stands_in_the_id_number(number: str, sex: str) -> None:
    assert sex_of(number) == sex


@pytest.mark.parametrize(
    ("where", "value", "law"),
    [
        ("order", ["name"], "order: names every fact"),
        ("order", [*CENTRE.order, "name"], "order"),
        ("lists", {}, "no such list: households"),
        ("fields", [{"name": "m", "label": "专业", "kind": "major", "source": "assumption"}], "order|of a kind"),
    ],
)
def test_a_centre_that_contradicts_itself_is_refused(where: str, value: Any, law: str) -> None:
    assert CENTRE is not None
    with pytest.raises(ValidationError, match=law):
        PersonalCentre.model_validate({**CENTRE.model_dump(exclude_unset=True), where: value})


def test_an_example_that_would_be_refused_is_no_example() -> None:
    assert CENTRE is not None
    said = CENTRE.model_dump(exclude_unset=True)
    fields = [{**each, "example": "长" * 41} if each["name"] == "occupation" else each for each in said["fields"]]
    with pytest.raises(ValidationError, match="occupation: its example is refused"):
        PersonalCentre.model_validate({**said, "fields": fields})


def test_a_photograph_that_nobody_is_asked_for_cannot_be_shown() -> None:
    said = BOOKS.parts[BOOK].model_dump(exclude_unset=True)
    with pytest.raises(ValidationError, match="no such photograph: passport"):
        JurisdictionIdentity.model_validate(said | {"personal_centre": said["personal_centre"] | {"photo": "passport"}})


def test_whatever_the_shared_forms_refuse_is_said_in_our_words() -> None:
    """A code that nobody says here would be a fault of ours: an answer of 500 to a slip of the pen."""
    codes = set(re.findall(r'Refused\("(exemption\.\w+)"', Path(reading.__file__).read_text()))
    assert codes == OURS.keys()
    assert set(OURS.values()) <= REFUSALS.keys()


def test_of_a_list_in_a_tree_only_an_entry_with_nothing_below_it_is_offered_and_taken() -> None:
    asked = {"name": "district", "label": "区县", "kind": "choice", "code_list": "gbt2260", "deepest": True}
    asked["source"] = "assumption"
    shown = {"name": "name", "label": "姓名", "source": "assumption"}
    title, order = {"text": "样本", "source": "assumption"}, ["name", "district"]
    said = {"title": title, "facts": [shown], "fields": [asked], "order": order}
    centre = PersonalCentre.model_validate(said)
    around = ProfileContext(NOW, centre, BOOKS.code_lists)
    (saved,) = given(PROFILE).when(save(district="370102"), around).events
    assert saved.form == {"district": "370102"}
    assert "370000" not in centre.entries(centre.fields[0], BOOKS.code_lists)
    refused = given(PROFILE).when(save(district="370000"), around).refusal
    assert refused is not None
    assert [each["code"] for each in refused.facts["faults"]] == ["identity.not_on_the_list"]
