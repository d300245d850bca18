"""Lists for programs: signals, orders and acts, by key, within sight, and looks are recorded."""

from collections.abc import Callable

import pytest
from flask import Flask

from engine.signals import refresh
from engine.timekeeping import ring
from tests.conftest import Street
from tests.web.api_client import Program, program
from tests.web.paths import reported, signed_for
from web.signal_rules import signal_rules

Hands = Callable[[str], Program]


@pytest.fixture
def hands(app: Flask, web_street: Street) -> Hands:
    return lambda name: program(app, web_street, name)


def late(street: Street, count: int) -> list[str]:
    """Hazards that nobody confirms in time, found by B1; newest first."""
    cases = [reported(street) for _ in range(count)]
    street.later(days=4)
    for case in cases:
        street.do(ring, case)
    refresh(street.database, signal_rules(), lambda _: None)
    return sorted(cases, reverse=True)


def test_signals_go_on_behind_the_last_one_though_it_was_judged_meanwhile(
    hands: Hands, web_street: Street
) -> None:
    cases, watch = late(web_street, 3), hands("watch")
    first = watch.read("/signals", query_string={"limit": 1})
    (one,) = first["items"]
    assert one["case"] == cases[0]
    watch.do(f"{one['href']}/signals/B1/{one['entry']}/dismissal", {"reason": "停电"})
    second = watch.read(first["next"])
    third = watch.read(second["next"])
    assert [page["items"][0]["case"] for page in (second, third)] == cases[1:]
    assert third["next"] is None
    (judged,) = watch.read("/signals", query_string={"state": "dismissed"})["items"]
    assert judged["case"] == cases[0]
    web_street.check()


def test_a_place_that_nobody_gave_out_begins_the_signals_anew(
    hands: Hands, web_street: Street
) -> None:
    late(web_street, 1)
    for after in ("x", "~1~B1", "hazard~x~B1", f"hazard~{'9' * 40}~B1"):
        page = hands("watch").read("/signals", query_string={"after": after})
        assert len(page["items"]) == 1, after


def test_whoever_judges_no_signals_is_refused_the_list_and_told_none_of_a_case(
    hands: Hands, web_street: Street
) -> None:
    (case,) = late(web_street, 1)
    refused = hands("grid").get("/signals")
    assert refused.status_code == 403
    assert refused.json["type"].endswith("#refusal-not-for-your-post")
    assert hands("grid").read(f"/cases/{case}/signals")["items"] == []


def test_orders_are_paged_and_keep_their_place(hands: Hands, web_street: Street) -> None:
    watch = hands("watch")
    cases = {signed_for(web_street) for _ in range(3)}
    for case in cases:
        watch.do(f"/cases/{case}/supervisions", {"text": "三日内办结", "legal_basis": "规定"})
    seen, page = [], watch.read("/inbox/orders", query_string={"limit": 1})
    while page["next"]:
        seen += [one["case"] for one in page["items"]]
        page = watch.read(page["next"])
    seen += [one["case"] for one in page["items"]]
    assert len(seen) == 3
    assert set(seen) == cases
    web_street.check()


def test_a_search_for_a_person_is_on_the_record_before_it_tells_and_is_its_askers_alone(
    hands: Hands, web_street: Street
) -> None:
    signed_for(web_street)
    watch = hands("watch")
    search = watch.do("/acts", {"person": web_street.person["dispatch"]})
    entry = web_street.entries("@access")[-1]
    assert (entry.seq, entry.type) == (search["search"], "person.searched")
    assert entry.actor["channel"] == "api"
    assert watch.read(search["href"])["items"]
    for refused in (
        hands("leader").get(search["href"]),
        watch.get("/acts?search=999999999"),
    ):
        assert refused.status_code == 404
        assert refused.json["type"].endswith("#refusal-search-over")
    nobody = watch.act("/acts", {"person": "p-none"})
    assert nobody.json["type"].endswith("#refusal-unknown-person")
    web_street.check()


def test_acts_are_narrowed_as_on_the_page_and_unknown_kinds_find_nothing(
    hands: Hands, web_street: Street
) -> None:
    case, watch = signed_for(web_street), hands("watch")
    day = web_street.at.date().isoformat()
    for query, expected in (
        ({"kind": "opened"}, ["case.opened"]),
        ({"kind": "hazard.sign_in", "since": day, "until": day}, ["task.completed"]),
        ({"kind": "no.such"}, []),
        ({"unit": "u-none"}, []),
        ({"until": "2020-01-01"}, []),
    ):
        found = watch.read("/acts", query_string=query)["items"]
        assert [one["type"] for one in found] == expected, query
    (signed,) = watch.read("/acts", query_string={"kind": "hazard.sign_in"})["items"]
    assert (signed["case"], signed["timing"]["state"]) == (case, "in_time")
    assert watch.get("/acts?since=yesterday").status_code == 400
