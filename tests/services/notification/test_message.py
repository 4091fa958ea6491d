"""消息: when it is tried, asked about, switched, given up; and the table of every state and every command."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec import structs

from services.notification.domain.answers import Receipt
from services.notification.domain.commands import (
    BeginAttempt,
    MessageCommand,
    ReadMessage,
    RecordAnswer,
    RecordReceipt,
    RequestMessage,
    ResendMessage,
)
from services.notification.domain.message import MESSAGE, Requested, Sending, Unresolved, Waiting
from shared.events.notification import (
    AttemptFailed,
    MessageAccepted,
    MessageDelivered,
    MessageEvent,
    MessageRead,
    MessageUndelivered,
    OutcomeUnresolved,
    ReceiptAwaited,
    ResendRequested,
    SendingAttempted,
    SendingGivenUp,
)
from shared.kernel.answers import Absent, Accepted, Declined, InDoubt
from shared.kernel.messages import ERASED
from shared.testing.given import given
from tests.services.notification.story import (
    LETTER,
    MESSAGE_ID,
    MOBILE,
    NOON,
    POLICY,
    accepted,
    at,
    attempted,
    context,
    failed,
    in_doubt,
    requested,
    tried_and_failed,
)

BEGIN = BeginAttempt(message=MESSAGE_ID, due_at=NOON)
RESEND = ResendMessage(message=MESSAGE_ID)
READ = ReadMessage(message=MESSAGE_ID)


def answered(
    answer: Accepted | Declined | InDoubt | Absent, attempt: int = 1, question: int | None = None
) -> RecordAnswer:
    return RecordAnswer(message=MESSAGE_ID, attempt=attempt, answer=answer, took_ms=120, question=question)


def receipt(status: str, attempt: int = 1) -> RecordReceipt:
    return RecordReceipt(message=MESSAGE_ID, attempt=attempt, receipt=Receipt(status, "DELIVERED"))  # type: ignore[arg-type]


DELIVERED = MessageDelivered(attempt=1, provider="aliyun", received_at=None, code="DELIVERED")
UNDELIVERED = MessageUndelivered(attempt=1, provider="aliyun", code="MK:0001")
UNSENT = OutcomeUnresolved(attempt=1, provider="aliyun", reason="no_answer")
UNTOLD = OutcomeUnresolved(attempt=1, provider="aliyun", reason="no_receipt")
GIVEN_UP = SendingGivenUp(reason="number_refused", code="isv.MOBILE_NUMBER_ILLEGAL")

PASTS: dict[str, list[MessageEvent]] = {
    "not requested": [],
    "inbox only": [requested(channels=("inbox",))],
    "code waiting": [requested(channels=("sms",), expires_after=300)],
    "waiting": [requested()],
    "sending": [requested(), attempted()],
    "in doubt": [requested(), attempted(), in_doubt()],
    "taken": [requested(), attempted(), accepted()],
    "delivered": [requested(), attempted(), accepted(), DELIVERED],
    "undelivered": [requested(), attempted(), accepted(), UNDELIVERED],
    "unresolved, unsent": [requested(), attempted(), UNSENT],
    "unresolved, untold": [requested(), attempted(), accepted(), UNTOLD],
    "given up": [requested(), attempted(), GIVEN_UP],
}
COMMANDS: dict[str, MessageCommand] = {
    "request": RequestMessage(moment="identity.code_to_register", facts={}),
    "begin": BEGIN,
    "accepted": answered(Accepted("biz-1")),
    "declined": answered(Declined("isv.OUT_OF_SERVICE")),
    "doubt": answered(InDoubt("timeout")),
    "absent": answered(Absent(), question=0),
    "receipt": receipt("delivered"),
    "resend": RESEND,
    "read": READ,
}
NOT_DUE, NONE, STILL, NEVER = (
    "notification.not_due",
    "access.not_found",
    "notification.still_sending",
    "notification.cannot_be_resent",
)
TABLE = {
    # request, begin, accepted, declined, doubt, absent, receipt, resend, read
    "not requested": ("MessageRequested", NOT_DUE, "", "", "", "", "", NONE, NONE),
    "inbox only": ("", NOT_DUE, "", "", "", "", "", NEVER, "MessageRead"),
    "code waiting": ("", "SendingAttempted", "", "", "", "", "", NEVER, NONE),
    "waiting": ("", "SendingAttempted", "", "", "", "", "", STILL, "MessageRead"),
    "sending": (
        "",
        NOT_DUE,
        "MessageAccepted",
        "AttemptFailed",
        "OutcomeInDoubt",
        "OutcomeInDoubt",
        "",
        STILL,
        "MessageRead",
    ),
    "in doubt": (
        "",
        NOT_DUE,
        "MessageAccepted",
        "AttemptFailed",
        "OutcomeInDoubt",
        "OutcomeInDoubt",
        "",
        STILL,
        "MessageRead",
    ),
    "taken": ("", NOT_DUE, "", "", "", "", "MessageDelivered", "ResendRequested", "MessageRead"),
    "delivered": ("", NOT_DUE, "", "", "", "", "", "ResendRequested", "MessageRead"),
    "undelivered": ("", NOT_DUE, "", "", "", "", "", "ResendRequested", "MessageRead"),
    "unresolved, unsent": ("", NOT_DUE, "", "", "", "", "", "ResendRequested", "MessageRead"),
    "unresolved, untold": ("", NOT_DUE, "", "", "", "", "", "ResendRequested", "MessageRead"),
    "given up": ("", NOT_DUE, "", "", "", "", "", "ResendRequested", "MessageRead"),
}


@pytest.mark.parametrize(
    ("state", "command", "cell"),
    [(state, name, cell) for state, row in TABLE.items() for name, cell in zip(COMMANDS, row, strict=True)],
)
def test_every_state_answers_every_command_as_the_table_says(state: str, command: str, cell: str) -> None:
    outcome = given(MESSAGE, *PASTS[state]).when(COMMANDS[command], context(61, letter=LETTER))
    if "." in cell:
        outcome.refused(cell)
    else:
        assert [type(event).__name__ for event in outcome.happened()] == ([cell] if cell else [])


def test_the_table_has_a_row_for_every_past() -> None:
    assert TABLE.keys() == PASTS.keys()


def test_an_attempt_is_written_down_with_a_number_of_ours_and_the_time_to_ask() -> None:
    given(MESSAGE, requested()).when(BEGIN, context()).then(attempted())


def test_a_timer_set_for_another_time_begins_nothing() -> None:
    stale = BeginAttempt(message=MESSAGE_ID, due_at=at(-10))
    given(MESSAGE, requested()).when(stale, context()).refused("notification.not_due")


def test_two_who_begin_the_same_attempt_are_not_both_granted_it() -> None:
    given(MESSAGE, requested()).and_then(BEGIN, context()).when(BEGIN, context()).refused("notification.not_due")


def test_a_failing_provider_is_left_at_once_for_the_next() -> None:
    past = given(MESSAGE, requested(), attempted())
    switched = past.and_then(answered(Declined("isv.OUT_OF_SERVICE")), context(1))
    again = BeginAttempt(message=MESSAGE_ID, due_at=at(1))
    switched.when(again, context(1)).then(attempted(2, "tencent", 1))


def test_after_both_failed_waits_grow_as_the_book_says() -> None:
    waits = []
    for failures in range(2, 6):
        past = given(
            MESSAGE, *tried_and_failed(failures - 1), attempted(failures, ("tencent", "aliyun")[failures % 2], 0)
        )
        (event,) = past.when(answered(Declined("x"), failures), context()).happened()
        assert isinstance(event, AttemptFailed)
        assert event.next_try_at is not None
        waits.append((event.next_try_at - NOON).total_seconds())
    assert waits == [10, 60, 300, 1800]


def test_the_sixth_failure_is_the_last() -> None:
    past = given(MESSAGE, *tried_and_failed(5), attempted(6, "tencent", 5000))
    outcome = past.when(answered(Declined("x"), 6), context(5001))
    outcome.then(
        AttemptFailed(attempt=6, provider="tencent", code="x", took_ms=120, next_try_at=None),
        SendingGivenUp(reason="attempts_used_up", code="x"),
    )


def test_a_number_that_is_refused_is_not_tried_at_the_other_provider() -> None:
    hopeless = answered(Declined("isv.MOBILE_NUMBER_ILLEGAL", hopeless=True))
    outcome = given(MESSAGE, requested(), attempted()).when(hopeless, context(1))
    outcome.then_kinds(AttemptFailed, SendingGivenUp)


def test_a_code_is_not_sent_after_its_end() -> None:
    code = requested(channels=("sms",), expires_after=300)
    given(MESSAGE, code).when(BEGIN, context(299)).then_kinds(SendingAttempted)
    given(MESSAGE, code).when(BEGIN, context(300)).then(SendingGivenUp(reason="expired", code=""))


def test_a_code_whose_next_try_would_come_too_late_is_given_up_now() -> None:
    past: list[MessageEvent] = [requested(channels=("sms",), expires_after=300), attempted(), failed(1, "aliyun", 0)]
    outcome = given(MESSAGE, *past, attempted(2, "tencent", 295)).when(answered(Declined("x"), 2), context(296))
    outcome.then_kinds(AttemptFailed, SendingGivenUp)
    assert outcome.happened()[1] == SendingGivenUp(reason="expired", code="x")


def test_an_ailing_provider_is_passed_over_while_the_other_is_well() -> None:
    (event,) = given(MESSAGE, requested()).when(BEGIN, context(ailing=frozenset({"aliyun"}))).happened()
    assert isinstance(event, SendingAttempted)
    assert event.provider == "tencent"


def test_when_all_ail_the_books_order_stands() -> None:
    ailing = frozenset({"aliyun", "tencent"})
    (event,) = given(MESSAGE, requested()).when(BEGIN, context(ailing=ailing)).happened()
    assert isinstance(event, SendingAttempted)
    assert event.provider == "aliyun"


def test_no_answer_leads_to_a_question_and_not_to_another_call() -> None:
    outcome = given(MESSAGE, requested(), attempted()).when(answered(InDoubt("timeout")), context(8))
    outcome.then(in_doubt())
    assert isinstance(outcome.state, Requested)
    assert isinstance(outcome.state.sms, Sending)


def test_a_provider_that_knows_nothing_once_is_asked_again_before_another_is_tried() -> None:
    past = given(MESSAGE, requested(), attempted(), in_doubt())
    past.when(answered(Absent(), question=0), context(8)).then(in_doubt(asked=1, absent=1, reason="absent"))


def test_a_provider_that_knows_nothing_twice_did_not_send_it() -> None:
    past = given(MESSAGE, requested(), attempted(), in_doubt(), in_doubt(asked=1, absent=1))
    (event,) = past.when(answered(Absent(), question=1), context(30)).happened()
    assert event == AttemptFailed(attempt=1, provider="aliyun", code="not_received", took_ms=None, next_try_at=at(30))


def test_two_who_asked_the_same_question_have_asked_once() -> None:
    past = given(MESSAGE, requested(), attempted()).and_then(answered(Absent(), question=0), context(13))
    for silence in (Absent(), InDoubt("timeout")):
        past.when(answered(silence, question=0), context(13)).then()
    past.when(answered(Accepted(None), question=0), context(13)).then_kinds(type(accepted()))


def test_a_message_that_is_found_when_asked_counts_as_accepted() -> None:
    past = given(MESSAGE, requested(), attempted(), in_doubt())
    past.when(answered(Accepted(None), question=0), context(20)).then_kinds(type(accepted()))


def test_when_nobody_can_tell_it_is_unresolved_and_nothing_is_sent_again() -> None:
    past = given(MESSAGE, requested(), attempted())
    for question in range(len(POLICY.doubt.ask_after_seconds)):
        past = past.and_then(answered(InDoubt("timeout"), question=question), context(60))
    assert past.past[-1] == UNSENT
    assert isinstance(past.state, Requested)
    assert past.state.sms == Unresolved("no_answer")


def test_the_receipt_is_asked_for_until_the_book_says_it_is_enough() -> None:
    past = given(MESSAGE, requested(), attempted(), accepted())
    hours = 3600.0
    past.when(receipt("waiting"), context(72 * hours - 1)).then_kinds(ReceiptAwaited)
    past.when(receipt("waiting"), context(72 * hours)).then(UNTOLD)


def test_questions_for_a_receipt_come_further_and_further_apart() -> None:
    past = given(MESSAGE, requested(), attempted(), accepted())
    waits = []
    for _ in range(9):
        past = past.and_then(receipt("waiting"), context())
        last = past.past[-1]
        assert isinstance(last, ReceiptAwaited)
        waits.append((last.ask_at - NOON).total_seconds())
    assert waits == [10, 30, 120, 600, 3600, 14400, 43200, 43200, 43200]


def test_an_undelivered_message_says_the_networks_code() -> None:
    undelivered = RecordReceipt(message=MESSAGE_ID, attempt=1, receipt=Receipt("undelivered", "MK:0001"))
    given(MESSAGE, requested(), attempted(), accepted()).when(undelivered, context(9)).then(UNDELIVERED)


def test_a_resend_goes_to_the_number_given_last_and_starts_afresh() -> None:
    past = given(MESSAGE, requested(), attempted(), accepted(), UNDELIVERED)
    outcome = past.when(RESEND, context(60, mobile="13900000002"))
    outcome.then(ResendRequested(resend=1, mobile="13900000002", due_at=at(60)))
    assert isinstance(outcome.state, Requested)
    assert (outcome.state.sms, outcome.state.failed) == (Waiting(at(60)), ())


def test_a_resend_within_a_minute_is_told_how_long_to_wait() -> None:
    past = given(MESSAGE, requested(), attempted(), accepted(), DELIVERED)
    past.when(RESEND, context(59.5)).refused("request.too_many", retry_after=1)
    past.when(RESEND, context(20)).refused("request.too_many", retry_after=40)


def test_a_resend_need_not_wait_an_hour_because_the_clock_was_set_back() -> None:
    past = given(MESSAGE, requested(), attempted(), accepted(), DELIVERED)
    outcome = past.when(RESEND, context(-3600, mobile="13900000002"))
    outcome.then(ResendRequested(resend=1, mobile="13900000002", due_at=at(-3600)))


def test_the_fourth_resend_is_refused() -> None:
    past = given(MESSAGE, requested(), attempted(), accepted(), DELIVERED)
    for number in range(1, 4):
        begun = BeginAttempt(message=MESSAGE_ID, due_at=at(100 * number))
        past = past.and_then(RESEND, context(100 * number)).and_then(begun, context(100 * number))
        past = past.and_then(answered(Accepted("b"), number + 1), context(100 * number))
    past.when(RESEND, context(1000)).refused("notification.resends_used_up", most=3)


def test_attempts_of_a_resend_have_numbers_of_their_own() -> None:
    past = given(MESSAGE, requested(), attempted(), accepted(), DELIVERED).and_then(RESEND, context(60))
    past.when(BeginAttempt(message=MESSAGE_ID, due_at=at(60)), context(60)).then(attempted(2, "aliyun", 60))


@pytest.mark.parametrize("command", [RESEND, READ])
def test_somebody_elses_message_is_not_found(command: MessageCommand) -> None:
    past = given(MESSAGE, requested(), attempted(), accepted(), DELIVERED)
    past.when(command, context(100, person="somebody-else")).refused("access.not_found")


def test_a_message_is_read_once() -> None:
    given(MESSAGE, requested(), MessageRead()).when(READ, context()).then()


def test_a_message_to_an_erased_person_is_not_sent() -> None:
    erased = structs.replace(requested(), mobile=ERASED, facts={})  # type: ignore[type-var]
    given(MESSAGE, erased).when(BEGIN, context()).then(SendingGivenUp(reason="erased", code=""))


@for_all(
    st.lists(
        st.tuples(
            st.sampled_from(
                [Accepted("b"), Declined("x"), Declined("x", True), InDoubt("t"), Absent(), "due", "resend", "read"]
            ),
            st.integers(0, 4000),
        ),
        max_size=40,
    )
)
def test_whatever_happens_no_attempt_begins_while_another_is_open(steps: list[tuple[object, int]]) -> None:
    past = given(MESSAGE, requested())
    now, open_attempts = 0, 0
    for step, later in steps:
        now += later
        state = past.state
        assert isinstance(state, Requested)
        command: MessageCommand
        if step == "due":
            due_at = state.sms.due_at if isinstance(state.sms, Waiting) else NOON
            command = BeginAttempt(message=MESSAGE_ID, due_at=due_at)
        elif step in ("resend", "read"):
            command = RESEND if step == "resend" else READ
        else:
            command = answered(step, state.attempts)  # type: ignore[arg-type]
        outcome = past.when(command, context(now, mobile=MOBILE))
        if outcome.refusal:
            continue
        for event in outcome.events:
            if isinstance(event, SendingAttempted):
                assert open_attempts == 0
                open_attempts = 1
            elif isinstance(event, MessageAccepted | AttemptFailed | OutcomeUnresolved):
                open_attempts = 0
        past = given(MESSAGE, *past.past, *outcome.events)
