"""What several processes count is one sum, whichever of them is asked."""

from multiprocessing import get_context

from web.shared_counts import Counts
from web.tallies import Tally

NAME = ("rule", "")


def test_a_row_has_what_was_added_to_it_and_others_have_not() -> None:
    counts = Counts()
    counts.add((NAME, 3, {0: 1.0, 2: 0.25}), (("other",), 1, {0: 1.0}))
    counts.add((NAME, 3, {0: 1.0}))
    assert counts.all() == {NAME: (2.0, 0.0, 0.25), ("other",): (1.0,)}


def test_processes_add_to_the_same_rows_and_see_those_of_others() -> None:
    counts = Counts()
    counts.add((NAME, 1, {0: 1.0}))

    def work(which: int) -> None:
        for n in range(500):
            counts.add((NAME, 1, {0: 1.0}), ((f"rule {n % 50}",), 2, {which: 1.0}))

    processes = [get_context("fork").Process(target=work, args=(n,)) for n in (0, 1)]
    for one in processes:
        one.start()
    for one in processes:
        one.join()
    told = counts.all()
    assert told[NAME] == (1001.0,)
    assert len(told) == 51
    assert {told[f"rule {n}",] for n in range(50)} == {(10.0, 10.0)}


def test_without_room_nothing_is_lost_of_what_is_there() -> None:
    counts = Counts(room=64)
    for n in range(20):
        counts.add(((f"rule {n}",), 1, {0: 1.0}))
    told = counts.all()
    counts.add((("rule 0",), 1, {0: 1.0}), (("rule 19",), 1, {0: 1.0}))
    assert counts.all() == told | {("rule 0",): (2.0,)}
    assert 1 <= len(told) < 20


def test_every_rule_with_every_method_and_status_has_room() -> None:
    tally = Tally(0.0)
    for rule in range(600):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"):
            tally.count(f"/cases/<case_id>/something/{'x' * 40}/{rule}", method, 200, 0.1)
    (_, requests, _) = tally.families()
    assert len(requests.samples) == 4800
