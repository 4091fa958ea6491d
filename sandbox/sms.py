"""Two SMS gateways by their real protocols: Aliyun Dysmsapi 2017-05-25 and Tencent Cloud SMS 2021-01-11.

Both live at POST `/`, as at the providers' own hosts; the action header tells which one is meant. Requests are
authenticated for real. What a template says is read from the books, as if each had been registered.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4
from zoneinfo import ZoneInfo

import yaml
from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest

from sandbox.network import Gateway, Network, Sms
from sandbox.signatures import Acs3, NotAuthentic, Request, Tc3

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_LONGEST: Mapping[Gateway, int] = {"aliyun": 35, "tencent": 6}

Clock = Callable[[], datetime]
Answer = tuple[int, dict[str, Any]]


class Refusal(Exception):
    """The provider says no, with its own code."""


def registered_templates(books: Path) -> dict[tuple[Gateway, str], str]:
    """(gateway, template code) -> its text, from every `notification.yaml` below `books`."""
    found: dict[tuple[Gateway, str], str] = {}
    for file in sorted(books.rglob("notification.yaml")):
        for notice in yaml.safe_load(file.read_text("utf-8"))["moments"].values():
            sms = notice.get("sms")
            for gateway, template in sms["providers"].items() if sms else ():
                found[gateway, str(template["code"])] = template.get("text") or sms["text"]
    return found


class Gateways:
    def __init__(
        self,
        network: Network,
        acs3: Acs3,
        tc3: Tc3,
        app_id: str,
        templates: Mapping[tuple[Gateway, str], str],
        clock: Clock,
    ) -> None:
        self._network = network
        self._acs3 = acs3
        self._tc3 = tc3
        self._app_id = app_id
        self._templates = templates
        self._clock = clock
        self.router = APIRouter()
        self.router.add_api_route("/", self._dispatch, methods=["POST"])

    async def _dispatch(self, http: HttpRequest) -> Response:
        request = Request(
            method=http.method,
            path=http.url.path,
            query=http.url.query,
            headers={name.lower(): value for name, value in http.headers.items()},
            body=await http.body(),
        )
        answer = await (self._aliyun(request) if "x-acs-action" in request.headers else self._tencent(request))
        status, body = answer
        return Response(json.dumps(body, ensure_ascii=False), status, media_type="application/json")

    # --- Aliyun

    async def _aliyun(self, request: Request) -> Answer:
        id_ = str(uuid4()).upper()
        try:
            self._acs3.check(request, self._clock())
            if request.headers.get("x-acs-version") != "2017-05-25":
                raise NotAuthentic("InvalidVersion", "Specified parameter Version is not valid.")
        except NotAuthentic as error:
            status = 404 if error.code == "InvalidAccessKeyId.NotFound" else 400
            return status, {"RequestId": id_, "HostId": "sandbox", "Code": error.code, "Message": str(error)}
        parameters = dict(parse_qsl(request.query) + parse_qsl(request.body.decode()))
        fault = 500, {"RequestId": id_, "HostId": "sandbox", "Code": "ServiceUnavailable", "Message": "A fault."}
        try:
            match request.headers["x-acs-action"]:
                case "SendSms":
                    return await self._with_faults(
                        "aliyun", "send", lambda: self._aliyun_send(id_, request, parameters), fault
                    )
                case "QuerySendDetails":
                    return await self._with_faults(
                        "aliyun", "query", lambda: self._aliyun_query(id_, parameters), fault
                    )
                case action:
                    return 404, {"RequestId": id_, "Code": "InvalidAction.NotFound", "Message": action}
        except Refusal as refusal:
            return 200, {"RequestId": id_, "Code": str(refusal), "Message": "refused"}

    def _aliyun_send(self, id_: str, request: Request, parameters: Mapping[str, str]) -> Answer:
        mobile = parameters.get("PhoneNumbers", "")
        if not _MOBILE.fullmatch(mobile):
            raise Refusal("isv.MOBILE_NUMBER_ILLEGAL")
        code = parameters.get("TemplateCode", "")
        values = json.loads(parameters.get("TemplateParam") or "{}")
        text = self._text("aliyun", code, values)
        if text is None:
            raise Refusal("isv.SMS_TEMPLATE_ILLEGAL")
        if any(not str(value) or len(str(value)) > _LONGEST["aliyun"] for value in values.values()):
            raise Refusal("isv.PARAM_LENGTH_LIMIT")
        sms = self._network.accept(
            "aliyun",
            mobile=mobile,
            sign_name=parameters.get("SignName", ""),
            template=code,
            parameters=values,
            text=text,
            out_id=parameters.get("OutId", ""),
            now=self._clock(),
            traceparent=request.headers.get("traceparent"),
        )
        return 200, {"RequestId": id_, "Code": "OK", "Message": "OK", "BizId": sms.id}

    def _aliyun_query(self, id_: str, parameters: Mapping[str, str]) -> Answer:
        size, page = int(parameters["PageSize"]), int(parameters["CurrentPage"])
        if not 1 <= size <= 50:
            raise Refusal("isv.PAGE_SIZE_LIMIT")
        found = [
            sms
            for sms in reversed(self._network.sent_to(parameters["PhoneNumber"], "aliyun"))
            if sms.accepted_at.astimezone(_SHANGHAI).strftime("%Y%m%d") == parameters["SendDate"]
            and parameters.get("BizId") in (None, "", sms.id)
        ]
        details = [self._aliyun_detail(sms) for sms in found[(page - 1) * size : page * size]]
        return 200, {
            "RequestId": id_,
            "Code": "OK",
            "Message": "OK",
            "TotalCount": len(found),
            "SmsSendDetailDTOs": {"SmsSendDetailDTO": details},
        }

    def _aliyun_detail(self, sms: Sms) -> dict[str, Any]:
        status = sms.status(self._clock())
        detail = {
            "PhoneNum": sms.mobile,
            "TemplateCode": sms.template,
            "Content": sms.text,
            "OutId": sms.out_id,
            "SendDate": _spoken(sms.accepted_at),
            "SendStatus": {"waiting": 1, "undelivered": 2, "delivered": 3}[status],
        }
        if status == "waiting":
            return detail
        code = "DELIVERED" if status == "delivered" else "MK:0001"
        return {**detail, "ErrCode": code, "ReceiveDate": _spoken(sms.receipt_at)}

    # --- Tencent Cloud

    async def _tencent(self, request: Request) -> Answer:
        id_ = str(uuid4())
        try:
            self._tc3.check(request, self._clock())
            if request.headers.get("x-tc-version") != "2021-01-11":
                raise NotAuthentic("NoSuchVersion", "The interface version does not exist.")
            body = json.loads(request.body)
            fault: Answer = 500, {}
            match request.headers.get("x-tc-action"):
                case "SendSms":
                    return await self._with_faults(
                        "tencent", "send", lambda: self._tencent_send(id_, request, body), fault
                    )
                case "PullSmsSendStatusByPhoneNumber":
                    return await self._with_faults("tencent", "query", lambda: self._tencent_pull(id_, body), fault)
                case action:
                    raise NotAuthentic("InvalidAction", f"No such action: {action}")
        except (NotAuthentic, Refusal) as error:
            code = getattr(error, "code", str(error))
            return 200, {"Response": {"Error": {"Code": code, "Message": str(error)}, "RequestId": id_}}

    def _tencent_send(self, id_: str, request: Request, body: Mapping[str, Any]) -> Answer:
        if body.get("SmsSdkAppId") != self._app_id:
            raise Refusal("UnauthorizedOperation.SmsSdkAppIdVerifyFail")
        code, values = str(body.get("TemplateId", "")), [str(value) for value in body.get("TemplateParamSet", [])]
        template = self._templates.get(("tencent", code))
        names = re.findall(r"\{([a-z_]+)\}", template or "")
        if template is None or len(names) != len(values):
            raise Refusal("FailedOperation.TemplateIncorrectOrUnapproved")
        if any(not value or len(value) > _LONGEST["tencent"] for value in values):
            raise Refusal("InvalidParameterValue.TemplateParameterLengthLimit")
        facts = dict(zip(names, values, strict=True))
        sent = [self._tencent_one(number, code, facts, request, body) for number in body["PhoneNumberSet"]]
        return 200, {"Response": {"SendStatusSet": sent, "RequestId": id_}}

    def _tencent_one(
        self, number: str, code: str, facts: Mapping[str, str], request: Request, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        mobile = number.removeprefix("+86")
        session = body.get("SessionContext", "")
        status = {"PhoneNumber": number, "Fee": 0, "SessionContext": session, "IsoCode": "CN", "SerialNo": ""}
        if not _MOBILE.fullmatch(mobile):
            return {**status, "Code": "InvalidParameterValue.IncorrectPhoneNumber", "Message": "incorrect number"}
        sms = self._network.accept(
            "tencent",
            mobile=mobile,
            sign_name=body.get("SignName", ""),
            template=code,
            parameters=facts,
            text=self._text("tencent", code, facts) or "",
            out_id=session,
            now=self._clock(),
            traceparent=request.headers.get("traceparent"),
        )
        return {**status, "SerialNo": sms.id, "Fee": 1, "Code": "Ok", "Message": "send success"}

    def _tencent_pull(self, id_: str, body: Mapping[str, Any]) -> Answer:
        """As at the provider: only messages whose receipt is there; of others it tells nothing."""
        now = self._clock()
        begin = datetime.fromtimestamp(body["BeginTime"], UTC)
        end = datetime.fromtimestamp(body["EndTime"], UTC) if "EndTime" in body else now
        if begin < now - timedelta(days=7) or not 1 <= body["Limit"] <= 100:
            raise Refusal("InvalidParameterValue.BeginTimeVerifyFail")
        found = [
            {
                "UserReceiveTime": int(sms.receipt_at.timestamp()),
                "CountryCode": "86",
                "SubscriberNumber": sms.mobile,
                "PhoneNumber": f"+86{sms.mobile}",
                "SerialNo": sms.id,
                "ReportStatus": "SUCCESS" if sms.status(now) == "delivered" else "FAIL",
                "Description": "DELIVRD" if sms.status(now) == "delivered" else "MK:0001",
                "SessionContext": sms.out_id,
            }
            for sms in self._network.sent_to(body["PhoneNumber"].removeprefix("+86"), "tencent")
            if sms.status(now) != "waiting" and begin <= sms.accepted_at <= end
        ]
        pulled = found[body["Offset"] : body["Offset"] + body["Limit"]]
        return 200, {"Response": {"PullSmsSendStatusSet": pulled, "RequestId": id_}}

    # --- both

    def _text(self, gateway: Gateway, code: str, values: Mapping[str, str]) -> str | None:
        template = self._templates.get((gateway, code))
        names = re.findall(r"\{([a-z_]+)\}", template or "")
        if template is None or not set(names) <= set(values):
            return None
        return re.sub(r"\{([a-z_]+)\}", lambda found: str(values[found[1]]), template)

    async def _with_faults(self, gateway: Gateway, action: Any, work: Callable[[], Answer], fault: Answer) -> Answer:
        struck = self._network.faults_of(gateway, action)
        if refuse := struck.get("refuse"):
            raise Refusal(refuse.code)
        if "fault_before_accepting" in struck:
            return fault
        await self._slow(struck.get("slow_to_accept"))
        answer = work()
        await self._slow(struck.get("slow_to_answer"))
        return fault if "fault_after_accepting" in struck else answer

    async def _slow(self, fault: Any) -> None:
        if fault is not None:
            await asyncio.sleep(fault.seconds)


def _spoken(at: datetime) -> str:
    return at.astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
