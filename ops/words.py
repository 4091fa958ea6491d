"""The words an official reads for what events hold: who acted, roles, organisations, documents, codes.

`telling.py` asks it. The words come from the books and from what identity recorded; where neither has one (a book that
is gone, a code of a provider), the code stands for itself, so that a trail can always be told.
"""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from string import Formatter
from typing import Any

from services.exemption.domain.fees import REASONS
from services.exemption.domain.scheme import ExemptionScheme
from services.identity.domain.scheme import IdentityScheme
from shared import events
from shared.events.identity import OrganisationAdded, OrganisationRenamed, RoleGranted, RoleRevoked
from shared.kernel.messages import Event, Fact
from shared.kernel.time import spoken
from shared.kernel.values import yuan
from shared.runtime.trail import Entry, Trail
from shared.schemes.catalog import Catalog

SERVICES = {"identity": "身份核验", "exemption": "免考", "notification": "通知"}
RECORDS = {
    ("identity", "account"): "账号",
    ("identity", "staff"): "工作人员",
    ("identity", "organisation"): "机构",
    ("identity", "verification"): "身份认证",
    ("identity", "education"): "前置学历",
    ("identity", "diploma"): "毕业证书核对",
    ("identity", "profile"): "个人信息",
    ("identity", "cycle"): "批次",
    ("identity", "parking"): "滞留处理",
    ("exemption", "application"): "免考申请",
    ("exemption", "viewing"): "查阅记录",
    ("exemption", "flags"): "审核提示",
    ("exemption", "upload"): "证件照片",
    ("exemption", "cycle"): "批次",
    ("exemption", "batch"): "上报批次",
    ("exemption", "person"): "考生身份",
    ("exemption", "head"): "有效申请",
    ("exemption", "organisation"): "机构",
    ("exemption", "parking"): "滞留处理",
    ("notification", "contact"): "联系方式",
    ("notification", "message"): "通知",
    ("notification", "parking"): "滞留处理",
}
"""What an official calls the record that a stream keeps."""

_CODES: Mapping[str, Mapping[str, str]] = {
    "purpose": {
        "register": "注册",
        "reset_password": "找回密码",
        "replace_mobile": "更换手机号码",
        "reset": "找回密码",
        "replace": "修改密码",
    },
    "provider": {"aliyun": "阿里云", "tencent": "腾讯云"},
    "channels": {"sms": "短信", "inbox": "收件箱"},
    "documents": {"form": "申请表", "history": "经办记录"},
    "ground": {"registration_not_finished": "注册未完成"},
    "reason": {
        "signed_out": "本人退出",
        "refresh_token_reused": "凭证被重复使用",
        "timeout": "服务商未及时答复",
        "unreadable": "服务商答复无法识别",
        "no_answer": "对方无法说明结果",
        "no_receipt": "未收到回执",
        "number_refused": "号码无效",
        "no_number": "没有号码",
        "attempts_used_up": "次数用尽",
        "expired": "已过期",
        "done_by_hand": "已另行办理",
        "no_longer_needed": "无需再办",
        "cannot_be_read": "记录无法读取",
        "recorded_by_mistake": "来源记录有误",
        **REASONS,
    },
    "standing": {"decides": "据以认定", "late": "迟到", "contradicts": "前后矛盾"},
    "source": SERVICES,
}
"""Field -> code -> word, for the codes that are written in Python and in no book."""

_ACTORS = {"timer": "系统（定时）", "anonymous": "未登录者"}
OPERATOR = "ops:"
"""Before the name of who acted from the command line."""
_ACTED = ("reviewer", "viewer", "printed_by", "released_by")


class Words:
    """The words for one trail."""

    def __init__(self, trail: Trail) -> None:
        books = [_words_of(ref) for ref in dict.fromkeys(_schemes(trail)) if ref in _shelf().refs()]
        self._tables = [*books, _platform(), {"organisation": _organisations(trail)}, _CODES]
        self._trail = trail

    def said(self, field: str, value: Any) -> str:
        """The word for what a field holds; lists are joined."""
        match value:
            case datetime():
                return spoken(value)
            case int() if field == "fen":
                return f"{yuan(value)} 元"
            case list() | tuple():
                return "、".join(self.said(field, each) for each in value)
            case _:
                return next(
                    (table[field][value] for table in self._tables if value in table.get(field, ())), str(value)
                )

    def called(self, event: Event) -> str:
        """What an official calls the event, with its own fields filled in."""
        phrase = events.phrase(type(event))
        fields = {field for _, field, _, _ in Formatter().parse(phrase) if field}
        return phrase.format(**{field: self.said(field, getattr(event, field)) for field in fields})

    def who(self, entry: Entry) -> tuple[str, str]:
        """As what somebody acted, and the first part of their id where they have one."""
        actor = entry.fact.meta.actor
        if actor in self._trail.persons:
            return "考生", brief(actor)
        if actor in SERVICES:
            return f"系统（{SERVICES[actor]}）", ""
        if actor in _ACTORS:
            return _ACTORS[actor], ""
        if actor.startswith(OPERATOR):
            return "运维人员", actor.removeprefix(OPERATOR)
        return "、".join(self.office(*held) for held in self._held(entry)), brief(actor)

    def office(self, role: str, organisation: str) -> str:
        place = "" if organisation == "*" else f"（{self.said('organisation', organisation)}）"
        return self.said("role", role) + place

    def _held(self, entry: Entry) -> list[tuple[str, str]]:
        """The role that the event says it was done in, else those that identity says the actor then held."""
        event, meta = entry.fact.event, entry.fact.meta
        if hasattr(event, "role") and meta.actor in (getattr(event, name, None) for name in _ACTED):
            return [(event.role, event.organisation)]
        held: dict[tuple[str, str], None] = {}
        for fact in self._trail.offices:
            if fact.stream == f"staff-{meta.actor}" and fact.meta.at <= meta.at:
                if isinstance(fact.event, RoleGranted):
                    held[fact.event.role, fact.event.organisation] = None
                elif isinstance(fact.event, RoleRevoked):
                    held.pop((fact.event.role, fact.event.organisation), None)
        return list(held)


def called() -> str:
    """How these commands are called where we are: the compose file tells its container."""
    return os.environ.get("ZIKAO_CALLED") or "./zikao"


def brief(name: str) -> str:
    """The first part of a long random id; others as they are."""
    return name.split("-", 1)[0] if len(name) == 36 and name.count("-") == 4 else name


def kind_of(fact: Fact[Any]) -> str:
    """What an official calls the record that the fact belongs to."""
    return RECORDS.get((fact.source, fact.stream.split("-", 1)[0]), fact.stream.split("-", 1)[0])


def _schemes(trail: Trail) -> Iterator[str]:
    return (scheme for entry in trail.entries if isinstance(scheme := getattr(entry.fact.event, "scheme", None), str))


def _organisations(trail: Trail) -> dict[str, str]:
    return {
        fact.subject: fact.event.title
        for fact in trail.offices
        if isinstance(fact.event, OrganisationAdded | OrganisationRenamed)
    }


@cache
def _shelf() -> Catalog:
    return Catalog.load()


@cache
def _platform() -> Mapping[str, Mapping[str, str]]:
    said = _shelf().get("platform").part("identity", IdentityScheme)
    return {"role": {role: rule.title for role, rule in said.roles.items()}, "ground": said.erasure_grounds}


@cache
def _words_of(ref: str) -> Mapping[str, Mapping[str, str]]:
    """What a book calls things, by the field of an event that holds them."""
    book = _shelf().get(ref)
    roles = {role.id: role.title for role in book.head.roles} if book.head else {}
    if "exemption" not in book.sheets:
        return {"role": roles}
    rules = book.part("exemption", ExemptionScheme)
    fields = {each.name: each.label for each in rules.fields}
    slots = {slot: each.label for slot, each in rules.slots().items()}
    bases = {each.id: each.title for each in rules.bases}
    seen_by = rules.uniqueness.offices() if rules.uniqueness else ()
    return {
        "role": roles,
        "slot": slots,
        "document": {**fields, **slots, **bases, "courses": "课程", "majors": "专业"},
        "bases": {**{each.id: each.name for each in rules.certificates}, **bases},
        "seen": {item.id: item.text for office in seen_by for item in office.seen},
        "documents": ChainMap(slots, dict(_CODES["documents"])),
        "field": fields,
        "certificate": {each.id: each.name for each in rules.certificates},
        "checklist": {f"{stage.name} {item.id}": item.text for stage in rules.stages for item in stage.checklist},
        "purpose": {each.id: each.title for each in rules.windows},
    }
