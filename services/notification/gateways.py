"""The SMS providers over HTTP: Aliyun Dysmsapi 2017-05-25 and Tencent Cloud SMS 2021-01-11.

`sending.py` calls them. A gateway translates, it decides nothing: each answer becomes Accepted, Declined (certainly
not sent) or InDoubt (perhaps sent). Numbers and texts travel in bodies only, never in a URL, a header or a log.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx

from services.notification.domain.answers import Answer, Finding, Receipt
from services.notification.settings import SmsSettings
from services.notification.signing import acs3_headers, tc3_headers
from shared.kernel.answers import Absent, Accepted, Declined, InDoubt
from shared.kernel.time import SHANGHAI, Clock
from shared.runtime.outside import called, json_object


@dataclass(frozen=True)
class Sms:
    """One attempt: to whom, which registered text, and under which number of ours."""

    mobile: str
    out_id: str
    sign_name: str
    template_code: str
    parameters: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        """Personal values stay out of tracebacks and logs."""
        return f"Sms({self.out_id})"


@dataclass(frozen=True)
class Attempt:
    """An earlier attempt, to ask about. `provider_id` is None where its answer was lost."""

    mobile: str
    out_id: str
    tried_at: datetime
    provider_id: str | None = None

    def __repr__(self) -> str:
        return f"Attempt({self.out_id})"


class SmsGateway(Protocol):
    async def send(self, sms: Sms, within: timedelta) -> Answer:
        """Hand it over once. Never raises for what a network or a provider does."""
        ...

    async def ask(self, attempt: Attempt, within: timedelta) -> Finding:
        """What became of an attempt: a receipt (waiting, delivered, undelivered), nothing known, or no answer."""
        ...


@dataclass(frozen=True)
class AliyunSms:
    """阿里云短信: SendSms, QuerySendDetails."""

    client: httpx.AsyncClient
    url: str
    key_id: str
    secret: str
    clock: Clock

    HOPELESS = frozenset({"isv.MOBILE_NUMBER_ILLEGAL", "isv.BLACK_KEY_CONTROL_LIMIT", "MOBILE_IN_BLACK"})
    """It is the number: another try or provider cannot help."""
    _PAGE = 50

    async def send(self, sms: Sms, within: timedelta) -> Answer:
        form = {
            "PhoneNumbers": sms.mobile,
            "SignName": sms.sign_name,
            "TemplateCode": sms.template_code,
            "TemplateParam": json.dumps(dict(sms.parameters), ensure_ascii=False),
            "OutId": sms.out_id,
        }
        response = await self._post("SendSms", form, within)
        if not isinstance(response, httpx.Response):
            return response
        body = json_object(response)
        if body is None or "Code" not in body:
            return InDoubt("unreadable")
        if body["Code"] != "OK":
            return Declined(str(body["Code"]), str(body["Code"]) in self.HOPELESS)
        return Accepted(str(body["BizId"])) if body.get("BizId") else InDoubt("unreadable")

    async def ask(self, attempt: Attempt, within: timedelta) -> Finding:
        """Each day the attempt may be filed under, page by page, until our own number is found."""
        days = {at.astimezone(SHANGHAI).strftime("%Y%m%d") for at in (attempt.tried_at, attempt.tried_at + within)}
        for day in sorted(days):
            page = 1
            while True:
                details = await self._details(attempt, day, page, within)
                if isinstance(details, InDoubt):
                    return details
                for detail in details:
                    if detail.get("OutId") == attempt.out_id:
                        return _aliyun_receipt(detail)
                if len(details) < self._PAGE:
                    break
                page += 1
        return Absent()

    async def _details(
        self, attempt: Attempt, day: str, page: int, within: timedelta
    ) -> list[dict[str, Any]] | InDoubt:
        form = {"PhoneNumber": attempt.mobile, "SendDate": day, "PageSize": str(self._PAGE), "CurrentPage": str(page)}
        if attempt.provider_id:
            form["BizId"] = attempt.provider_id
        response = await self._post("QuerySendDetails", form, within)
        if isinstance(response, Declined):
            return InDoubt(response.code)
        if isinstance(response, InDoubt):
            return response
        body = json_object(response)
        if body is None or body.get("Code") != "OK":
            return InDoubt(str((body or {}).get("Code", "unreadable")))
        return list((body.get("SmsSendDetailDTOs") or {}).get("SmsSendDetailDTO") or ())

    async def _post(
        self, action: str, form: Mapping[str, str], within: timedelta
    ) -> httpx.Response | Declined | InDoubt:
        body = urlencode(form).encode()
        headers = acs3_headers(
            key_id=self.key_id,
            secret=self.secret,
            host=httpx.URL(self.url).netloc.decode(),
            action=action,
            version="2017-05-25",
            body=body,
            at=self.clock(),
            nonce=secrets.token_hex(16),
            content_type="application/x-www-form-urlencoded",
        )
        return await called(self.client, "POST", self.url, body, headers, within)


def _aliyun_receipt(detail: Mapping[str, Any]) -> Receipt:
    code = str(detail.get("ErrCode") or "")
    match detail.get("SendStatus"):
        case 3:
            return Receipt("delivered", code, _aliyun_time(detail.get("ReceiveDate")))
        case 2:
            return Receipt("undelivered", code)
        case _:
            return Receipt("waiting")


def _aliyun_time(spoken: object) -> datetime | None:
    """Their times are Beijing times without saying so."""
    try:
        return datetime.strptime(str(spoken), "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).astimezone(UTC)
    except ValueError:
        return None


@dataclass(frozen=True)
class TencentSms:
    """腾讯云短信: SendSms, PullSmsSendStatusByPhoneNumber."""

    client: httpx.AsyncClient
    url: str
    region: str
    secret_id: str
    secret_key: str
    app_id: str
    clock: Clock

    HOPELESS = frozenset({"InvalidParameterValue.IncorrectPhoneNumber", "FailedOperation.PhoneNumberInBlacklist"})
    _KEPT = timedelta(days=7)
    """Older receipts cannot be pulled."""

    async def send(self, sms: Sms, within: timedelta) -> Answer:
        response = await self._post(
            "SendSms",
            {
                "PhoneNumberSet": [f"+86{sms.mobile}"],
                "SmsSdkAppId": self.app_id,
                "SignName": sms.sign_name,
                "TemplateId": sms.template_code,
                "TemplateParamSet": [value for _, value in sms.parameters],
                "SessionContext": sms.out_id,
            },
            within,
        )
        if not isinstance(response, dict):
            return response
        statuses = response.get("SendStatusSet") or [{}]
        code = str(statuses[0].get("Code", ""))
        if code == "Ok" and statuses[0].get("SerialNo"):
            return Accepted(str(statuses[0]["SerialNo"]))
        return Declined(code, code in self.HOPELESS) if code and code != "Ok" else InDoubt("unreadable")

    async def ask(self, attempt: Attempt, within: timedelta) -> Finding:
        """This provider tells only of messages whose receipt is there: silence is no proof that it was not sent."""
        begin = max(attempt.tried_at - timedelta(minutes=1), self.clock() - self._KEPT + timedelta(minutes=1))
        response = await self._post(
            "PullSmsSendStatusByPhoneNumber",
            {
                "BeginTime": int(begin.timestamp()),
                "Offset": 0,
                "Limit": 100,
                "PhoneNumber": f"+86{attempt.mobile}",
                "SmsSdkAppId": self.app_id,
            },
            within,
        )
        if isinstance(response, Declined):
            return InDoubt(response.code)
        if isinstance(response, InDoubt):
            return response
        for status in response.get("PullSmsSendStatusSet") or ():
            ours = attempt.out_id == status.get("SessionContext")
            if ours or (attempt.provider_id and attempt.provider_id == status.get("SerialNo")):
                return _tencent_receipt(status)
        return Receipt("waiting") if attempt.provider_id else InDoubt("not_told")

    async def _post(
        self, action: str, payload: Mapping[str, Any], within: timedelta
    ) -> dict[str, Any] | Declined | InDoubt:
        """Errors come with status 200, inside `Response`."""
        body = json.dumps(payload, ensure_ascii=False).encode()
        headers = tc3_headers(
            secret_id=self.secret_id,
            secret_key=self.secret_key,
            service="sms",
            host=httpx.URL(self.url).netloc.decode(),
            action=action,
            version="2021-01-11",
            region=self.region,
            body=body,
            at=self.clock(),
        )
        response = await called(self.client, "POST", self.url, body, headers, within)
        if not isinstance(response, httpx.Response):
            return response
        told = (json_object(response) or {}).get("Response")
        if not isinstance(told, dict):
            return InDoubt("unreadable")
        if error := told.get("Error"):
            code = str(error.get("Code"))
            return InDoubt(code) if code.startswith("InternalError") else Declined(code, code in self.HOPELESS)
        return told


def _tencent_receipt(status: Mapping[str, Any]) -> Receipt:
    description = str(status.get("Description") or "")
    if status.get("ReportStatus") != "SUCCESS":
        return Receipt("undelivered", description)
    received = status.get("UserReceiveTime")
    return Receipt("delivered", description, datetime.fromtimestamp(received, UTC) if received else None)


def providers(settings: SmsSettings, client: httpx.AsyncClient, clock: Clock) -> Mapping[str, SmsGateway]:
    """The real ones, by the names that books use."""
    return {
        "aliyun": AliyunSms(
            client, str(settings.aliyun_url), settings.aliyun_key_id, settings.aliyun_secret.get_secret_value(), clock
        ),
        "tencent": TencentSms(
            client,
            str(settings.tencent_url),
            settings.tencent_region,
            settings.tencent_secret_id,
            settings.tencent_secret_key.get_secret_value(),
            settings.tencent_app_id,
            clock,
        ),
    }
