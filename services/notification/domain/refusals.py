"""What this service's codes mean to a caller. Found by the API edge through `main.py`."""

from collections.abc import Mapping

from shared.kernel.errors import Refusal

REFUSALS: Mapping[str, Refusal] = {
    "notification.not_due": Refusal(409, "该消息现在无需发送。", "This message is not due to be sent now."),
    "notification.nothing_to_say": Refusal(
        409, "该事项的规则不就此发送通知。", "The rules of this procedure tell nobody of this."
    ),
    "notification.still_sending": Refusal(409, "短信正在发送，请稍候。", "The SMS is being sent; please wait."),
    "notification.cannot_be_resent": Refusal(
        409, "该消息不能重发；验证码请重新获取。", "This message cannot be sent again; ask for a new code instead."
    ),
    "notification.resends_used_up": Refusal(
        429,
        "该消息最多可重发 {most} 次，内容请在消息中查看。",
        "Sent again {most} times already; read it in the inbox.",
    ),
}
