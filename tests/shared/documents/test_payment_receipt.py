"""支付凭证 on paper: who paid how much for what, and what went back."""

from dataclasses import replace
from datetime import UTC, datetime

import pypdfium2
import pytest

from shared.documents.payment_receipt import PaymentReceipt, Refund, in_words, render, yuan
from shared.kernel.errors import Refused

RECEIPT = PaymentReceipt(
    title="支付凭证",
    authority="样例省测试考试院",
    item="毕业申请审核费",
    number="ZK20260601000000000001",
    person=(("姓名", "样本张三"), ("准考证号", "990000000001"), ("证件号码", "899999199903070014")),
    fen=12_050,
    state="支付成功",
    way="微信支付",
    transaction="4200000000202606010000000001",
    made_at=datetime(2026, 6, 1, tzinfo=UTC),
    paid_at="2026-06-01 09:30:00",
    notes=(
        "因考生自身原因审核不通过的，审核费用不予退还。",
        "本凭证不是电子票据，电子票据在缴费成功20分钟后可查验和打印。",
    ),
)


def text(receipt: PaymentReceipt) -> str:
    pages = pypdfium2.PdfDocument(render(receipt))
    return "".join(page.get_textpage().get_text_bounded() for page in pages).replace("\r\n", "")


def test_order_person_amount_and_state_are_on_the_paper() -> None:
    printed = text(RECEIPT).replace("\u200b", "")
    for said in (
        "样例省测试考试院",
        "订单编号",
        "ZK20260601000000000001",
        "样本张三",
        "899999199903070014",
        "990000000001",
        "毕业申请审核费",
        "120.50",
        "人民币壹佰贰拾元伍角整",
        "支付成功",
        "微信支付",
        "2026-06-01 09:30:00",
        "4200000000202606010000000001",
        "不予退还",
        "20分钟",
    ):
        assert said in printed, said


@pytest.mark.parametrize(("paper", "size"), [("a5", (595, 420)), ("a4", (595, 842))])
def test_it_is_one_page_of_the_paper_that_was_asked_for(paper: str, size: tuple[int, int]) -> None:
    pages = pypdfium2.PdfDocument(render(replace(RECEIPT, paper=paper)))  # type: ignore[arg-type]
    assert [tuple(round(each) for each in page.get_size()) for page in pages] == [size]


def test_what_went_back_stands_beside_what_was_paid() -> None:
    printed = text(replace(RECEIPT, state="已退款", refunds=(Refund("TK1", 12_050, "2026-06-02 10:00:00"),)))
    assert "已退款" in printed
    assert "2026-06-02 10:00:00" in printed
    assert printed.count("120.50") == 2


@pytest.mark.parametrize(
    ("fen", "figures", "words"),
    [
        (0, "0.00", "零元整"),
        (5, "0.05", "伍分"),
        (10, "0.10", "壹角整"),
        (100, "1.00", "壹元整"),
        (12_005, "120.05", "壹佰贰拾元零伍分"),
        (12_050, "120.50", "壹佰贰拾元伍角整"),
        (100_100, "1,001.00", "壹仟零壹元整"),
        (1_001_000, "10,010.00", "壹万零壹拾元整"),
        (10_000_100, "100,001.00", "壹拾万零壹元整"),
        (20_050_000_25, "20,050,000.25", "贰仟零伍万元贰角伍分"),
        (100_000_000_00, "100,000,000.00", "壹亿元整"),
        (100_000_001_00, "100,000,001.00", "壹亿零壹元整"),
        (100_010_000_00, "100,010,000.00", "壹亿零壹万元整"),
        (120_003_400_00, "120,003,400.00", "壹亿贰仟万叁仟肆佰元整"),
    ],
)
def test_amounts_are_told_in_figures_and_in_words(fen: int, figures: str, words: str) -> None:
    assert yuan(fen) == figures
    assert in_words(fen) == words


def test_less_than_nothing_was_never_paid() -> None:
    with pytest.raises(ValueError, match="less than nothing"):
        in_words(-1)


def test_a_name_that_cannot_be_printed_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        text(replace(RECEIPT, person=(("姓名", "\U0002ffff"),)))
    assert refused.value.code == "documents.characters_not_printable"


def test_the_same_receipt_prints_the_same_bytes() -> None:
    assert render(RECEIPT) == render(RECEIPT)
