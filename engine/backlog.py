"""What waits to be done without a person, and since when: read at once, judged purely.

By it whoever operates the server knows whether a worker works: the record notes no heartbeat.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Executable, func, select

from audit import sequence
from audit.encoding import instant, timestamp
from audit.log import event_table
from engine import metric_periods
from engine.checkup import FAILS, Finding, Words, fails, holds, lasting, look
from engine.inbox import open_task_table
from engine.news import news_table
from engine.notice_queue import message_table as notice_table
from engine.outbox import message_table
from engine.register import register_table
from engine.report_jobs import job_table

# A worker looks every few seconds, and half a million events take minutes.
LATE: Final = timedelta(minutes=2)
TOO_LATE: Final = timedelta(minutes=15)
# The metrics are counted once an hour; the first time takes minutes.
FIGURES_LATE: Final = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and since when the one that waits longest."""

    count: int = 0
    since: datetime | None = None

    def age(self, at: datetime) -> timedelta:
        """How long the first has waited; nothing if none does, or the clock was set back."""
        return max(timedelta(), at - self.since) if self.since else timedelta()


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits at an instant.

    outbox: events not in the tree. unsigned: events no checkpoint covers. alarms: clocks that ran
    out and were not recorded. messages: between cases. news: commands nobody was told of. notices:
    messages that should have left. given_up: those given up. reports: asked for, not made. signed:
    the last checkpoint. figures: as of when the metrics are kept; behind: whether they are not as
    of the last checkpoint. open_cases, overdue: cases with an open step, and steps past their
    limit, of cases that are not confidential.
    """

    outbox: Waiting
    unsigned: Waiting
    alarms: Waiting
    messages: Waiting
    news: Waiting
    notices: Waiting
    given_up: int
    reports: Waiting
    signed: datetime | None
    figures: datetime | None
    behind: bool
    events: int
    open_cases: int
    overdue: int


def read_backlog(conn: Connection, *, at: datetime) -> Backlog:
    """What waits now; a handful of counts, each by an index or over what waits alone."""
    now = timestamp(at)
    size, last = sequence.tree_size(conn), sequence.latest(conn)
    outbox = _outbox(conn)
    basis = metric_periods.basis(conn)
    case, step, notice = register_table.c, open_task_table.c, notice_table.c
    # How many complaints there are is nobody's business who looks after the server.
    # Asked step by step: they are few, and the register has every case there ever was.
    told = select(case.confidential).where(case.case == step.case).scalar_subquery() == 0
    opened = select(func.count(step.case.distinct())).where(told)
    late = select(func.count()).select_from(open_task_table).where(step.due < now, told)
    held = notice.state.in_(("waiting", "sending")) & (notice.since <= now)
    asked = job_table.c.state.in_(("requested", "rendering"))
    return Backlog(
        outbox=outbox,
        unsigned=_unsigned(conn, outbox, size, last.checkpoint.size if last else 0),
        alarms=_waiting(conn, select(func.count(), func.min(case.alarm)).where(case.alarm <= now)),
        messages=_events(conn, message_table.c.case, message_table.c.seq),
        news=_events(conn, news_table.c.case, news_table.c.seq),
        notices=_waiting(conn, select(func.count(), func.min(notice.since)).where(held)),
        given_up=_count(conn, select(func.count()).where(notice.state == "given up")),
        reports=_waiting(
            conn, select(func.count(), func.min(job_table.c.requested_at)).where(asked)
        ),
        signed=instant(last.at) if last else None,
        figures=basis.at if basis else None,
        behind=last is not None and (basis is None or basis.size != last.checkpoint.size),
        events=size + outbox.count,
        open_cases=_count(conn, opened),
        overdue=_count(conn, late),
    )


def check_backlog(found: Backlog, at: datetime) -> list[Finding]:
    """What waits, line by line, and what that says of the worker."""
    lines = [
        _judged("outbox", found.outbox, at, ("条记录等编入树", "events wait for the tree")),
        _signing(found, at),
        _judged("alarms", found.alarms, at, ("个到时还没有记录", "clocks ran out unrecorded")),
        _judged(
            "case-messages",
            found.messages,
            at,
            ("条案件间消息在路上", "messages between cases wait"),
        ),
        _judged("news", found.news, at, ("批新记录还没有算通知谁", "commands nobody was told of")),
        _notices(found, at),
        _judged("reports", found.reports, at, ("份报告等着做", "reports wait to be made")),
        _figures(found, at),
    ]
    return [*lines, check_worker(found, at)]


def check_worker(found: Backlog, at: datetime) -> Finding:
    """Whether a worker works, as far as the record can tell: what is due does not wait long."""
    chores = (found.outbox, found.alarms, found.messages, found.news)
    waited = [one for one in chores if one.count]
    late = [one for one in waited if one.age(at) > TOO_LATE]
    since = _ago(found.signed, at)
    if late and len(late) == len(waited):
        return fails(
            "worker",
            (
                f"到期的事都没有人办，最久的等了 {lasting(max(one.age(at) for one in late))[0]}",
                (
                    "nothing that is due is being done; the first has waited "
                    f"{lasting(max(one.age(at) for one in late))[1]}"
                ),
            ),
            (
                (
                    "没有后台进程在跑：请启动 shaoji worker（或不带 --no-worker 的 shaoji serve），"
                    "起不来的看它的日志。"
                ),
                (
                    "No worker runs: start `shaoji worker` (or `shaoji serve` without "
                    "--no-worker); if it does not start, its log says why."
                ),
            ),
        )
    if late:
        return look(
            "worker",
            ("后台有的事在办，有的停着", "some of what is due is done, some is not"),
            ("请看后台进程的日志里写着哪一件办不了。", "The worker's log says what it cannot do."),
        )
    if not waited:
        return holds(
            "worker",
            (
                f"没有到期的事在等，看不出后台是否在跑；上一个检查点 {since[0]}",
                f"nothing is due, so the record does not tell; last checkpoint {since[1]}",
            ),
        )
    return holds("worker", ("到期的事都在办", "what is due is being done"))


def _judged(check: str, one: Waiting, at: datetime, what: Words) -> Finding:
    age = lasting(one.age(at))
    found = (f"{one.count} {what[0]}", f"{one.count} {what[1]}")
    if one.count:
        found = (f"{found[0]}，最久 {age[0]}", f"{found[1]}, the first for {age[1]}")
    if one.age(at) <= LATE:
        return holds(check, found)
    do = (
        "请看 shaoji worker 是否在跑、它的日志写了什么。",
        "See whether `shaoji worker` runs and what its log says.",
    )
    return (fails if one.age(at) > TOO_LATE else look)(check, found, do)


def _signing(found: Backlog, at: datetime) -> Finding:
    one, since = found.unsigned, _ago(found.signed, at)
    told = (
        f"上一个检查点 {since[0]}，其后 {one.count} 条记录还没有签",
        f"last checkpoint {since[1]}; {one.count} events after it are unsigned",
    )
    if one.age(at) <= LATE:
        return holds("checkpoint", told)
    do = (
        "请看后台进程的日志：没有检查点密钥就签不了。",
        "See the worker's log: without the checkpoint key nothing is signed.",
    )
    return (fails if one.age(at) > TOO_LATE else look)("checkpoint", told, do)


def _notices(found: Backlog, at: datetime) -> Finding:
    line = _judged(
        "notices", found.notices, at, ("条通知该发还没有发出", "notices should have left")
    )
    told = (
        f"{line.found[0]}，放弃 {found.given_up} 条",
        f"{line.found[1]}, {found.given_up} given up",
    )
    if line.outcome == FAILS or found.given_up or line.do[0]:
        # A channel that is down stops nobody's work: it is no failure of this server.
        do = (
            "请看 shaoji notices 写的原因，渠道修好后在 /admin/notices 重发。",
            "`shaoji notices` says why; once the channel is mended send them again there.",
        )
        return look("notices", told, do)
    return holds("notices", told)


def _figures(found: Backlog, at: datetime) -> Finding:
    if found.signed is None:
        return holds("metrics", ("还没有检查点，不算指标", "no checkpoint yet, so no metrics"))
    since = _ago(found.figures, at)
    told = (f"指标算到的检查点{since[0]}", f"metrics are as of a checkpoint: {since[1]}")
    if not found.behind or (found.figures and at - found.figures <= FIGURES_LATE):
        return holds("metrics", told)
    return look(
        "metrics",
        (f"{told[0]}，其后的还没有算", f"{told[1]}; later ones are not counted"),
        (
            "后台每小时算一次；一直不动的，执行 shaoji worker --once 看哪里出错。",
            "The worker counts once an hour; if it stays so, run `shaoji worker --once` and see.",
        ),
    )


def _ago(when: datetime | None, at: datetime) -> Words:
    if when is None:
        return "还没有", "none"
    age = lasting(max(timedelta(), at - when))
    return f"在{age[0]}前", f"{age[1]} ago"


def _outbox(conn: Connection) -> Waiting:
    count, since = sequence.waiting_since(conn)
    return Waiting(count, instant(since) if since else None)


def _unsigned(conn: Connection, outbox: Waiting, size: int, signed: int) -> Waiting:
    count, oldest = sequence.unsigned_since(conn, signed, size)
    inside = Waiting(count, instant(oldest) if oldest else None)
    since = min((one.since for one in (inside, outbox) if one.since), default=None)
    return Waiting(inside.count + outbox.count, since)


def _events(conn: Connection, case: Any, seq: Any) -> Waiting:
    """What names events, and when the first of them was recorded."""
    event = event_table.c
    query = select(func.count(), func.min(event.at)).select_from(
        case.table.join(event_table, (event.stream == case) & (event.seq == seq))
    )
    return _waiting(conn, query)


def _waiting(conn: Connection, query: Executable) -> Waiting:
    count, since = conn.execute(query).one()
    return Waiting(int(count), instant(since) if since else None)


def _count(conn: Connection, query: Executable) -> int:
    return int(conn.execute(query).scalar_one())
