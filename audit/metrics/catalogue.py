"""Every metric: its name, what it is made of, whose figure it is, and where the formula is from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from audit.metrics import accidents, complaints, hazards, inspections, refusals, whistles
from audit.metrics.marks import Marks

Kind = Literal["rate", "duration", "count"]
NONE: Final = frozenset[str]()


@dataclass(frozen=True, slots=True)
class Metric:
    """One row. process: whose roles name what is merged, void and confidential.

    source: S0 to S4 the papers, S a copied notice, OURS this project's own. lower: reasons of
    exclusion that count in the lower bound.
    """

    id: str
    kind: Kind
    name: str
    name_en: str
    process: str
    source: str
    marks: Marks
    lower: frozenset[str] = NONE


_ROWS: Final = (
    Metric("rectified_of_due", "rate", "隐患整改率（应整改口径）", "rectified, of those due",
           "hazard", "S", hazards.rectified_of_due),
    Metric("rectified_of_found", "rate", "隐患整改率（发现口径）", "rectified, of those confirmed",
           "hazard", "OURS", hazards.rectified_of_found),
    Metric("in_time", "rate", "按期整改率（依法时限）", "rectified in time, by the lawful limit",
           "hazard", "S", hazards.in_time),
    Metric("in_original_time", "rate", "按期整改率（原定时限）",
           "rectified in time, by the limit first set", "hazard", "S", hazards.in_original_time),
    Metric("until_accepted", "duration", "整改时长（确认到验收）", "from confirmed to accepted",
           "hazard", "OURS", hazards.until_accepted),
    Metric("overdue", "count", "超期存量", "overdue at the end of the period",
           "hazard", "OURS", hazards.overdue),
    Metric("second_looks", "rate", "复核改判率", "verdicts changed by the second look",
           "hazard", "OURS", hazards.second_looks),
    Metric("extended", "rate", "延期率", "given more days", "hazard", "OURS", hazards.extended),
    Metric("refuted", "rate", "虚假办结率（全部复核）", "closings refuted, of all checked",
           "hazard", "OURS", hazards.refuted),
    Metric("refuted_by_lot", "rate", "虚假办结率（抽查和重大）",
           "closings refuted, of those re-inspected", "hazard", "OURS", hazards.refuted_by_lot),
    Metric("reopened", "rate", "重开率（隐患）", "closings reopened", "hazard", "OURS",
           hazards.reopened),
    Metric("rated_satisfied", "rate", "满意率（隐患，上报人评价）",
           "rated satisfied by the reporter", "hazard", "S", hazards.rated,
           frozenset({"not_rated"})),
    Metric("found_by_others", "rate", "自检外发现率", "found by others than the block",
           "hazard", "OURS", hazards.found_by_others),
    Metric("suppressed", "count", "瞒报属实数", "found to have been said to be none", "hazard",
           "OURS", hazards.suppressed),
    Metric("conforming", "rate", "检查符合率", "items that conform", "patrol", "S0",
           inspections.conforming),
    Metric("walked", "rate", "巡查完成率", "patrols walked, of those due", "patrol", "OURS",
           inspections.walked),
    Metric("objects", "rate", "检查覆盖率", "places inspected, of those due", "patrol", "OURS",
           inspections.objects),
    Metric("found", "rate", "检出率", "patrols that found something", "patrol", "OURS",
           inspections.found),
    Metric("rechecked_items", "rate", "检查表复核改判率", "verdicts on items changed", "patrol",
           "OURS", inspections.rechecked),
    Metric("responded", "rate", "响应率", "signed in, and called or came, in time", "response",
           "S", whistles.responded),
    Metric("arrived_in_time", "rate", "准时报到率", "came in time", "response", "OURS",
           whistles.arrived_in_time),
    Metric("first_arrival", "duration", "首发响应时长", "until the first department came",
           "whistle", "S2, OURS", whistles.first_arrival),
    Metric("first_contact", "duration", "首次联系时长", "until each department called or came",
           "response", "OURS", whistles.first_contact),
    Metric("until_arrival", "duration", "到场时长", "until each department came", "response",
           "OURS", whistles.until_arrival),
    Metric("evaluated", "rate", "吹哨方评价满意率", "evaluated as satisfying by the whistle's side",
           "response", "OURS", whistles.evaluated),
    Metric("objected", "rate", "退单率", "dispatches objected to", "hazard", "S",
           refusals.objected),
    Metric("upheld", "rate", "退单成立率", "objections upheld", "hazard", "S", refusals.upheld),
    Metric("dodged", "rate", "推诿率", "dispatches with a dodge found to hold", "hazard", "OURS",
           refusals.dodged),
    Metric("ordered", "count", "督办件数", "orders given", "hazard", "OURS", refusals.ordered),
    Metric("listed", "count", "挂账存量", "on the standing list", "hazard", "OURS",
           refusals.listed),
    Metric("accidents", "count", "事故件数", "accidents determined", "accident", "OURS",
           accidents.accidents),
    Metric("solved", "rate", "解决率", "said to be solved", "hotline", "S", complaints.solved,
           frozenset({"not_reached"})),
    Metric("satisfied", "rate", "满意率", "said to be satisfied", "hotline", "S",
           complaints.satisfied, frozenset({"not_reached"})),
    Metric("reached", "rate", "回访有效率", "complainants reached", "hotline", "OURS",
           complaints.reached),
    Metric("repeated", "rate", "重复投诉率", "complaints about a closed one", "hotline", "S",
           complaints.repeated),
    Metric("reopened_complaints", "rate", "重开率（投诉）", "replies taken up again", "hotline",
           "OURS", complaints.reopened),
    Metric("found_true", "count", "受理并核实数", "complaints found true", "hotline", "S1",
           complaints.found_true),
)  # fmt: skip

METRICS: Final[Mapping[str, Metric]] = {one.id: one for one in _ROWS}

# 三率综合 is made of other rates by the weights of the formulas.
COMPOSITE: Final = "three_rates"
