"""流程走向 on a page: who sees it, what it says, and what it leaves out."""

import re
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import update

from engine.casework import read_case
from engine.flow_months import flow_of, keep_flows
from engine.register import register_table
from engine.state import to_json
from engine.worker import ring_due
from tests.conftest import Street
from tests.engine.tampering import forge
from tests.engine.test_mining import other_path
from tests.web.conftest import Visitor
from tests.web.paths import closed
from tests.web.test_metric_pages import words
from web.quantities import ZONE

Enter = Callable[[str], Visitor]


def kept(street: Street) -> None:
    """Let the worker work it out."""
    keep_flows(street.database, zone=ZONE, at=street.at)


def section(page: str, title: str) -> str:
    found = re.search(rf"<h2>{title}</h2>(.*?)</section>", page, re.DOTALL)
    assert found, page
    return words(found[1])


def test_ways_hand_overs_and_times_are_told_of_a_month(
    signed_in: Enter, web_street: Street
) -> None:
    for _ in range(10):
        closed(web_street)
    for _ in range(8):
        web_street.later(days=12)
        ring_due(web_street.database, at=web_street.at, limit=100)
    kept(web_street)
    with web_street.database.begin() as conn:
        flow = flow_of(conn, "hazard", "2026-03")
    assert flow
    page = signed_in("watch").text("/flow?month=2026-03")
    assert "10 件逐条重放" in section(page, "与流程图是否一致")
    way = flow.variants[0]
    assert f" {way.cases} 件 {way.share / 10:.1f}% 上报 确认 指派 签收 整改 验收 销号" in (
        section(page, "走过的路径")
    )
    assert f'href="/cases/{flow.examples[way.steps][0]}"' in page
    assert "物业" in section(page, "单位之间的交接")
    times = section(page, "时间花在哪一步")
    assert " 整改 10 " in times
    assert "样本不足" not in times.partition("步骤，单位")[2].partition("不足 10 次的步骤")[0]
    assert "shaoji mining conformance --process hazard --from 2026-03-01 --to 2026-03-31" in page
    web_street.check()


def test_a_record_that_leaves_its_diagram_is_named(signed_in: Enter, web_street: Street) -> None:
    case = closed(web_street)
    web_street.check()
    forge(web_street, case, other_path)
    kept(web_street)
    told = section(signed_in("watch").text("/flow"), "与流程图是否一致")
    assert "1 件的记录与立案时的流程图不符，共 1 件" in told
    assert case in told


def test_a_case_somebody_is_kept_out_of_since_is_not_named(
    signed_in: Enter, web_street: Street
) -> None:
    case = closed(web_street)
    web_street.check()
    forge(web_street, case, other_path)
    kept(web_street)
    with web_street.database.begin() as conn:
        state = replace(read_case(conn, case), kept_out=(web_street.person["watch"],))
        row = {"kept_out": 1, "state": to_json(state)}
        conn.execute(update(register_table).where(register_table.c.case == case).values(row))
    told = section(signed_in("watch").text("/flow"), "与流程图是否一致")
    assert "1 件的记录与立案时的流程图不符" in told
    assert case not in told


def test_nothing_is_told_before_it_was_worked_out(signed_in: Enter, web_street: Street) -> None:
    closed(web_street)
    assert "还没有算出来" in signed_in("watch").text("/flow")


def test_months_lead_to_each_other_and_what_is_not_there_to_the_last(
    signed_in: Enter, web_street: Street
) -> None:
    closed(web_street)
    web_street.later(days=40)
    closed(web_street)
    kept(web_street)
    watch = signed_in("watch")
    assert "　2026年4月</h1>" in watch.text("/flow?process=nothing&month=1999-01")
    assert "　2026年3月</h1>" in watch.text("/flow?process=hazard&month=2026-03")
    assert "还没有办结的" in watch.text("/flow")


def test_only_who_looks_over_the_whole_street_is_told(signed_in: Enter, web_street: Street) -> None:
    closed(web_street)
    kept(web_street)
    head = signed_in("head")
    answer = head.get("/flow")
    assert answer.status_code == 403
    assert "您现在没有这样的岗位" in answer.text
    assert "/flow" not in head.text("/")
    assert 'href="/flow"' in signed_in("watch").text("/")
