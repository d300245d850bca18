"""Whom to assign: only whom the command takes, in an order that its reasons alone explain."""

from datetime import timedelta
from typing import Any

import pytest

from engine.assignment import (
    Away,
    DidAlike,
    Holds,
    InPlace,
    Known,
    Listed,
    StandsIn,
    Suggestion,
    WorkedHere,
    community_of,
    nameable,
    suggested_persons,
    suggested_units,
)
from engine.calendar_versions import calendar
from engine.casework import Desk, look
from engine.directory import Authority
from engine.holding import NotFit, delegate_task, fit_for, reassign_task
from engine.load import (
    Done,
    Load,
    Past,
    done_by_persons,
    loads_of_persons,
    loads_of_units,
    past_of_persons,
    past_of_units,
    worked_in,
)
from engine.people import end_post, grant_post, name_substitute
from engine.timekeeping import grant_pause, request_extension, request_pause
from tests.conftest import Street, photo
from tests.engine.hazard_street import Hazard, hazard


@pytest.fixture
def h(street: Street) -> Hazard:
    return hazard(street)


def desk(h: Hazard) -> Desk:
    with h.street.database.begin() as conn:
        return look(conn, h.case, h.street.at)


def known(h: Hazard, **told: Any) -> Known:
    """What is known of people by the test's names for them."""
    ids = h.street.person
    loads = {ids.get(name, name): load for name, load in told.get("loads", {}).items()}
    past = {ids.get(name, name): past for name, past in told.get("past", {}).items()}
    return Known(loads, past, told.get("here", {}), told.get("listed", ()))


def held_by(h: Hazard, *names: str, duty: str = "rectify") -> list[Authority]:
    people, ids = desk(h).directory, [h.street.person[name] for name in names]
    held = people.holders(duty, people.units, h.street.at)
    return [one for one in held if one.person in ids]


def order(h: Hazard, suggested: list[Suggestion]) -> list[str]:
    names = {person: name for name, person in h.street.person.items()}
    return [names.get(one.id, one.id) for one in suggested]


def persons(h: Hazard, *names: str, duty: str = "rectify", **told: Any) -> list[str]:
    found = suggested_persons(desk(h), held_by(h, *names, duty=duty), known(h, **told))
    return order(h, found)


# --- in which order -------------------------------------------------------------------------------


def test_whose_place_it_is_comes_before_everybody_else(h: Hazard) -> None:
    h.report()
    loads = {"grid": Load(open=9, late=3)}
    assert persons(h, "owner", "grid", "heater", loads=loads) == ["grid", "heater", "owner"]
    told = suggested_persons(desk(h), held_by(h, "grid"), known(h))
    assert told[0].reasons == (InPlace("u-grid-1"), Holds(Load()))


def test_a_unit_of_the_duty_list_and_one_that_worked_here_count_like_the_place(h: Hazard) -> None:
    h.report()
    assert persons(h, "owner", "heater", listed={"u-property"}) == ["owner", "heater"]
    assert persons(h, "owner", "heater", here={"u-property": 1}) == ["owner", "heater"]
    told = suggested_persons(desk(h), held_by(h, "owner"), known(h, listed={"u-property"}))
    assert told[0].reasons == (Listed("u-property"), Holds(Load()))


def test_whom_a_place_is_known_to_decides_their_unit_not_the_busiest_of_it(h: Hazard) -> None:
    h.report()
    told = {"here": {"u-property": 2}, "loads": {"owner": Load(open=2, late=1)}}
    assert persons(h, "owner", "owner2", "heater", **told) == ["owner2", "owner", "heater"]


def test_a_post_of_the_street_itself_is_no_reason(h: Hazard) -> None:
    h.report()
    chief = held_by(h, "chief", duty="approve")
    told = suggested_persons(desk(h), chief, known(h, here={"u-street": 5}))
    assert told[0].reasons == (Holds(Load()),)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (Load(open=9), Load(open=1, late=1)),
        (Load(open=9), Load(open=1, near=1)),
        (Load(open=1, near=1), Load(open=1, late=1)),
        (Load(open=2), Load(open=3)),
    ],
)
def test_of_equals_who_has_less_that_presses_comes_first(h: Hazard, less: Load, more: Load) -> None:
    h.report()
    assert persons(h, "heater", "owner", loads={"heater": more, "owner": less}) == [
        "owner",
        "heater",
    ]


def test_then_who_did_more_of_the_kind_in_time(h: Hazard) -> None:
    h.report()
    past = {"owner": Past(3, 0), "heater": Past(4, 2), "fixer": Past(2, 1)}
    assert persons(h, "fixer", "heater", "owner", past=past) == ["owner", "heater", "fixer"]
    told = suggested_persons(desk(h), held_by(h, "heater"), known(h, past=past))
    assert told[0].reasons == (Holds(Load()), DidAlike(4, 2))


def test_ties_go_by_name_whatever_order_they_come_in(h: Hazard) -> None:
    h.report()
    held = held_by(h, "owner", "heater", "owner2", "fixer")
    forward = suggested_persons(desk(h), held, known(h))
    assert order(h, forward) == ["fixer", "heater", "owner2", "owner"]
    assert suggested_persons(desk(h), list(reversed(held)), known(h)) == forward


def test_who_is_absent_comes_last_and_who_stands_in_before_them(h: Hazard) -> None:
    h.report().do("confirm").do("assign", person=None)
    street, until = h.street, h.street.at + timedelta(days=3)
    street.do(
        name_substitute, street.person["owner"], street.person["heater"],
        end=until, reason="休假", by=None,
    )  # fmt: skip
    street.later(minutes=1)
    found = desk(h)
    told = suggested_persons(found, fit_for(found, h.task("sign_in")), known(h))
    assert order(h, told) == ["fixer2", "fixer", "owner2", "heater", "owner"]
    by_name = dict(zip(order(h, told), told, strict=True))
    assert StandsIn(street.person["owner"], until) in by_name["heater"].reasons
    assert Away(street.person["heater"], until) in by_name["owner"].reasons
    street.check()


def test_units_are_ranked_by_the_same_reasons(h: Hazard) -> None:
    h.report()
    told = suggested_units(
        desk(h), ["u-heat", "u-property", "u-tingtao", "u-heat"],
        known(h, loads={"u-property": Load(open=1)}, here={"u-property": 2}),
    )  # fmt: skip
    assert [one.id for one in told] == ["u-tingtao", "u-property", "u-heat"]
    assert told[0].reasons == (InPlace("u-tingtao"), Holds(Load()))
    assert told[1].reasons == (WorkedHere(2), Holds(Load(open=1)))


# --- who is a candidate at all --------------------------------------------------------------------


def test_whom_the_command_refuses_is_no_candidate_and_it_takes_all_others(h: Hazard) -> None:
    h.rectified()
    task = h.task("accept")
    offered = {one.person for one in fit_for(desk(h), task)}
    assert offered == {h.street.person[name] for name in ("accept", "accept2", "acceptor2",
                                                          "acceptor3")}  # fmt: skip
    for name, person in h.street.person.items():
        if person in offered or name == "acceptor":
            continue
        with pytest.raises(NotFit):
            h.act(delegate_task, task.key, person, "换人", by="acceptor")
    holder = "acceptor"
    for name in ("accept", "accept2", "acceptor2", "acceptor3"):
        h.act(delegate_task, task.key, h.street.person[name], "换人", by=holder)
        holder = name
    h.street.check()


def test_who_rectified_is_kept_from_accepting_by_whatever_post(h: Hazard) -> None:
    street = h.street
    h.rectified()
    street.do(grant_post, street.person["owner"], "u-acceptance", "验收员", ["accept"],
              reason="兼任", by=None)  # fmt: skip
    street.do(grant_post, street.person["owner2"], "u-acceptance", "验收员", ["accept"],
              reason="兼任", by=None)  # fmt: skip
    street.later(minutes=1)
    offered = {one.person for one in fit_for(desk(h), h.task("accept"))}
    # The one did it; the other belongs to the unit that did.
    assert not offered & {street.person["owner"], street.person["owner2"]}
    with pytest.raises(NotFit, match="办过本案"):
        h.act(reassign_task, h.task("accept").key, street.person["owner2"], "换人", by="assigner")
    street.check()


def test_nobody_stands_in_for_somebody_who_is_kept_apart(h: Hazard) -> None:
    street = h.street
    h.rectified()
    street.do(grant_post, street.person["owner"], "u-acceptance", "验收员", ["accept"],
              reason="兼任", by=None)  # fmt: skip
    street.do(
        name_substitute, street.person["owner"], street.person["closer"],
        end=street.at + timedelta(days=9), reason="休假", by=None,
    )  # fmt: skip
    street.later(minutes=1)
    offered = {one.person for one in fit_for(desk(h), h.task("accept"))}
    assert street.person["closer"] not in offered
    street.check()


def test_for_a_later_step_only_own_posts_are_named_and_none_that_are_barred(h: Hazard) -> None:
    street = h.street
    h.report()
    definition = desk(h).context.definition
    street.do(
        name_substitute, street.person["acceptor"], street.person["closer"],
        end=street.at + timedelta(days=9), reason="休假", by=None,
    )  # fmt: skip
    street.later(minutes=1)
    named = {one.person for one in nameable(desk(h), definition.tasks["accept"])}
    assert street.person["acceptor"] in named
    assert street.person["closer"] not in named
    h.do("confirm").do("assign").do("sign_in").do("rectify")
    street.do(grant_post, street.person["owner"], "u-acceptance", "验收员", ["accept"],
              reason="兼任", by=None)  # fmt: skip
    street.later(minutes=1)
    named = {one.person for one in nameable(desk(h), definition.tasks["accept"])}
    assert street.person["owner"] not in named
    street.check()


def test_a_post_that_has_ended_names_nobody(h: Hazard) -> None:
    street = h.street
    h.report()
    people = desk(h).directory
    post = next(p.id for p in people.posts.values() if p.person == street.person["heater"])
    street.do(end_post, post, reason="离任", by=None)
    street.later(minutes=1)
    step = desk(h).context.definition.tasks["rectify"]
    assert street.person["heater"] not in {one.person for one in nameable(desk(h), step)}


# --- what is counted ------------------------------------------------------------------------------


def test_a_load_tells_open_near_late_stopped_and_asking_steps(h: Hazard) -> None:
    street = h.street
    owner, loads = street.person["owner"], lambda: _loads(h, "owner")
    h.assigned()
    assert loads() == {owner: Load(open=1)}
    street.later(minutes=50)
    assert loads() == {owner: Load(open=1, near=1)}
    street.later(minutes=20)
    assert loads() == {owner: Load(open=1, late=1)}
    h.do("sign_in")
    assert loads() == {owner: Load(open=1)}
    key = h.task("rectify").key
    h.act(request_extension, key, days=2, reason="等料", interim="围挡", by="owner")
    assert loads() == {owner: Load(open=1, asking=1)}
    street.check()


def test_a_stopped_clock_is_told_as_stopped(h: Hazard) -> None:
    h.assigned().do("sign_in")
    key = h.task("rectify").key
    h.act(
        request_pause, key, counterparty="供电公司", reason="等断电", by="owner",
        resume_by=h.street.at + timedelta(days=2), evidence=(photo("call"),),
    )  # fmt: skip
    h.act(grant_pause, key, "同意", by="assigner")
    assert _loads(h, "owner") == {h.street.person["owner"]: Load(open=1, paused=1)}
    h.street.check()


def _loads(h: Hazard, *names: str) -> Any:
    with h.street.database.begin() as conn:
        persons = {h.street.person[name] for name in names}
        return loads_of_persons(conn, persons, calendar(conn), h.street.at)


def test_a_unit_has_the_steps_it_answers_for_first_whoever_holds_them(h: Hazard) -> None:
    h.assigned()
    h.assigned(person=None)
    with h.street.database.begin() as conn:
        told = loads_of_units(conn, ["u-property", "u-heat"], calendar(conn), h.street.at)
    assert told == {"u-property": Load(open=2)}


def test_the_past_is_cases_of_the_kind_late_ones_and_those_of_the_community(h: Hazard) -> None:
    h.rectified()  # in time
    h.assigned()
    h.street.later(hours=3)
    h.do("sign_in").do("rectify")  # signed in late
    h.report(category="gas").do("confirm").do("assign").do("sign_in")
    since, now = h.street.at - timedelta(days=90), h.street.at + timedelta(seconds=1)
    owner, units = h.street.person["owner"], ["u-property", "u-heat"]
    usual: dict[str, Any] = {"category": "charging", "capacities": ["rectify"], "since": since}
    with h.street.database.begin() as conn:
        assert past_of_persons(conn, [owner], **usual) == {owner: Past(2, 1)}
        for other in ({"capacities": ["accept"]}, {"category": "other"}, {"since": now}):
            assert past_of_persons(conn, [owner], **usual | other) == {}
        assert past_of_units(conn, units, category="gas", since=since) == {"u-property": Past(1)}
        assert worked_in(conn, units, "u-tingtao", since) == {"u-property": 3}
        assert worked_in(conn, units, "u-other", since) == {}
        assert worked_in(conn, units, "u-tingtao", now) == {}
    assert community_of(desk(h)) == "u-tingtao"
    h.street.check()


def test_what_was_done_is_counted_as_far_as_one_sees_and_for_whom_it_was_done(h: Hazard) -> None:
    street = h.street
    h.rectified()
    street.do(
        name_substitute, street.person["owner"], street.person["heater"],
        end=street.at + timedelta(days=9), reason="休假", by=None,
    )  # fmt: skip
    street.later(minutes=1)
    h.assigned()
    street.later(hours=3)
    h.do("sign_in", by="heater", in_charge="代办")
    owner, heater = street.person["owner"], street.person["heater"]
    with street.database.begin() as conn:
        people = look(conn, h.case, street.at).directory

        def done(by: str, **more: Any) -> Any:
            told = {"since": street.at - timedelta(days=30), "at": street.at} | more
            return done_by_persons(conn, people, [owner, heater], by=street.by(by), **told)

        assert done("assigner") == {owner: Done(2, 1), heater: Done(0, 1)}
        # Whoever has no part in them and no duty over their place is told of none.
        assert done("visitor") == {owner: Done(), heater: Done()}
        assert done("assigner", since=street.at + timedelta(seconds=1)) == {
            owner: Done(),
            heater: Done(),
        }
    street.check()
