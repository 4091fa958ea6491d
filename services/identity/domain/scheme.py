"""The book of identity: lengths, times, limits, roles and levels as data. Read from `books/platform/identity.yaml`.

Platform-wide, since one account serves every procedure of every jurisdiction. What one of them asks besides stands in
`books/<jurisdiction>/identity.yaml`: `JurisdictionIdentity`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.identity.domain.education_rules import PriorEducation
from services.identity.domain.profile_rules import PersonalCentre
from services.identity.domain.routes import VerificationRules
from shared.schemes.procedure import Source
from shared.schemes.reference import CodeLists

Seconds = Annotated[int, Field(gt=0, le=400 * 86_400)]
EASILY_CONFUSED = frozenset("0O17I")


class Clause(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Source = Field(description="the requirement row it comes from, or `assumption`")


class CaptchaRule(Clause):
    """图片验证码 the picture that must be read before a message is sent."""

    alphabet: str = Field(min_length=10, description="characters drawn, none that are mistaken for each other")
    length: int = Field(ge=4, le=8, description="characters in one picture")
    valid_seconds: Seconds = Field(description="how long the answer is accepted")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if confused := EASILY_CONFUSED & set(self.alphabet.upper()):
            raise ValueError(f"characters easily confused: {' '.join(sorted(confused))}")
        return self


class SmsCodeRule(Clause):
    """短信验证码."""

    digits: int = Field(ge=6, le=8, description="length of a code")
    valid_seconds: Seconds = Field(description="how long a code is accepted")
    attempts: int = Field(ge=1, le=10, description="how often one code may be typed")


class Limit(Clause):
    """At most `most` in `per_seconds`; then a pause, which grows each time it is run into again."""

    most: int = Field(ge=1, description="how many are allowed in one period")
    per_seconds: Seconds = Field(description="the period")
    pause_seconds: Seconds | None = Field(default=None, description="the pause; without it, the rest of the period")
    growth: int = Field(default=1, ge=1, le=10, description="each further pause is so many times longer")
    longest_seconds: Seconds = Field(default=86_400, description="no pause is longer; after it, all is forgotten")


class Limits(BaseModel):
    """Counted in the database, by keyed hash of the number, the account or the client's address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    captcha_per_address: Limit = Field(description="pictures drawn")
    sms_cool_down: Limit = Field(description="codes to one mobile, one after the other")
    sms_per_mobile: Limit = Field(description="codes to one mobile")
    sms_per_address: Limit = Field(description="codes asked for from one address")
    login_per_name: Limit = Field(description="wrong passwords for one typed number, whether it has an account or not")
    login_per_account: Limit = Field(description="wrong passwords or one-time codes for one account")
    login_per_address: Limit = Field(description="wrong passwords from one address")
    identity_per_mobile: Limit = Field(description="tries to register an ID number with one proved mobile")
    reset_per_mobile: Limit = Field(description="tries to choose a new password with a code")
    activation_per_staff: Limit = Field(description="activation codes typed for one staff account")
    lookups_per_clerk: Limit = Field(description="ID numbers looked up by one member of staff")
    photos_per_person: Limit = Field(description="photographs that one person sends to be verified by")
    secrets_per_address: Limit = Field(description="service and bootstrap secrets tried from one address")


class PasswordRule(Clause):
    """密码."""

    least: int = Field(ge=10, description="shortest password, in characters")
    most: int = Field(ge=64, le=256, description="longest password, in characters")
    least_different: int = Field(ge=1, description="so many different characters at least")
    common: frozenset[str] = Field(description="passwords that everybody tries first, in lower case")


class Sessions(Clause):
    """How long what we hand out is good for."""

    access_seconds: int = Field(
        gt=0,
        le=290,
        description="a person's access token; with the leeway for clocks, a revoked role ends within five minutes",
    )
    refresh_seconds: Seconds = Field(description="a session: the refresh token and all that replace it")
    service_seconds: Seconds = Field(description="a service's token")
    registration_seconds: Seconds = Field(description="an unfinished registration, which is then erased")
    activation_seconds: Seconds = Field(description="an activation code of staff")


class RoleRule(Clause):
    """角色 what one may be given at an organisation of one of `levels`."""

    title: str = Field(min_length=1, description="what an official calls it")
    levels: frozenset[str] = Field(description="organisations it can be held at")
    everywhere: bool = Field(default=False, description="may be held at `*`, the whole platform")


class LevelRule(Clause):
    """A level of organisation and what it may stand under; none means that it may be a root."""

    title: str = Field(min_length=1, description="what an official calls it")
    under: frozenset[str | None] = Field(description="levels of the parent; null: it needs none")


class IdentityScheme(BaseModel):
    """Everything about identity that is a number or a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    captcha: CaptchaRule
    sms_code: SmsCodeRule
    limits: Limits
    password: PasswordRule
    sessions: Sessions
    roles: dict[str, RoleRule] = Field(description="role -> who may hold it where")
    levels: dict[str, LevelRule] = Field(description="level -> its place in the tree of organisations")
    administrator: str = Field(description="the role that adds organisations and staff and grants roles")
    clerks: frozenset[str] = Field(description="roles that may check a person's identity in person (F-10)")
    erasers: frozenset[str] = Field(description="roles that, held everywhere, may erase a person")
    erasure_grounds: dict[str, str] = Field(description="code -> why a person may be erased")
    directory_readers: dict[str, frozenset[Literal["name", "id_number", "ticket_number", "mobile"]]] = Field(
        description="service -> what it may ask about a person"
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        named = {self.administrator} | self.clerks | self.erasers
        levels = frozenset[str | None]().union(*(role.levels for role in self.roles.values()))
        parents = frozenset[str | None]().union(*(level.under for level in self.levels.values())) - {None}
        if unknown := named - self.roles.keys():
            raise ValueError(f"roles that are not declared: {', '.join(sorted(unknown))}")
        if strange := (levels | parents) - self.levels.keys():
            raise ValueError(f"levels that are not declared: {', '.join(sorted(map(str, strange)))}")
        if not self.roles[self.administrator].everywhere:
            raise ValueError("the first administrator's role must be one that can be held everywhere")
        return self


class JurisdictionIdentity(BaseModel):
    """`identity.yaml` of a jurisdiction: what it asks of its candidates besides the account that all of them have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verification: VerificationRules | None = Field(default=None, description="By which photographs, and who decides.")
    prior_education: PriorEducation | None = Field(default=None, description="前置学历.")
    personal_centre: PersonalCentre | None = Field(default=None, description="个人中心: what it shows and asks.")

    @model_validator(mode="after")
    def _shows_a_photograph_there_is(self) -> Self:
        slot = self.personal_centre.photo if self.personal_centre else None
        known = {each.slot for each in self.verification.photos} if self.verification else set()
        if slot and slot not in known:
            raise ValueError(f"personal_centre: no such photograph: {slot}")
        return self


@dataclass(frozen=True)
class Books:
    """The book of each jurisdiction that says something about identity, by its name on the shelf."""

    parts: Mapping[str, JurisdictionIdentity]
    code_lists: CodeLists = field(default_factory=lambda: CodeLists(lists={}))

    def with_centre(self, jurisdiction: str) -> str | None:
        """The newest book there that says what the personal centre shows."""
        named = [ref for ref, part in self.parts.items() if ref.split("/")[0] == jurisdiction and part.personal_centre]
        return max(named, key=_version, default=None)

    def centre(self, book: str) -> PersonalCentre | None:
        part = self.parts.get(book)
        return part.personal_centre if part else None

    def verification(self, book: str) -> VerificationRules | None:
        part = self.parts.get(book)
        return part.verification if part else None

    def of_jurisdiction(self, jurisdiction: str) -> str | None:
        """The newest book by which somebody is verified there."""
        named = [ref for ref, part in self.parts.items() if ref.split("/")[0] == jurisdiction and part.verification]
        return max(named, key=_version, default=None)


def _version(ref: str) -> tuple[int, str]:
    version = ref.rpartition("@")[2]
    return int(version) if version.isdigit() else 0, ref
