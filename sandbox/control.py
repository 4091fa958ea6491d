"""FOR TESTS AND DEMONSTRATIONS ONLY: look into the telephone network and make it fail. No provider has this.

Everything is below `/_control`; the sandbox binds to loopback.
"""

from typing import Any

from fastapi import APIRouter
from pydantic import RootModel

from sandbox.network import Conditions, Fault, Network
from sandbox.sms import Clock


class Faults(RootModel[list[Fault]]):
    pass


def control(network: Network, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/_control", tags=["test only"])

    @router.get("/messages")
    def messages(mobile: str | None = None) -> list[dict[str, Any]]:
        """What was handed over, the newest last."""
        found = network.messages if mobile is None else network.sent_to(mobile)
        return [
            {
                "gateway": sms.gateway,
                "id": sms.id,
                "mobile": sms.mobile,
                "sign_name": sms.sign_name,
                "template": sms.template,
                "parameters": sms.parameters,
                "text": f"【{sms.sign_name}】{sms.text}",
                "out_id": sms.out_id,
                "accepted_at": sms.accepted_at,
                "status": sms.status(clock()),
                "traceparent": sms.traceparent,
            }
            for sms in found
        ]

    @router.put("/faults")
    def set_faults(faults: Faults) -> list[Fault]:
        """Replace all faults; an empty list ends them."""
        network.faults = list(faults.root)
        return network.faults

    @router.get("/conditions")
    def conditions() -> Conditions:
        return network.conditions

    @router.put("/conditions")
    def set_conditions(new: Conditions) -> Conditions:
        network.conditions = new
        return new

    return router
