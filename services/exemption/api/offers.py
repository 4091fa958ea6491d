"""可申请的课程 what the candidate of an application may claim, by basis: courses, and what each of them asks.

Called by the portal after the diploma and the own major were chosen (HB-10, HB-11). What is listed is what is judged:
both ask `claims.offered`.
"""

from collections.abc import Iterator, Sequence

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.exemption.api.asking import BooksDep, Id, asking, looking, readable_case
from services.exemption.domain.bases import Basis
from services.exemption.domain.claims import offered, records_for
from services.exemption.domain.followed import ACCOUNT_FOLLOWED, Account
from services.exemption.domain.form import value_of
from services.exemption.domain.scheme import Rules
from shared.runtime.access import CandidateDep, ServiceDep
from shared.runtime.problems import refuses
from shared.schemes.forms import FormField

router = APIRouter()


class CourseOffered(BaseModel):
    code: str
    name: str
    fields: Sequence[FormField] = Field(description="What is asked of it; none: a tick is enough.")


class Offer(BaseModel):
    """Courses on one basis; of a basis that is a diploma, one offer for each record that it takes."""

    basis: str
    title: str
    record: str | None = Field(description="A record of prior education that is in effect.")
    major: str | None = Field(description="The major of that record.")
    any_course: bool = Field(description="Any course of the catalogue; `courses` is then empty.")
    courses: Sequence[CourseOffered]
    expected: Sequence[str] = Field(description="What the list of the own major has; another choice only warns.")
    hints: Sequence[str]


class Offers(BaseModel):
    items: Sequence[Offer]


@router.get("/applications/{application}/offers", openapi_extra=refuses("access.not_found"))
async def offers(application: Id, service: ServiceDep, books: BooksDep, caller: CandidateDep) -> Offers:
    """HB-11: for the own major that was saved last, and for every record of prior education in effect."""
    async with service.reading() as connection, connection.transaction(readonly=True):
        case, context, _ = await readable_case(service, connection, books, application, caller)
        work = asking(service, connection, looking(service, caller))
        account, _ = await work.load(ACCOUNT_FOLLOWED, case.candidate)
    own_major = value_of(context.rules.book, "major", case.form)
    bases = context.rules.book.bases
    return Offers(items=[each for basis in bases for each in _offers_of(context.rules, basis, own_major, account)])


def _offers_of(rules: Rules, basis: Basis, own_major: str | None, account: Account | None) -> Iterator[Offer]:
    records = records_for(basis, account)
    chosen = list(records.items()) if basis.diploma else [(None, None)]
    for record, education in chosen:
        codes = offered(basis, own_major, education)
        courses = [rules.known.courses.course(code) for code in sorted(codes or ())]
        yield Offer(
            basis=basis.id,
            title=basis.title,
            record=record,
            major=education.major if education else None,
            any_course=codes is None,
            courses=[
                CourseOffered(code=each.code, name=each.name, fields=basis.details_of(each.code)) for each in courses
            ],
            expected=[code for each in basis.expected if each.major == own_major for code in each.courses],
            hints=[each.text for each in basis.hints if not each.majors or own_major in each.majors],
        )
