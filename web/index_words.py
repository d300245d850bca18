"""What the parts, bands and strata of the risk-control index are called, and their metrics."""

from collections.abc import Mapping
from typing import Final

from web.texts import later

BLOCK_PARTS: Final[Mapping[str, str]] = {
    "patrols": later("巡查完成"),
    "self_found": later("自查发现"),
    "in_time": later("按期整改"),
    "overdue": later("超期存量"),
    "closings_true": later("销号属实"),
    "solved": later("投诉解决（下限）"),
    "found_true": later("投诉属实"),
}
LINE_PARTS: Final[Mapping[str, str]] = {
    "on_time": later("准时报到"),
    "arrival": later("到场用时"),
    "not_dodged": later("没有推诿"),
    "in_time": later("按期整改"),
    "evaluated": later("吹哨方评价"),
    "closings_true": later("销号属实"),
}
PARTS: Final = {**BLOCK_PARTS, **LINE_PARTS}
# The metric that a part is made of, whose cases stand behind it.
METRIC_OF: Final[Mapping[str, str]] = {
    "patrols": "walked", "self_found": "found_by_others", "in_time": "in_time",
    "overdue": "overdue", "closings_true": "refuted", "solved": "solved",
    "found_true": "found_true", "on_time": "arrived_in_time", "arrival": "until_arrival",
    "not_dodged": "dodged", "evaluated": "evaluated",
}  # fmt: skip
BANDS: Final[Mapping[str, str]] = {
    "blue": later("蓝"), "yellow": later("黄"), "orange": later("橙"), "red": later("红"),
}  # fmt: skip
# Strata of the shipped file; a street's own are told as the file has them.
STRATA: Final[Mapping[str, str]] = {
    "urban": later("城区"),
    "old": later("老旧小区"),
    "rural": later("农村"),
    "exclusive": later("专属网格"),
    "bureau": later("部门"),
    "utility": later("公用企业"),
}
NO_ACCIDENTS: Final = later("这一版权重没有写事故扣几分，事故没有扣分")
# What of an edition may differ from the one before.
FIELDS: Final[Mapping[str, str]] = {
    "value": later("得分"),
    "interval": later("区间"),
    "band": later("色档"),
    "backed": later("足够样本的权重"),
    "suppressed": later("瞒报扣分的件数"),
    "accidents": later("有责事故的件数"),
    "rank": later("档内位次"),
    "stratum": later("档"),
    "weight": later("权重"),
    "points": later("得分"),
    "good": later("做到的"),
    "of": later("总数"),
    "prior": later("上月同档"),
    "amount": later("数量"),
    "households": later("户数"),
    "percent": later("九成不超过时限的百分之"),
}
NUMBERS: Final[Mapping[str, str]] = {
    "shrinkage": later("同档算作几件"),
    "prior_percent": later("同档也没有时取百分之"),
    "overdue_days": later("每千户超期几天归零"),
    "complaints": later("每千户查实几件归零"),
    "arrival_percent": later("到场用到时限的百分之几归零"),
    "suppressed": later("瞒报一件扣几分"),
    "objection_days": later("异议期工作日"),
}
