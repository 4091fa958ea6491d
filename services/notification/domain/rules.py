"""The laws of sending, as functions of what is known. `message.py` calls them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from services.notification.domain.scheme import Resending, Sending
from shared.events.notification import MessageRequested
from shared.kernel.errors import Refused
from shared.kernel.time import still_holds


def has_expired(letter: MessageRequested, at: datetime) -> bool:
    """A code is worth nothing at its end; the end itself is outside."""
    return letter.expires_at is not None and at >= letter.expires_at


def provider_for_next(letter: MessageRequested, failed: Sequence[str], ailing: Collection[str]) -> str:
    """The one that failed this message least; among those a well one; among those the book's order."""
    names = [template.provider for template in letter.templates]
    return min(names, key=lambda name: (failed.count(name), name in ailing, names.index(name)))


def wait_after(letter: MessageRequested, failed: Collection[str], policy: Sending) -> timedelta:
    """None while a provider is left that has not failed; only then waiting helps, longer from time to time."""
    if any(template.provider not in failed for template in letter.templates):
        return timedelta(0)
    return policy.backoff(len(failed) - len(letter.templates) + 1)


def why_no_further_try(
    letter: MessageRequested, failures: int, hopeless: bool, next_try: datetime, policy: Sending
) -> str | None:
    if hopeless:
        return "number_refused"
    if failures >= policy.retry.most_attempts:
        return "attempts_used_up"
    if has_expired(letter, next_try):
        return "expired"
    return None


def cooldown_must_be_over(asked_for_at: datetime, now: datetime, policy: Resending) -> None:
    cooldown = timedelta(seconds=policy.cooldown_seconds)
    left = asked_for_at + cooldown - now
    if still_holds(now + left, cooldown, now):
        raise Refused("request.too_many", retry_after=-(-left // timedelta(seconds=1)))


def resends_must_be_left(resends: int, policy: Resending) -> None:
    if resends >= policy.most:
        raise Refused("notification.resends_used_up", most=policy.most)
