"""What may still be put right once the deadline of prior education is over. Pure."""

from dataclasses import replace
from datetime import UTC, datetime

from services.identity.domain.commands import SubmitPriorEducation
from services.identity.domain.education import EDUCATION
from shared.events.identity import EducationDraftSaved, PriorEducationSubmitted
from shared.testing.given import given
from tests.services.identity.schooling import RULES, form
from tests.services.identity.test_education import NOT_EFFECTIVE, RECORD, context


def test_after_the_deadline_only_the_diploma_of_before_it_is_put_right() -> None:
    """HB-03, HB-38."""
    late, again = context(now=datetime(2026, 12, 1, tzinfo=UTC)), SubmitPriorEducation(record=RECORD)
    corrected = EducationDraftSaved(form=form(school="样例大学"))
    given(EDUCATION, *NOT_EFFECTIVE, corrected).when(again, late).then_kinds(PriorEducationSubmitted)
    spaced = EducationDraftSaved(form=form(certificate_number=" 10524 1201806000001"))
    given(EDUCATION, *NOT_EFFECTIVE, spaced).when(again, late).then_kinds(PriorEducationSubmitted)
    another = EducationDraftSaved(form=form(certificate_number="105241202611000002"))
    refused = given(EDUCATION, *NOT_EFFECTIVE, another)
    refused.when(again, late).refused("identity.kept_after_deadline", labels=["毕业证书编号"])
    refused.when(again, context()).then_kinds(PriorEducationSubmitted)
    generous = RULES.book.repair_after_deadline.model_copy(update={"keeps": ()})
    any_diploma = replace(RULES, book=RULES.book.model_copy(update={"repair_after_deadline": generous}))
    refused.when(again, replace(late, rules=any_diploma)).then_kinds(PriorEducationSubmitted)
