"""One metric of a street, computed by the product and by other means."""

from datetime import timedelta

from audit import log
from audit.encoding import timestamp
from audit.metrics.catalogue import METRICS
from audit.metrics.fold import case_facts
from audit.metrics.marks import Period, seen
from audit.metrics.places import places
from tests.conftest import Street
from tests.engine.test_metric_periods import FORMULAS
from tests.metrics_again import Again
from tests.metrics_again_acts import Acts


def compared(street: Street, metric: str) -> tuple[int, int]:
    """Hits and of, over all the street has lived; AssertionError where the two differ."""
    with street.database.begin() as conn:
        entries = {name: log.read(conn, name) for name in log.streams(conn)}
    cases = [case_facts(told, FORMULAS) for name, told in entries.items() if name[0] != "@"]
    period = Period(street.at - timedelta(400), street.at + timedelta(1))
    marks = METRICS[metric].marks(seen(cases, FORMULAS, places(entries["@units"]), period))
    counted = [mark for mark in marks if mark.of]
    found = sum(mark.hits for mark in counted), sum(mark.of for mark in counted)
    bodies = [one.body for told in entries.values() for one in told]
    again = Again(bodies, timestamp(period.since), timestamp(period.until))
    cells = (again.rates | Acts(again).rates)[metric].values()
    assert found == (sum(hits for hits, _ in cells), sum(of for _, of in cells)), metric
    return found
