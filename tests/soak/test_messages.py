"""What harms messages meets a broker that has just lost everything: then there is nothing to harm, and that is said."""

from __future__ import annotations

from random import Random

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from soak import messages

pytestmark = pytest.mark.servers


async def test_what_an_earlier_fault_took_away_is_told_apart_from_what_fails(amqp_url: str) -> None:
    for harm in (
        messages.junk(amqp_url, Random(1)),
        messages.purge(amqp_url, "notification"),
        messages.deliver_too_often(amqp_url, "notification"),
    ):
        with pytest.raises(ChannelNotFoundEntity):
            await harm
    await messages.delete_queues(amqp_url, "notification")
