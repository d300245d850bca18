"""What a warning says, in the language of whoever reads it: the line, the figure, the question."""

from collections.abc import Mapping
from typing import Final

from audit.early_warning.record import EarlyWarning
from audit.metrics.catalogue import METRICS
from web.metric_rows import share
from web.notice_texts import Told, say_in
from web.quantities import duration
from web.texts import Language, later
from web.warning_thresholds import thresholds

HOUR: Final = 60

_SAYS: Final[Mapping[str, str]] = {
    "below": later("{value}（{counts}），低于 {limit}%"),
    "above": later("{value}（{counts}），高于 {limit}%"),
    "fell": later("从上月的 {before} 降到 {value}（{counts}），线画在降 {limit} 个百分点"),
    "rose": later("从上月的 {before} 升到 {value}（{counts}），线画在升 {limit} 个百分点"),
    "median_above": later("{n} 件的中位 {minutes}，长于 {hours}"),
    "p90_above": later("{n} 件里九成在 {minutes} 以内，这个数长于 {hours}"),
    "count_above": later("{count} 件，多于 {limit} 件"),
    "sum_above": later("合计 {sum}，多于 {limit}"),
}


def name_of(told: EarlyWarning, locale: Language) -> str:
    """How the line is called; one that is drawn no more goes by its metric."""
    rule, metric = thresholds().rules.get(told.rule), METRICS[told.metric]
    if rule is None:
        return metric.name if locale == "zh" else metric.name_en
    return rule.name if locale == "zh" else rule.name_en


def asks_of(told: EarlyWarning, locale: Language) -> str:
    """What whoever gets the warning is asked; "" of a line that is drawn no more."""
    rule = thresholds().rules.get(told.rule)
    return "" if rule is None else rule.asks if locale == "zh" else rule.asks_en


def says_of(told: EarlyWarning, locale: Language) -> str:
    """The figure and the line it crossed."""
    numbers = told.numbers
    values: dict[str, object] = {"limit": told.limit, **numbers}
    if "numerator" in numbers:
        hits, of = numbers["numerator"], numbers["denominator"]
        values |= {"value": share(hits, of), "counts": f"{hits}/{of}"}
    if "before_numerator" in numbers:
        values["before"] = share(numbers["before_numerator"], numbers["before_denominator"])
    if "minutes" in numbers:
        values["minutes"] = duration(numbers["minutes"], "natural", locale)
        values["hours"] = duration(told.limit * HOUR, "natural", locale)
    return say_in(locale, _SAYS[told.test], **values)


def as_notice(told: EarlyWarning, place: str, locale: Language) -> Told:
    """A warning as a notice. place: the name of the unit whose figure crossed the line."""
    what = say_in(locale, later("预警：{name}"), name=name_of(told, locale))
    return Told(what, "", says_of(told, locale), place, None, f"/warnings/{told.seq}")
