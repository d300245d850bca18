"""Warnings on both databases: raised once, told to whoever looks over the unit, and answered."""

from datetime import timedelta
from threading import Thread

import pytest

from audit import log
from audit.early_warning.record import STREAM, EarlyWarning, warnings_told
from audit.early_warning.thresholds import Thresholds, read_thresholds
from engine.database import reading
from engine.early_warning import (
    KIND,
    NoSuchWarning,
    NoWarningsForYou,
    answer_warning,
    raise_warnings,
    unanswered,
    warning_of,
    warning_told,
    warnings_for,
)
from engine.notice_board import Outlets, notices_of
from engine.people import By, directory, end_post
from engine.reasons import NoReason
from tests.conftest import ROOT, Street
from tests.engine.hazard_street import Hazard, hazard
from tests.engine.test_metric_periods import FORMULAS, kept_up, signed, standing

TOML = (ROOT / "workflows" / "early_warning" / "thresholds.toml").read_bytes()
LINES = b"""version = 4
[rules.slow]
name = "\xe6\x85\xa2"
name_en = "slow"
metric = "rectified_of_found"
by = "community"
below = LIMIT
asks = "\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88"
asks_en = "why"
"""


def lines(limit: int = 50) -> Thresholds:
    return read_thresholds(LINES.replace(b"LIMIT", str(limit).encode()), FORMULAS)


def raised(street: Street, limit: int = 50) -> int:
    outlets = Outlets(frozenset())
    return raise_warnings(street.database, lines(limit), FORMULAS, outlets, at=street.at)


def told(street: Street) -> list[EarlyWarning]:
    with reading(street.database).begin() as conn:
        return warnings_told(log.read(conn, STREAM))


def counted(street: Street) -> None:
    """Ten hazards confirmed and not rectified, under a checkpoint and counted."""
    one = hazard(street)
    for _ in range(10):
        one.assigned()
    signed(street)
    kept_up(street)


def warned(street: Street) -> EarlyWarning:
    """The one warning of a street with ten hazards that nobody has rectified."""
    counted(street)
    assert raised(street) == 1
    (found,) = told(street)
    return found


def test_a_line_is_warned_of_once_with_the_position_it_was_counted_at(street: Street) -> None:
    found, rests = warned(street), standing(street)
    assert (found.rule, found.unit, found.test, found.limit) == ("slow", "u-tingtao", "below", 50)
    assert found.numbers == {"numerator": 0, "denominator": 10}
    assert (found.size, found.root) == (rests.size, rests.root)
    assert found.formulas["sha256"] == FORMULAS.sha256
    assert (found.thresholds["version"], found.thresholds["sha256"]) == (4, lines().sha256)
    assert found.until == rests.at
    assert raised(street) == 0
    Hazard(street).assigned()
    signed(street)
    kept_up(street)
    assert raised(street) == 0
    street.check()


def test_another_month_and_a_line_drawn_elsewhere_are_warned_of_anew(street: Street) -> None:
    first = warned(street)
    assert raised(street, 60) == 1
    street.later(minutes=60 * 24 * 31)
    for _ in range(10):
        Hazard(street).assigned()
    signed(street)
    kept_up(street)
    assert raised(street, 60) == 1
    assert [one.month > first.month for one in told(street)] == [False, False, True]
    street.check()


def test_figures_counted_by_other_formulas_warn_of_nothing(street: Street) -> None:
    counted(street)
    with street.database.begin() as conn:
        conn.exec_driver_sql("UPDATE metric_basis SET formulas = 'another'")
    assert raised(street) == 0
    street.check()


def test_two_workers_raise_nothing_twice(street: Street) -> None:
    counted(street)
    workers = [Thread(target=raised, args=(street,)) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert len(told(street)) == 1
    street.check()


def test_supervision_of_the_place_hears_of_it_and_nobody_else(street: Street) -> None:
    found = warned(street)
    with street.database.begin() as conn:
        heard = {
            name: [one for one in notices_of(conn, person) if one.kind == KIND]
            for name, person in street.person.items()
        }
        people = directory(conn)
        watch = By(street.person["watch"])
        assert unanswered(conn, people, watch, street.at) == 1
        assert unanswered(conn, people, By(street.person["head"]), street.at) is None
        assert warning_told(conn, heard["watch"][0], people, street.at) == found
    assert [one.seq for one in heard["watch"]] == [found.seq]
    assert {name for name, notices in heard.items() if notices} <= {"watch", "inspector"}
    street.check()


def test_an_answer_stands_with_its_person_and_the_same_twice_is_one(street: Street) -> None:
    found, watch = warned(street), By(street.person["watch"])
    for text in ("周三去看", " 周三去看 ", "看过了，少两个人"):
        with street.database.begin() as conn:
            answer_warning(conn, found.seq, text, by=watch, at=street.later(minutes=5))
    (after,) = told(street)
    assert [(one.person, one.text) for one in after.answers] == [
        (watch.person, "周三去看"), (watch.person, "看过了，少两个人"),
    ]  # fmt: skip
    with street.database.begin() as conn:
        assert unanswered(conn, directory(conn), watch, street.at) == 0
    street.check()


def test_who_looks_over_nothing_or_elsewhere_neither_sees_nor_answers(street: Street) -> None:
    found = warned(street)
    for name, refusal in (("head", NoWarningsForYou), ("fixer", NoWarningsForYou)):
        by = By(street.person[name])
        with street.database.begin() as conn:
            with pytest.raises(refusal):
                warnings_for(conn, directory(conn), by, street.at)
            with pytest.raises(refusal):
                answer_warning(conn, found.seq, "好", by=by, at=street.at)
    watch = By(street.person["watch"])
    with street.database.begin() as conn:
        with pytest.raises(NoSuchWarning):
            warning_of(conn, found.seq + 1, directory(conn), watch, street.at)
        with pytest.raises(NoReason):
            answer_warning(conn, found.seq, "  ", by=watch, at=street.at)
    assert told(street) == [found]
    street.check()


def test_whoever_left_the_post_is_told_no_more(street: Street) -> None:
    found = warned(street)
    watch = street.person["watch"]
    with street.database.begin() as conn:
        (notice,) = [one for one in notices_of(conn, watch) if one.kind == KIND]
        (post,) = [one.id for one in directory(conn).posts.values() if one.person == watch]
        end_post(conn, post, reason="调离", by=None, at=street.later(minutes=5))
        people = directory(conn)
        assert warning_told(conn, notice, people, street.at + timedelta(minutes=1)) is None
    assert found.answers == ()
    street.check()
