"""One call to a system outside, and what its failing tells: never left, perhaps arrived, answered.

The gateways of the services call it; it never raises for what a network or the other side does.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from shared.kernel.answers import Declined, InDoubt

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""The request cannot have reached the other side."""


async def called(
    client: httpx.AsyncClient, method: str, url: str, body: bytes, headers: Mapping[str, str], within: timedelta
) -> httpx.Response | Declined | InDoubt:
    try:
        async with asyncio.timeout(within.total_seconds()):
            response = await client.request(method, url, content=body, headers=headers, timeout=_timeout(within))
    except _NEVER_LEFT as error:
        return Declined(f"unreachable.{type(error).__name__}")
    except (TimeoutError, httpx.TimeoutException):
        return InDoubt("timeout")
    except httpx.TransportError as error:
        return InDoubt(type(error).__name__)
    return InDoubt(f"http_{response.status_code}") if response.status_code >= 500 else response


def _timeout(within: timedelta) -> httpx.Timeout:
    """Less for connecting: a call that never left may be tried elsewhere at once."""
    seconds = within.total_seconds()
    return httpx.Timeout(seconds, connect=seconds / 2, pool=seconds / 2)


def json_object(response: httpx.Response) -> Mapping[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
