"""The cases of a street folded for the metrics, as of a size of its tree, on both databases."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from audit import log, sequence
from audit.metrics.facts import as_of
from audit.metrics.fold import case_facts
from engine.metrics import fold_all
from engine.sequencer import take_in
from tests.conftest import Street
from tests.engine.hazard_street import hazard
from web.formulas import formulas


@contextmanager
def silently(_total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _done: None


def test_what_came_after_the_tree_is_not_counted(street: Street) -> None:
    case = hazard(street)
    case.assigned()
    take_in(street.database)
    with street.database.begin() as conn:
        size = sequence.tree_size(conn)
        before = log.read(conn, case.case)
    case.do("sign_in")
    url = street.database.url.render_as_string(hide_password=False)
    for integrated in (False, True):
        if integrated:
            take_in(street.database)
        (told,), units = fold_all(url, formulas(), size=size, workers=2, progress=silently)
        assert told == case_facts(before, formulas())
        assert {one.stream for one in units} == {"@units"}
    with street.database.begin() as conn:
        whole = sequence.tree_size(conn)
        entries = log.read(conn, case.case)
    (told,), _ = fold_all(url, formulas(), size=whole, workers=1, progress=silently)
    assert told == case_facts(entries, formulas())
    assert as_of(told, entries[0].at) is None
    street.check()
