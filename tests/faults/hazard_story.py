"""Every command on the way of a hazard: steps, hands, time, turns, orders, signals, exports."""

from engine.calendar_versions import publish_calendar
from engine.holding import claim_task, delegate_task, reassign_task, release_task
from engine.oversight import answer_supervision, supervise, urge
from engine.signals import confirm, dismiss
from engine.timekeeping import (
    grant_extension,
    grant_pause,
    list_standing,
    refuse_extension,
    refuse_pause,
    resume,
)
from engine.turns import raise_objection, reopen, return_task, withdraw
from engine.viewings import Sight, note_look
from tests.conftest import ROOT, Street
from tests.engine.hazard_street import Hazard, hazard
from tests.engine.test_exports import export
from tests.engine.test_signals import OBJECTION, RULES, kept_up, seq
from tests.engine.test_timekeeping import ask_more, ask_pause, decide, rectifying


def play(street: Street) -> None:
    """Live through it on a street that has nothing yet but its people."""
    h = hazard(street)
    calendar = (ROOT / "workflows/calendar/cn.toml").read_bytes()
    street.do(publish_calendar, calendar + b"# 2\n", by=None)
    hands(h)
    time(Hazard(street))
    turns(Hazard(street))
    judged(Hazard(street))


def hands(h: Hazard) -> None:
    person = h.street.person
    h.report()
    h.act(claim_task, "confirm#1", by="confirmer")
    h.act(release_task, "confirm#1", "轮休", by="confirmer")
    h.do("confirm").do("assign")
    h.act(delegate_task, "sign_in#1", person["owner2"], "出差", by="owner")
    h.act(reassign_task, "sign_in#1", person["owner"], "换人", by="assigner")
    h.act(urge, "请抓紧", by="inspector")
    order = h.act(supervise, "说明情况", by="inspector")
    h.act(answer_supervision, order.seq, "在办", by="owner")
    h.street.do(note_look, h.case, Sight("page"), by=h.street.by("inspector"))
    export(h.street, h.case, "inspector")


def time(h: Hazard) -> None:
    rectifying(h)
    for decision in (refuse_extension, grant_extension):
        ask_more(h)
        decide(h, decision, "chief")
    for decision in (refuse_pause, grant_pause):
        ask_pause(h)
        decide(h, decision, "assigner")
    h.act(resume, "rectify#1", "许可已到", by="owner")
    h.act(list_standing, "rectify#1", "须待规划", review_class="MAJ30", by="chief")
    h.wait(days=40)


def turns(h: Hazard) -> None:
    h.assigned()
    h.act(raise_objection, "sign_in#1", OBJECTION, by="owner")
    h.do("rule_objection")
    h = Hazard(h.street).assigned()
    h.act(withdraw, h.task("sign_in").key, "派错了", by="assigner")
    h.act(return_task, h.task("assign").key, "地点不清", by="assigner")
    h = Hazard(h.street).closed()
    h.dispute()
    h.do("re_accept")
    h = Hazard(h.street).closed()
    h.act(reopen, "现场仍在", by="inspector")


def judged(h: Hazard) -> None:
    for judge in (confirm, dismiss):
        h.report()
        h.wait(days=3)
        h.do("confirm")
        kept_up(h.street)
        h.act(judge, "B1", seq(h, "overdue.opened"), "没有人值班", rules=RULES, by="inspector")
