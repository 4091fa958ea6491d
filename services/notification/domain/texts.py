"""From a book's notice and a moment's facts to the words a person reads. Pure; `handlers.py` calls it."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.notification.domain.scheme import NotificationScheme, Sending, placeholders
from shared.events.notification import SmsTemplate
from shared.kernel.errors import Refused

NOTHING = "无"
"""What a fact that is empty reads as: providers refuse an empty parameter."""


@dataclass(frozen=True)
class Letter:
    """One message in words, ready to be written into its first event."""

    moment: str
    scheme: str
    channels: tuple[str, ...]
    title: str
    inbox_text: str
    facts: Mapping[str, Any]
    templates: tuple[SmsTemplate, ...]


def written(moment: str, ref: str, scheme: NotificationScheme, sending: Sending, facts: Mapping[str, Any]) -> Letter:
    """`ref` names the book. Codes become words; facts that no text of the notice names are left behind.

    A book may keep silent about a moment: what is decided is not told before the results are open.
    """
    notice = scheme.moments.get(moment)
    if notice is None:
        raise Refused("notification.nothing_to_say", moment=moment)
    facts = {name: scheme.words.get(name, {}).get(str(fact), str(fact)) for name, fact in facts.items()}
    templates: tuple[SmsTemplate, ...] = ()
    if sms := notice.sms:
        templates = tuple(
            SmsTemplate(
                provider=provider,
                sign_name=scheme.sign_names[provider],
                template_code=sms.providers[provider].code,
                parameters=placeholders(sms.wording(provider)),
                longest_parameter=sending.longest_parameter[provider],
            )
            for provider in sending.order
        )
    named = {name for text in notice.texts() for name in placeholders(text)}
    return Letter(
        moment=moment,
        scheme=ref,
        channels=notice.channels,
        title=notice.title,
        inbox_text=filled(notice.inbox or "", facts),
        facts={name: facts[name] for name in sorted(named)},
        templates=templates,
    )


def filled(text: str, facts: Mapping[str, Any]) -> str:
    """Each {name} once, from left to right: a value that looks like a placeholder stays what it is."""
    return re.sub(r"\{([a-z_]+)\}", lambda found: str(facts[found[1]]) or NOTHING, text)


def parameters(template: SmsTemplate, facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, fitted(str(facts[name]), template.longest_parameter)) for name in template.parameters)


def fitted(text: str, longest: int) -> str:
    """A provider's parameter: one line, nothing invisible, no 【】 (they mark the sign name), cut with an ellipsis."""
    visible = "".join(" " if char.isspace() else char for char in unicodedata.normalize("NFC", text))
    kept = (char for char in visible if unicodedata.category(char)[0] != "C" and char not in "【】")
    line = " ".join("".join(kept).split()) or NOTHING
    return line if len(line) <= longest else line[: longest - 1] + "…"
