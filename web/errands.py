"""What some have to do besides steps: complaints, identities, accounts, reports."""

from dataclasses import dataclass

from flask import url_for

from engine.early_warning import unanswered
from engine.index_objections import HEADING
from engine.people import directory
from engine.rights import measures_everything, places_reported
from engine.signal_queue import waiting_signals
from web import informants
from web.custody import waiting_for
from web.intake import DUTY
from web.texts import say
from web.visit import at, by, reads


@dataclass(frozen=True, slots=True)
class Errand:
    """A place to go; urgent: something waits there."""

    address: str
    words: str
    urgent: bool


def errands() -> list[Errand]:
    """The errands of whoever is signed in."""
    with reads() as conn:
        people = directory(conn)
        desk = people.authority(by().person, DUTY, None, at()) is not None
        keeps = people.authority(by().person, "administer", None, at()) is not None
        waiting = waiting_for(conn, people, by(), at())
        reports = bool(places_reported(people, by(), at()))
        heads = any(one.duty in HEADING for one in people.capacities(by().person, at()))
        signals = waiting_signals(conn, people, by(), at())
        warned = unanswered(conn, people, by(), at())
        typed = len(informants.errands(conn, people))
    found = [Errand(url_for("intake.form"), say("代录投诉"), urgent=False)] if desk else []
    if typed:
        words = say("替同事录入 {count} 件", count=typed)
        found.append(Errand(url_for("reporting.begin", _anchor="typed"), words, urgent=False))
    if waiting is not None:
        words = say("身份查看申请 {count} 件", count=waiting) if waiting else say("身份保管")
        found.append(Errand(url_for("custody.queue"), words, urgent=bool(waiting)))
    if keeps:
        found.append(Errand(url_for("admin.home"), say("登记和管理"), urgent=False))
        found.append(Errand(url_for("sign_ins.everybody"), say("账号和登录"), urgent=False))
    if signals is not None:
        words = say("线索 {count} 条待核实", count=signals)
        found.append(Errand(url_for("signals.page"), words, urgent=False))
    if warned is not None:
        words = say("预警 {count} 条待答复", count=warned)
        found.append(Errand(url_for("early_warning.page"), words, urgent=False))
    if reports:
        found.append(Errand(url_for("metrics.page"), say("风险管控指标"), urgent=False))
    if reports or heads:
        found.append(Errand(url_for("risk_index.page"), say("管控指数"), urgent=False))
    if reports:
        found.append(Errand(url_for("period.page"), say("月报、季报、年报"), urgent=False))
        if measures_everything(people, by(), at()):
            found.append(Errand(url_for("flow.page"), say("流程走向"), urgent=False))
        found.append(Errand(url_for("publication_sheet.page"), say("公示表"), urgent=False))
        found.append(Errand(url_for("conduct.form"), say("履责报告"), urgent=False))
        found.append(Errand(url_for("batches.choose"), say("批量导出责任报告"), urgent=False))
    return found
