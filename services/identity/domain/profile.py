"""个人信息 what a person says of themselves in personal centres, jurisdiction by jurisdiction. Pure.

A stream of its own beside the account: nobody is judged by it, and it changes more often. `profiles.py` loads its
events, calls `decide`, and appends what comes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.identity.domain.commands import SaveProfile
from services.identity.domain.profile_rules import PersonalCentre, checked_profile
from shared.events.identity import ProfileEvent, ProfileSaved
from shared.kernel.decider import Decider
from shared.kernel.time import SHANGHAI
from shared.schemes.reference import CodeLists


@dataclass(frozen=True)
class Profile:
    """Jurisdiction -> what was filled in there."""

    forms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def state_title(self) -> str:
        return "已填写" if self.forms else "未填写"


@dataclass(frozen=True)
class ProfileContext:
    """What a decision may know besides the past."""

    now: datetime
    centre: PersonalCentre
    code_lists: CodeLists


def decide(command: SaveProfile, state: Profile, context: ProfileContext) -> Sequence[ProfileEvent]:
    today = context.now.astimezone(SHANGHAI).date()
    jurisdiction = command.book.split("/")[0]
    form = checked_profile(context.centre, command.form, context.code_lists, today)
    if form == state.forms.get(jurisdiction):
        return []
    clause = f"{command.book} identity.personal_centre {context.centre.title.source}"
    return [ProfileSaved(jurisdiction=jurisdiction, form=form, clause=clause)]


def evolve(state: Profile, event: ProfileEvent) -> Profile:
    return replace(state, forms={**state.forms, event.jurisdiction: event.form})


PROFILE: Decider[SaveProfile, Profile, ProfileEvent, ProfileContext] = Decider("profile", Profile(), decide, evolve)
