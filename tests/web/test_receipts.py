"""A receipt tells how far a report is, and nothing about anybody."""

import pytest

from tests.conftest import PEOPLE, Street
from tests.web.conftest import Visitor
from tests.web.paths import closed, rectified, reported, signed_for
from web.receipts import written


def receipt(street: Street, case: str) -> str:
    return next(e.data["receipt"] for e in street.entries(case) if e.type == "receipt.issued")


def test_a_receipt_tells_the_state_without_signing_in(visitor: Visitor, web_street: Street) -> None:
    number = receipt(web_street, signed_for(web_street))
    page = visitor.text(f"/receipt?number={number}")
    assert number in page
    assert '<p class="stub__now">正在整改</p>' in page
    assert "在时限内" in page
    assert "3月2日 09:22，按时" in page
    assert "换一个人去看改没改好" in page


def test_no_name_no_title_and_no_address_is_told(visitor: Visitor, web_street: Street) -> None:
    number = receipt(web_street, rectified(web_street))
    page = visitor.text(f"/receipt?number={number}")
    told = page.partition("<main")[2].partition("</main>")[0]
    for word in ("演示", "车棚飞线充电", "3 幢", "拉线", "物业", *web_street.person.values()):
        assert word not in told, word
    assert not any(title in told for _, title, _ in PEOPLE.values())


@pytest.mark.parametrize("stage", [reported, closed])
def test_every_state_has_its_sentence(visitor: Visitor, web_street: Street, stage: object) -> None:
    case = stage(web_street)  # type: ignore[operator]
    page = visitor.text(f"/receipt?number={receipt(web_street, case)}")
    told = page.partition('class="stub__now"')[2].partition("</div>")[0]
    assert ("社区正在核实您上报的情况" in told) or ("已销号" in told)


def test_an_unknown_receipt_is_told_in_plain_words(visitor: Visitor) -> None:
    answer = visitor.get("/receipt?number=R-AAAA-BBBB")
    assert answer.status_code == 404
    assert "没有这个回执号" in answer.text
    assert 'value="R-AAAA-BBBB"' in answer.text


def test_what_is_typed_is_escaped(visitor: Visitor) -> None:
    answer = visitor.get('/receipt?number="><script>alert(1)</script>')
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "typed", ["R-7K3M-94QD", "r7k3m94qd", "7K3M-94QD", " 7k3m 94qd ", "Ｒ－７Ｋ３Ｍ－９４ＱＤ"]
)
def test_a_number_may_be_typed_in_any_way(typed: str) -> None:
    assert written(typed) == "R-7K3M-94QD"


def test_looking_up_a_receipt_leaves_no_trace(visitor: Visitor, web_street: Street) -> None:
    case = reported(web_street)
    before = len(web_street.entries(case))
    visitor.text(f"/receipt?number={receipt(web_street, case)}")
    assert len(web_street.entries(case)) == before
