"""Every metric: its name, what it is made of, whose figure it is, and where the formula is from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from audit.metrics import hazards
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
)  # fmt: skip

METRICS: Final[Mapping[str, Metric]] = {one.id: one for one in _ROWS}
