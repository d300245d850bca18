"""What our rules find in foreign cases: by the functions of audit.signals, and no other. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from audit.foreign.happenings import ForeignCase
from audit.foreign.record import record_of
from audit.foreign.rule_needs import Able
from audit.signals.among_cases import signals
from audit.signals.brief import brief_of
from audit.signals.facts import Signal
from audit.signals.rules import Rules

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def found_in(cases: Iterable[ForeignCase], rules: Rules, told: Iterable[Able]) -> list[Signal]:
    """Everything found by the rules that can be looked for; of the others nothing.

    A signal names happenings by their numbers in their cases, from 1. None is ever judged.
    """
    looked = {one.rule for one in told if one.able}
    told_of = list(cases)
    last = max((one.at for case in told_of for one in case.happenings), default=_NEVER)
    briefs = [brief_of(record_of(case, last), rules) for case in told_of]
    return [one for one in signals(briefs, rules) if one.rule in looked]
