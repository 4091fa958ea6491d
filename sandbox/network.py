"""The telephone network behind both SMS gateways: what was handed over, to whom, and what became of it.

`sms.py` puts messages in; `control.py` looks at them and makes things go wrong. It never deduplicates for anyone: who
sends twice finds two messages. Kept in memory, and line by line in a file, so that a test can count after a crash.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

Gateway = Literal["aliyun", "tencent"]
Status = Literal["waiting", "delivered", "undelivered"]


class Fault(BaseModel):
    """Something that goes wrong at a gateway, the next `times` times (or until taken back)."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["slow_to_accept", "slow_to_answer", "refuse", "fault_before_accepting", "fault_after_accepting"]
    gateway: Gateway | None = None
    action: Literal["send", "query"] = "send"
    seconds: float = Field(default=0, ge=0, le=120, description="for the slow kinds")
    code: str = Field(default="", description="for refuse: the provider's error code")
    times: int | None = Field(default=None, ge=1)


class Conditions(BaseModel):
    """How the network is."""

    model_config = ConfigDict(extra="forbid")

    receipt_after_seconds: float = Field(default=0.5, ge=0)
    receipts_lost: bool = False
    undeliverable: frozenset[str] = Field(default=frozenset(), description="numbers nobody answers at")


@dataclass(frozen=True)
class Sms:
    """One message that a gateway accepted."""

    gateway: Gateway
    id: str
    mobile: str
    sign_name: str
    template: str
    parameters: Mapping[str, str]
    text: str
    out_id: str
    accepted_at: datetime
    receipts_lost: bool
    undeliverable: bool
    receipt_at: datetime
    traceparent: str | None = None

    def status(self, now: datetime) -> Status:
        if self.receipts_lost or now < self.receipt_at:
            return "waiting"
        return "undelivered" if self.undeliverable else "delivered"


@dataclass
class Network:
    file: Path | None = None
    messages: list[Sms] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    conditions: Conditions = field(default_factory=lambda: Conditions())

    def __post_init__(self) -> None:
        if self.file and self.file.exists():
            self.messages = [_sms(json.loads(line)) for line in self.file.read_text("utf-8").splitlines()]

    def accept(
        self,
        gateway: Gateway,
        *,
        mobile: str,
        sign_name: str,
        template: str,
        parameters: Mapping[str, str],
        text: str,
        out_id: str,
        now: datetime,
        traceparent: str | None = None,
    ) -> Sms:
        sms = Sms(
            gateway=gateway,
            id=uuid4().hex,
            mobile=mobile,
            sign_name=sign_name,
            template=template,
            parameters=dict(parameters),
            text=text,
            out_id=out_id,
            accepted_at=now,
            receipts_lost=self.conditions.receipts_lost,
            undeliverable=mobile in self.conditions.undeliverable,
            receipt_at=now + timedelta(seconds=self.conditions.receipt_after_seconds),
            traceparent=traceparent,
        )
        if self.file:
            line = json.dumps(asdict(sms), default=datetime.isoformat, ensure_ascii=False)
            handle = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "a", encoding="utf-8") as lines:
                lines.write(line + "\n")
        self.messages.append(sms)
        return sms

    def sent_to(self, mobile: str, gateway: Gateway | None = None) -> list[Sms]:
        return [sms for sms in self.messages if sms.mobile == mobile and gateway in (None, sms.gateway)]

    def faults_of(self, gateway: Gateway, action: Literal["send", "query"]) -> dict[str, Fault]:
        """The faults that strike this call, each counted down."""
        struck: dict[str, Fault] = {}
        for fault in list(self.faults):
            if fault.action == action and fault.gateway in (None, gateway) and fault.kind not in struck:
                struck[fault.kind] = fault
                if fault.times is not None:
                    self.faults.remove(fault)
                    if fault.times > 1:
                        self.faults.append(fault.model_copy(update={"times": fault.times - 1}))
        return struck


def _sms(line: dict[str, object]) -> Sms:
    times = {name: datetime.fromisoformat(str(line[name])).astimezone(UTC) for name in ("accepted_at", "receipt_at")}
    return Sms(**{**line, **times})  # type: ignore[arg-type]
