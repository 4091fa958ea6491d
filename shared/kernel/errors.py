"""Refusals: the one way a rule of ours says no.

A refusal is an answer, not a fault: it has a code that never changes its meaning, the facts needed to act, and a text
in Chinese and English that the API edge looks up in the service's table (RFC 9457, problem details).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from shared.kernel.time import spoken

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Refused(Exception):
    """A rule said no. `code` is `<area>.<what_is_wrong>`; `facts` are JSON-able and hold nothing personal.

    A fact that is an id of a book or of the program is for programs; `said`, one of the facts, maps its name to the
    words by which people know it, and these stand in the texts.
    """

    def __init__(self, code: str, /, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.code} {self.facts}" if self.facts else self.code


class NotYet(Exception):
    """A reaction needs a fact of another source that has not arrived; the consumer tries again when it may have."""


@dataclass(frozen=True)
class Refusal:
    """What a code means to a caller: HTTP status and the two texts, whose {names} are filled from the facts."""

    status: int
    zh: str
    en: str

    def said(self, facts: Mapping[str, Any]) -> tuple[str, str]:
        """Both texts with the facts in their places, as people write them."""
        facts = {**facts, **facts.get("said", {})}
        return _filled(self.zh, facts, _CHINESE), _filled(self.en, facts, _ENGLISH)


@dataclass(frozen=True)
class _Language:
    between: str
    nothing: str
    yes: str
    no: str


_CHINESE = _Language("、", "无", "是", "否")
_ENGLISH = _Language(", ", "none", "yes", "no")


def _filled(text: str, facts: Mapping[str, Any], language: _Language) -> str:
    """A fact that is not there leaves an ellipsis, since a refusal must always be answered."""
    return _PLACEHOLDER.sub(lambda found: _in_words(facts.get(found[1], "…"), language), text)


def _in_words(fact: Any, language: _Language) -> str:
    match fact:
        case None:
            return language.nothing
        case bool():
            return language.yes if fact else language.no
        case datetime():
            return spoken(fact)
        case date():
            return fact.isoformat()
        case time():
            return f"{fact:%H:%M}"
        case float() | Decimal():
            return f"{Decimal(str(fact)).normalize():f}"
        case Mapping():
            return _in_words([f"{name} {_in_words(each, language)}" for name, each in fact.items()], language)
        case set() | frozenset():
            return _in_words(sorted(fact), language)
        case list() | tuple():
            return language.between.join(_in_words(each, language) for each in fact) or language.nothing
        case _:
            return str(fact)


COMMON: dict[str, Refusal] = {
    "access.no_token": Refusal(401, "请先登录。", "Please sign in first."),
    "access.bad_token": Refusal(401, "登录凭证无效，请重新登录。", "The token is not valid; sign in again."),
    "access.token_expired": Refusal(401, "登录已过期，请重新登录。", "The token has expired; sign in again."),
    "access.not_allowed": Refusal(403, "您没有办理此事项的权限。", "You are not allowed to do this."),
    "access.person_erased": Refusal(410, "该人员的个人信息已被删除。", "This person's data has been erased."),
    "access.not_found": Refusal(404, "没有找到该记录。", "There is no such record."),
    "request.invalid": Refusal(422, "填写内容有误，请检查标出的项目。", "Some fields are wrong; see the list."),
    "request.too_large": Refusal(
        413, "提交内容过大，上限为 {limit} 字节。", "The body is over the limit of {limit} bytes."
    ),
    "request.no_idempotency_key": Refusal(
        400, "缺少 Idempotency-Key 请求头。", "The Idempotency-Key header is missing or malformed."
    ),
    "request.key_reused": Refusal(
        409, "同一请求编号已用于另一内容。", "This Idempotency-Key was used for another request."
    ),
    "request.changed_meanwhile": Refusal(
        409,
        "记录已被更新（当前版本 {version}），请刷新后再试。",
        "The record has changed (now version {version}); reload it.",
    ),
    "request.too_many": Refusal(
        429, "操作过于频繁，请在 {retry_after} 秒后再试。", "Too many attempts; try again in {retry_after} seconds."
    ),
    "parking.not_parked": Refusal(409, "此处没有滞留的记录。", "Nothing is parked there."),
    "parking.other_version": Refusal(
        409, "滞留的是第 {version} 条，请先查看。", "It waits at version {version}; look at that first."
    ),
    "parking.waits_for_a_fact": Refusal(
        409,
        "该记录在等待另一条记录，到达后会自动处理。",
        "It only waits for another fact and goes on by itself once that arrives.",
    ),
    "parking.no_such_reason": Refusal(
        422, "没有这种缘由，可选：{reasons}。", "There is no such reason; there are {reasons}."
    ),
    "parking.note_without_person": Refusal(
        422,
        "该记录不属于任何人，文字说明无从加密，请只填缘由代码。",
        "The fact belongs to no person whose key could seal free words: give the code alone.",
    ),
    "claim.taken": Refusal(409, "该信息已被其他记录使用。", "Another record holds this already."),
    "service.unavailable": Refusal(
        503, "系统暂时不可用，请稍后再试。", "The service is not available; try again soon."
    ),
    "service.fault": Refusal(
        500, "系统出现故障，已记录（编号 {fault}）。", "A fault on our side, recorded as {fault}."
    ),
    "request.text_says_nothing": Refusal(
        422, "“{field}”须含有文字或数字。", "“{field}” must hold a letter or a digit."
    ),
    "request.text_has_control_characters": Refusal(
        422, "“{field}”含有不可见或控制字符。", "“{field}” holds control or invisible characters."
    ),
    "request.text_length": Refusal(
        422,
        "“{field}”长度为 {length}，应在 {least} 至 {most} 之间。",
        "“{field}” has {length} characters; allowed: {least} to {most}.",
    ),
    "identity.id_number_15_digits": Refusal(
        422,
        "15 位身份证号已停用，请先办理身份证号升位更正。",
        "15-digit ID numbers are no longer accepted; have it corrected first.",
    ),
    "identity.id_number_malformed": Refusal(
        422, "身份证号应为 18 位数字（末位可为 X）。", "An ID number has 18 characters: 17 digits and a digit or X."
    ),
    "identity.id_number_impossible_date": Refusal(
        422,
        "身份证号第 7 至 14 位不是有效的出生日期。",
        "Digits 7 to 14 of the ID number are not a possible date of birth.",
    ),
    "identity.id_number_wrong_check_digit": Refusal(
        422, "身份证号校验位不正确，请核对。", "The check digit of the ID number is wrong."
    ),
    "identity.mobile_malformed": Refusal(422, "请填写正确手机号码。", "This is not a mobile number."),
    "identity.name_malformed": Refusal(
        422, "姓名含有不允许的字符。", "The name holds characters that names do not have."
    ),
}
"""Codes of the edge and of shared values; each service adds its own in `domain/refusals.py`."""
