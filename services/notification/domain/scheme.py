"""The notification part of a book: what a person is told, when, by which channel, in which words.

`handlers.py` reads it through the catalog. A jurisdiction's book says the words of its procedures; the platform's book
(it belongs to no jurisdiction) says the words of the account and how sending is done.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.schemes.procedure import Clause, Source, Sourced

PROVIDERS = ("aliyun", "tencent")

MOMENTS: Mapping[str, frozenset[str]] = {
    "identity.code_to_register": frozenset({"code"}),
    "identity.code_to_reset_password": frozenset({"code"}),
    "identity.code_to_replace_mobile": frozenset({"code"}),
    "identity.registered": frozenset(),
    "exemption.submitted": frozenset({"submission"}),
    "exemption.fee_due": frozenset({"what", "amount", "until", "refunds"}),
    "exemption.refund_asked": frozenset({"amount"}),
    "exemption.returned": frozenset({"stage", "reason", "document", "note"}),
    "exemption.stage_passed": frozenset({"stage"}),
    "exemption.granted": frozenset(),
    "exemption.refused": frozenset({"stage", "reason", "note"}),
    "exemption.unlocked": frozenset({"reason", "note"}),
    "exemption.ticket_released": frozenset({"reason", "note"}),
    "exemption.superseded": frozenset(),
    "exemption.lapsed": frozenset(),
    "exemption.expired": frozenset(),
    "exemption.revived": frozenset(),
    "exemption.revoked": frozenset({"reason", "note"}),
    "prior_education.effective": frozenset(),
    "prior_education.not_effective": frozenset({"reason"}),
    "prior_education.unresolved": frozenset(),
}
"""The closed list: each moment there is, and the facts its texts may name."""

ALWAYS = frozenset(moment for moment in MOMENTS if moment.startswith("identity."))
"""Moments that whoever tells of one of them must tell of. Which of the others a procedure can come to, its own rules
say: `ops/schemes/telling.py` compares both."""

SECRET_MOMENTS = frozenset(moment for moment, facts in MOMENTS.items() if "code" in facts)
"""Told by SMS alone: a code in an inbox would prove nothing about the telephone."""

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_STRAY = re.compile(r"[{}【】]")

Seconds = Annotated[float, Field(gt=0)]
Channel = Literal["sms", "inbox"]


def placeholders(text: str) -> tuple[str, ...]:
    return tuple(_PLACEHOLDER.findall(text))


class ProviderText(Clause):
    code: str = Field(min_length=1, description="the template code (模板 CODE / ID) that this provider registered")
    text: str | None = Field(None, description="this provider's own wording, where its parameters must be shorter")


class SmsText(Clause):
    text: str = Field(description="the wording as registered with the providers, {fact} for each parameter")
    providers: dict[str, ProviderText] = Field(description="provider -> the template it registered")

    def wording(self, provider: str) -> str:
        return self.providers[provider].text or self.text


class Notice(Sourced):
    """One moment's words."""

    title: str = Field(min_length=1, max_length=40, description="heading in the inbox; names no fact")
    channels: tuple[Channel, ...] = Field(min_length=1, description="sms, inbox or both")
    inbox: str | None = Field(None, description="text in the inbox, {fact} for each fact; holds facts in full")
    sms: SmsText | None = Field(None, description="text of the SMS")

    @model_validator(mode="after")
    def _channels_have_texts(self) -> Self:
        for channel, text in (("inbox", self.inbox), ("sms", self.sms)):
            if (channel in self.channels) != (text is not None):
                raise ValueError(f"a text for {channel} is given when, and only when, it is among the channels")
        return self

    def texts(self) -> list[str]:
        sms = [self.sms.wording(provider) for provider in self.sms.providers] if self.sms else []
        return [self.title, *sms] + ([self.inbox] if self.inbox is not None else [])


class NotificationScheme(Clause):
    """通知 of one book."""

    words: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="fact -> its code -> the word a person reads; other values stand for themselves",
    )
    sign_names: dict[str, str] = Field(description="provider -> 短信签名 as registered, without 【】")
    sign_names_source: Source
    moments: dict[str, Notice] = Field(description="moment -> its channels and words")

    @model_validator(mode="after")
    def _moments_are_known_and_complete(self) -> Self:
        if unknown_facts := set(self.words) - frozenset().union(*MOMENTS.values()):
            raise ValueError(f"words for facts nobody knows: {sorted(unknown_facts)}")
        if unknown := set(self.moments) - set(MOMENTS):
            raise ValueError(f"moments nobody knows: {sorted(unknown)}")
        if ALWAYS & set(self.moments) and (missing := ALWAYS - set(self.moments)):
            raise ValueError(f"moments without words: {sorted(missing)}")
        for moment, notice in self.moments.items():
            self._notice_must_be_sayable(moment, notice)
        return self

    def _notice_must_be_sayable(self, moment: str, notice: Notice) -> None:
        if placeholders(notice.title):
            raise ValueError(f"{moment}: a title names no fact")
        if ("inbox" in notice.channels) == (moment in SECRET_MOMENTS):
            raise ValueError(f"{moment}: every notice is in the inbox, save verification codes, which never are")
        for text in notice.texts():
            if stray := _STRAY.findall(_PLACEHOLDER.sub("", text)):
                raise ValueError(f"{moment}: {stray} in “{text}”")
            if unknown := set(placeholders(text)) - MOMENTS[moment]:
                raise ValueError(f"{moment}: no such fact {sorted(unknown)}; it may name {sorted(MOMENTS[moment])}")
        if notice.sms:
            self._sms_must_be_registered(moment, notice.sms)

    def _sms_must_be_registered(self, moment: str, sms: SmsText) -> None:
        for provider in PROVIDERS:
            if provider not in sms.providers or provider not in self.sign_names:
                raise ValueError(f"{moment}: no template or no sign name registered with {provider}")
            names = placeholders(sms.wording(provider))
            if len(set(names)) != len(names):
                raise ValueError(f"{moment}: a provider takes each parameter once")
        if unknown := (set(sms.providers) | set(self.sign_names)) - set(PROVIDERS):
            raise ValueError(f"{moment}: providers nobody knows: {sorted(unknown)}")


class Retry(Clause):
    backoff_seconds: tuple[Seconds, ...] = Field(min_length=1, description="waits between tries; the last one repeats")
    most_attempts: int = Field(ge=1, le=20, description="tries in all, over all providers, until a resend")


class Doubt(Clause):
    ask_after_seconds: tuple[Seconds, ...] = Field(min_length=1, description="waits before each question")
    absences_needed: int = Field(
        ge=1, description="how often a provider must know nothing before it counts as not sent"
    )


class Receipts(Clause):
    ask_after_seconds: tuple[Seconds, ...] = Field(min_length=1, description="waits; the last one repeats")
    give_up_after_hours: float = Field(gt=0, description="then the outcome is shown as unresolved")


class Switching(Clause):
    slow_after_seconds: Seconds = Field(description="an accepted call slower than this counts against the provider")
    window_seconds: Seconds = Field(description="how far back tries count")
    bad_tries: int = Field(ge=1, description="so many slow or failed tries in the window put a provider last")


class Resending(Clause):
    cooldown_seconds: Seconds
    most: int = Field(ge=0, description="resends of one message a candidate may ask for")


class Sending(Sourced):
    """How sending is done, for every book."""

    order: tuple[str, ...] = Field(min_length=1, description="providers, the preferred one first")
    call_timeout_seconds: Seconds = Field(description="after this the call's outcome is in doubt")
    longest_parameter: dict[str, Annotated[int, Field(ge=1)]] = Field(
        description="provider -> characters of a parameter"
    )
    retry: Retry
    doubt: Doubt
    receipts: Receipts
    switching: Switching
    resending: Resending

    @model_validator(mode="after")
    def _providers_are_known(self) -> Self:
        if sorted(self.order) != sorted(PROVIDERS) or set(self.longest_parameter) != set(PROVIDERS):
            raise ValueError(f"order and longest_parameter name each of {PROVIDERS} once")
        return self

    def backoff(self, nth: int) -> timedelta:
        """The `nth` wait, counted from 1."""
        return _step(self.retry.backoff_seconds, nth - 1)

    def doubt_wait(self, asked: int) -> timedelta:
        return _step(self.doubt.ask_after_seconds, asked)

    def receipt_wait(self, asked: int) -> timedelta:
        return _step(self.receipts.ask_after_seconds, asked)

    @property
    def call_timeout(self) -> timedelta:
        return timedelta(seconds=self.call_timeout_seconds)


class PlatformNotification(NotificationScheme):
    """The platform's own book: the account's words, and how sending is done."""

    sending: Sending


def _step(waits: tuple[float, ...], index: int) -> timedelta:
    return timedelta(seconds=waits[min(index, len(waits) - 1)])
