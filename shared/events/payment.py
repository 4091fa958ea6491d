"""支付 payment: the facts that exemption waits for. Pure.

No service records them yet (`TO_COME` in `shared/events/__init__.py`): the one that takes the money will add its own
beside them. Amounts are whole fen. An order is a fact for others only once the provider itself has said what became of
it; what `asked_by` says of a case (what is due, until when, what goes back) are facts of that service.
"""

from datetime import datetime
from typing import ClassVar

from shared.kernel.messages import Event

# --- order-<id>: one order, of one fee ------------------------------------------------------------------------------


class OrderSettled(Event):
    """支付成功: the provider confirmed that an order was paid; told to the service whose fee it is."""

    name: ClassVar[str] = "payment.order_settled.v1"
    order: str
    asked_by: str  # the service that said that something was due
    case: str  # and of what: for exemption, the application
    fen: int  # what was really paid
    paid_at: datetime  # by the provider's word, whenever we learnt of it


class OrderRefunded(Event):
    """退款成功: the provider confirmed that so much of a paid order went back."""

    name: ClassVar[str] = "payment.order_refunded.v1"
    order: str
    asked_by: str
    case: str
    fen: int
    refunded_at: datetime


OrderEvent = OrderSettled | OrderRefunded
