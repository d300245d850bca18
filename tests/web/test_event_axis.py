"""The time line of a case: one mark for each instant, far enough apart, each leading there."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.reports.facts import Actor, TimelineRow
from tests.conftest import NOON, Street
from tests.web.conftest import Visitor
from tests.web.paths import confirmed, reported, signed_for
from web.event_axis import APART, EDGE, MOST, WIDTH, event_axis

Enter = Callable[[str], Visitor]
ROW = TimelineRow(
    1, NOON, "act", "case.urged", Actor("p-1"), None, None, 1, 1, {}, None, None, None, (), (),
    None, None,
)  # fmt: skip


def rows(minutes: list[int]) -> list[TimelineRow]:
    return [
        replace(ROW, seq=seq, at=NOON + timedelta(minutes=at))
        for seq, at in enumerate(sorted(minutes), 1)
    ]


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=400))
def test_marks_keep_their_order_their_distance_and_the_line(minutes: list[int]) -> None:
    axis = event_axis(rows(minutes), None)
    places = [mark.x for mark in axis.marks]
    assert 1 <= len(places) <= MOST
    assert all(later - earlier >= APART - 0.2 for earlier, later in pairwise(places))
    assert places[0] >= EDGE - 0.2
    assert places[-1] <= WIDTH - EDGE + 0.2
    assert axis.marks[-1].seq == len(minutes)
    assert sum(mark.count for mark in axis.marks) == len(minutes)


def test_what_happened_at_one_instant_is_one_mark_and_lateness_shows() -> None:
    told = rows([0, 0, 60, 120])
    told[2] = replace(told[2], kind="late")
    told[3] = replace(told[3], kind="machine")
    marks = event_axis(told, 2).marks
    assert [(mark.seq, mark.shape, mark.count) for mark in marks] == [
        (2, "act", 2), (3, "late", 1), (4, "machine", 1),
    ]  # fmt: skip


def test_the_line_shows_where_the_reader_stands() -> None:
    axis = event_axis(rows([0, 60, 120]), 2)
    assert axis.here == axis.marks[1].x
    assert event_axis(rows([0, 60, 120]), None).here > axis.marks[2].x


# --- on the page ----------------------------------------------------------------------------------


def test_every_mark_leads_to_its_instant(signed_in: Enter, web_street: Street) -> None:
    case = signed_for(web_street)
    page = signed_in("watch").text(f"/cases/{case}")
    line = page.partition('<svg class="axis"')[2].partition("</svg>")[0]
    marks = re.findall(r'<a href="/cases/[^"?]+(?:\?as_of=(\d+))?"', line)
    assert len(marks) == 4
    assert marks[-1] == ""  # the last instant is now
    assert "3月2日 09:22" in line


def test_a_written_instant_shows_what_was_known_by_then(
    signed_in: Enter, web_street: Street
) -> None:
    case = confirmed(web_street)  # reported 09:00, confirmed 09:22
    who = signed_in("watch")
    count = sum(1 for e in web_street.entries(case) if e.at == web_street.entries(case)[0].at)
    page = who.text(f"/cases/{case}?when=3月2日 09:10")
    assert f"这是第 <b>{count}</b> 条记录时的样子" in page
    assert "确认：办理中" in page
    assert "这是第" not in who.text(f"/cases/{case}?when=3月2日 09:22")
    assert "这是第" not in who.text(f"/cases/{case}?when=2026-03-02")


@pytest.mark.parametrize(
    ("told", "words"),
    [("三月", "11月24日 14:00"), ("2026-03-01 10:00", "从 2026年3月2日 09:00 开始")],
)
def test_an_instant_that_is_none_or_too_early_is_refused_in_words(
    signed_in: Enter, web_street: Street, told: str, words: str
) -> None:
    case = reported(web_street)
    answer = signed_in("watch").get(f"/cases/{case}?when={told}")
    assert answer.status_code == 400
    assert words in answer.text
