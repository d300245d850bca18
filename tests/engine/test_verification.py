"""Tampering beneath the triggers: each forgery is named with its case, its event and what is wrong.

What verification cannot know without a head kept elsewhere is said as plainly, as a claim.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from audit import log
from audit.chain import Problem
from audit.encoding import canonical, instant, timestamp
from audit.entries import Draft, leaf_hash
from engine import calendar_versions, definition_sets
from engine.calendar_versions import CalendarDamaged, calendar
from engine.holding import claim_task
from engine.oversight import urge
from engine.people import correct_name, grant_post
from engine.timekeeping import grant_extension, request_extension, ring
from engine.verification import NothingToVerify, Verdict, verify, verify_on_all_cores
from tests.conftest import Street, photo
from tests.engine.tampering import beneath, forge, forget_live_states, remove_case

Bodies = list[dict[str, Any]]


def lived(street: Street) -> str:
    """A case that has seen everything: claims, alarms, a rule, an extension, a rework, a lot."""
    case = street.report()
    street.later(hours=3)
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    street.later(hours=2)
    made(street, case, 1)
    street.complete(case, "check_size#1", "accept", {"passed": False, "reason": "偏大"})
    street.complete(case, "check_look#1", "accept2", {"passed": True})
    street.later(minutes=5)
    mine = {"by": street.by("grid")}
    street.do(claim_task, case, "make#2", **mine)
    street.do(request_extension, case, "make#2", days=1, reason="缺料", interim="围挡", **mine)
    street.do(grant_extension, case, "make#2", "可以", by=street.by("leader"))
    street.later(days=4)
    street.do(ring, case)
    made(street, case, 2)
    street.complete(case, "check_size#2", "accept", {"passed": True})
    street.complete(case, "check_look#2", "accept2", {"passed": True})
    street.do(urge, case, "请抓紧", by=street.by("watch"))
    street.check()
    return case


def made(street: Street, case: str, n: int) -> None:
    street.complete(case, f"make#{n}", "grid", {"what": "拆除"}, evidence=[photo()])
    street.later(hours=1)


@pytest.fixture
def case(street: Street) -> str:
    return lived(street)


def problems(street: Street, **only: str) -> tuple[Problem, ...]:
    """What a verifier finds who has just been started and remembers nothing."""
    forget_live_states()
    definition_sets._parsed.clear()
    calendar_versions._calendars.clear()
    calendar_versions._current.clear()
    with street.database.begin() as conn:
        found: Verdict = verify(conn, **only)  # type: ignore[arg-type]
    assert found.ok is not bool(found.problems)
    return found.problems


def only_problem(street: Street) -> Problem:
    found = problems(street)
    assert len(found) == 1, found
    return found[0]


def first(bodies: Bodies, type_: str, nth: int = 0) -> int:
    """The place of the nth event of a type in a list of bodies."""
    return [place for place, body in enumerate(bodies) if body["type"] == type_][nth]


def with_field(bodies: Bodies, field: str, nth: int = 0) -> dict[str, Any]:
    """The nth case.advanced that tells of a field, e.g. of gateways."""
    found: dict[str, Any] = [b for b in bodies if field in b["data"]][nth]
    return found


def dropped(bodies: Bodies, place: int, count: int = 1) -> None:
    """Leave events out, and let what followed name the right causes again."""
    del bodies[place : place + count]
    for body in bodies:
        if body.get("cause", 0) > place:
            body["cause"] -= count
        for name in ("request", "predecessor"):
            if body["data"].get(name, 0) > place:
                body["data"][name] -= count


# --- the whole chain rewritten: what replay names -------------------------------------------------


def other_gateway(bodies: Bodies) -> None:
    with_field(bodies, "gateways")["data"]["gateways"][0]["flow"] = "flow_passed"


def other_rule_result(bodies: Bodies) -> None:
    with_field(bodies, "rules")["data"]["rules"][0]["outputs"]["big"] = True


def other_rule_inputs(bodies: Bodies) -> None:
    inputs = with_field(bodies, "rules")["data"]["rules"][0]["inputs"]
    inputs[next(iter(inputs))] = "metal"


def other_rule(bodies: Bodies) -> None:
    with_field(bodies, "rules")["data"]["rules"][0]["sha256"] = "00" * 32


def other_lot(bodies: Bodies) -> None:
    lot = with_field(bodies, "lots")["data"]["lots"][0]
    lot["drawn"] = not lot["drawn"]


def later_deadline(bodies: Bodies) -> None:
    data = bodies[first(bodies, "deadline.set", 1)]["data"]
    data["due"] = timestamp(instant(data["due"]) + timedelta(days=30))


def more_minutes(bodies: Bodies) -> None:
    bodies[first(bodies, "deadline.set", 1)]["data"]["allowed"] += 1


def other_class(bodies: Bodies) -> None:
    bodies[first(bodies, "deadline.set", 1)]["data"]["class"] = "WD5"


def punctual(bodies: Bodies) -> None:
    closed = with_field(bodies, "closed", 1)["data"]["closed"][0]
    closed |= {"used": 1, "late": 0, "in_time": True}


def other_receipt(bodies: Bodies) -> None:
    bodies[first(bodies, "receipt.issued")]["data"]["receipt"] = "R-AAAA-AAAA"


def other_opening(bodies: Bodies) -> None:
    # The receipt is drawn from the hash of the first event: no word of it can be changed alone.
    bodies[0]["data"]["title"] = "没有什么事"


def other_answer(bodies: Bodies) -> None:
    bodies[first(bodies, "task.completed", 2)]["data"]["form"]["passed"] = True


def claim_left_out(bodies: Bodies) -> None:
    dropped(bodies, first(bodies, "task.claimed"))


def act_left_out(bodies: Bodies) -> None:
    place = first(bodies, "task.completed")
    facts = [b for b in bodies if b.get("cause") == place + 1]
    dropped(bodies, place, 1 + len(facts))


def alarm_left_out(bodies: Bodies) -> None:
    dropped(bodies, first(bodies, "deadline.warned"))


def overdue_left_out(bodies: Bodies) -> None:
    dropped(bodies, first(bodies, "overdue.opened"))


def alarm_of_another_time(bodies: Bodies) -> None:
    body = bodies[first(bodies, "deadline.warned")]
    body["data"]["due"] = timestamp(instant(body["data"]["due"]) + timedelta(minutes=1))


def alarm_of_another_share(bodies: Bodies) -> None:
    bodies[first(bodies, "deadline.warned")]["data"]["percent"] = 80


def alarm_by_a_person(bodies: Bodies) -> None:
    body = bodies[first(bodies, "overdue.opened")]
    body["actor"] = bodies[first(bodies, "task.claimed")]["actor"]


def fact_left_out(bodies: Bodies) -> None:
    dropped(bodies, first(bodies, "deadline.set"))


def fact_too_many(bodies: Bodies) -> None:
    place = first(bodies, "receipt.issued")
    bodies.insert(place + 1, dict(bodies[place]))


def fact_of_another_cause(bodies: Bodies) -> None:
    bodies[first(bodies, "deadline.set", 2)]["cause"] = 1


def fact_by_a_person(bodies: Bodies) -> None:
    claimed = bodies[first(bodies, "task.claimed")]
    bodies[first(bodies, "case.advanced", 1)]["actor"] = claimed["actor"]


def fact_of_nothing(bodies: Bodies) -> None:
    place = first(bodies, "task.claimed")
    fact = dict(bodies[first(bodies, "receipt.issued")], cause=place, at=bodies[place]["at"])
    bodies.insert(place + 1, fact)


def first_event_left_out(bodies: Bodies) -> None:
    del bodies[0]


def other_definition(bodies: Bodies) -> None:
    bodies[0]["data"]["definition"]["sha256"] = "00" * 32


def other_kernel(bodies: Bodies) -> None:
    bodies[0]["data"]["kernel"] = "spiff-2.0.0/1"


def other_calendar(bodies: Bodies) -> None:
    for body in bodies:
        if "calendar" in body["data"]:
            body["data"]["calendar"]["sha256"] = "00" * 32


def calendar_of_no_version(bodies: Bodies) -> None:
    for body in bodies:
        if "calendar" in body["data"]:
            body["data"]["calendar"]["version"] = 9


def act_on_a_step_not_open(bodies: Bodies) -> None:
    bodies[first(bodies, "task.completed", 3)]["data"]["task"] = "check_look#9"


def act_done_twice(bodies: Bodies) -> None:
    place = first(bodies, "task.completed")
    bodies.append({**bodies[place], "at": bodies[-1]["at"]})


def an_alarm_invented(bodies: Bodies) -> None:
    place = first(bodies, "task.completed", 3)
    told = {"task": "check_look#1", "due": bodies[place]["at"]}
    warned = bodies[first(bodies, "overdue.opened")]
    bodies.insert(place, {**warned, "at": bodies[place]["at"], "data": told})
    for body in bodies[place:]:
        if "cause" in body:
            body["cause"] += 1


def a_type_nobody_knows(bodies: Bodies) -> None:
    bodies[-1]["type"] = "case.forgotten"


def a_field_nobody_knows(bodies: Bodies) -> None:
    bodies[-1]["data"]["hidden"] = "x"


def a_register_event_in_a_case(bodies: Bodies) -> None:
    bodies[-1] |= {"type": "person.registered"}


# Where each is noticed, and how: at what was changed, or where what was left out is missed.
FORGERIES: dict[Callable[[Bodies], None], tuple[int, str]] = {
    other_gateway: (20, "case.advanced.gateways: recorded"),
    other_rule_result: (8, "case.advanced.rules: recorded"),
    other_rule_inputs: (8, "case.advanced.rules: recorded"),
    other_rule: (8, "case.advanced.rules: recorded"),
    other_lot: (41, "case.advanced.lots: recorded"),
    later_deadline: (9, "deadline.set.due: recorded"),
    more_minutes: (9, "deadline.set.allowed: recorded"),
    other_class: (9, "deadline.set.class: recorded"),
    punctual: (12, "case.advanced.closed: recorded"),
    other_receipt: (4, "receipt.issued.receipt: recorded"),
    other_opening: (4, "receipt.issued.receipt: recorded"),
    other_answer: (20, "case.advanced.gateways: recorded"),
    claim_left_out: (7, "case.advanced.closed: recorded"),
    act_left_out: (7, "deadline.warned of prepare#1 was due and not recorded"),
    alarm_left_out: (5, "deadline.warned of prepare#1 was due and not recorded"),
    overdue_left_out: (28, "overdue.opened of make#2 was due and not recorded"),
    alarm_of_another_time: (5, "deadline.warned of prepare#1 was due and not recorded"),
    alarm_of_another_share: (5, "deadline.warned of prepare#1 was due and not recorded"),
    alarm_by_a_person: (28, "overdue.opened is not done by a person"),
    an_alarm_invented: (19, "a clock is recorded as run out that was not due"),
    fact_left_out: (3, "recorded receipt.issued, replay gives deadline.set"),
    fact_too_many: (5, "a fact too many"),
    fact_of_another_cause: (13, "another cause, actor or time than its act"),
    fact_by_a_person: (8, "case.advanced is not done by a person"),
    fact_of_nothing: (7, "a fact too many"),
    first_event_left_out: (1, "the cause does not lie before its consequence"),
    other_definition: (1, "cannot be replayed: UnknownDefinition"),
    other_kernel: (1, "kernel spiff-2.0.0/1 is not known here"),
    other_calendar: (1, "calendar 1 has another content than was recorded"),
    calendar_of_no_version: (1, "calendar 9 is gone"),
    act_on_a_step_not_open: (19, "cannot be replayed"),
    act_done_twice: (43, "cannot be replayed"),
    a_type_nobody_knows: (42, "unknown type case.forgotten"),
    a_field_nobody_knows: (42, "not known ['hidden']"),
    a_register_event_in_a_case: (42, "does not belong into"),
}


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.__name__)
def test_a_forgery_with_the_whole_chain_rewritten_is_named_by_replay(
    street: Street, case: str, forgery: Callable[[Bodies], None]
) -> None:
    forge(street, case, forgery)
    found = only_problem(street)
    seq, what = FORGERIES[forgery]
    assert (found.case, found.seq) == (case, seq)
    assert what in found.what
    assert problems(street, case=case) == (found,)


def raw(street: Street, stream: str) -> list[bytes]:
    with street.database.begin() as conn:
        query = text("SELECT body FROM event WHERE stream = :s ORDER BY seq")
        return [bytes(body) for body in conn.execute(query, {"s": stream}).scalars()]


def test_words_that_steer_nothing_are_guarded_by_the_chain_alone(street: Street, case: str) -> None:
    # Rewritten with every link after it, a remark is as good as any other: evidence begins where a
    # head leaves the operator's hands. Named here so that nobody believes otherwise.
    def other_words(bodies: Bodies) -> None:
        bodies[first(bodies, "case.urged")]["data"]["text"] = "不急"

    forge(street, case, other_words)
    assert problems(street) == ()


def test_leaving_out_the_last_acts_with_their_state_is_not_noticed_without_a_head_kept_elsewhere(
    street: Street,
) -> None:
    from engine.rebuild import rebuild

    case = lived(street)
    forge(street, case, lambda bodies: bodies.pop())
    assert "stored state" in only_problem(street).what
    street.do(lambda conn, at: rebuild(conn))
    assert problems(street) == ()


# --- single rows changed --------------------------------------------------------------------------


def test_a_changed_byte_of_a_body_is_named(street: Street, case: str) -> None:
    body = raw(street, case)[6].replace(b"p-00", b"p-99")
    assert body != raw(street, case)[6]
    beneath(street, "UPDATE event SET body = :b WHERE stream = :c AND seq = 7", b=body, c=case)
    assert only_problem(street) == Problem(
        case, 7, "stored hash is not the hash of the stored bytes", "bytes"
    )


def test_a_changed_body_with_its_hash_is_named_at_the_next_event(street: Street, case: str) -> None:
    body = raw(street, case)[6].replace(b"p-00", b"p-99")
    beneath(
        street,
        "DELETE FROM outbox",
        "UPDATE event SET body = :b, hash = :h WHERE stream = :c AND seq = 7",
        b=body, h=leaf_hash(body), c=case,
    )  # fmt: skip
    found = only_problem(street)
    assert (found.seq, found.what) == (8, "chain broken: prev is not the hash of the event before")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE event SET type = 'case.urged' WHERE stream = :c AND seq = 3", "than the columns"),
        ("UPDATE event SET hash = body WHERE stream = :c AND seq = 3", "not the hash"),
        ("UPDATE event SET seq = 900 WHERE stream = :c AND seq = 3", "gap: expected event 3"),
        ("UPDATE stream_head SET seq = seq - 1 WHERE stream = :c", "the head says"),
        ("UPDATE stream_head SET hash = :h WHERE stream = :c", "the head says"),
        ("DELETE FROM stream_head WHERE stream = :c", "the head says 0 events"),
        ('UPDATE case_register SET seq = seq - 1 WHERE "case" = :c', "stored state is that of"),
        ("UPDATE case_register SET kernel = 'x' WHERE \"case\" = :c", "kernel x"),
        ('UPDATE case_register SET state = :h WHERE "case" = :c', "stored state is not what"),
        ('UPDATE case_register SET alarm = NULL WHERE "case" = :c', "another alarm"),
        ("UPDATE case_register SET status = 'done' WHERE \"case\" = :c", "another status"),
        ('UPDATE case_register SET ended_at = last_at WHERE "case" = :c', "another ended_at"),
        ("UPDATE open_task SET holder = 'p-0001' WHERE \"case\" = :c", "inbox shows other"),
        ('DELETE FROM open_task WHERE "case" = :c', "inbox shows other"),
        ("UPDATE act SET person = 'p-0003' WHERE \"case\" = :c", "search for acts shows others"),
        ('UPDATE act SET late = 9 WHERE "case" = :c AND seq = 1', "search for acts shows others"),
        ('DELETE FROM act WHERE "case" = :c AND seq = 1', "search for acts shows others"),
        ('DELETE FROM part WHERE "case" = :c', "others are told to have a part"),
        ('UPDATE part SET did = 0 WHERE "case" = :c', "others are told to have a part"),
        ("UPDATE case_register SET title = 'x' WHERE \"case\" = :c", "tells another number, title"),
        ("UPDATE case_register SET address = 'x' WHERE \"case\" = :c", "tells another number"),
        ('DELETE FROM case_text WHERE "case" = :c', "a search for a part"),
        ('UPDATE case_text SET day = day + 1 WHERE "case" = :c', "a search for a part"),
    ],
)  # fmt: skip
def test_a_changed_row_is_named(street: Street, change: str, what: str) -> None:
    case = street.report()
    values: dict[str, Any] = {"c": case} | ({"h": b"{}"} if ":h" in change else {})
    if "SET hash = body" in change or "SET seq = 900" in change:
        beneath(street, "DELETE FROM outbox", change, **values)
    else:
        beneath(street, change, **values)
    found = only_problem(street)
    assert found.case == case
    assert what in found.what


def test_an_event_appended_by_hand_is_named(street: Street, case: str) -> None:
    entries = street.entries(case)
    last = entries[-1]
    body = canonical(
        {**orjson.loads(last.body), "seq": last.seq + 1, "prev": last.hash.hex(),
         "data": {"text": "已办结"}}
    )  # fmt: skip
    insert = (
        "INSERT INTO event (stream, seq, type, at, body, hash)"
        " VALUES (:c, :n, 'case.urged', :t, :b, :h)"
    )
    row = {"c": case, "n": last.seq + 1, "t": timestamp(last.at), "b": body, "h": leaf_hash(body)}
    # The append-only triggers let it pass, as they must: it is an append.
    with street.database.begin() as conn:
        conn.execute(text(insert), row)
    assert "the head says" in only_problem(street).what
    with street.database.begin() as conn:
        moved = "UPDATE stream_head SET seq = :n, hash = :h WHERE stream = :c"
        conn.execute(text(moved), {name: row[name] for name in ("n", "h", "c")})
    found = only_problem(street)
    assert found.seq == last.seq + 1
    assert "stored state" in found.what


def test_an_event_written_by_the_log_but_by_no_command_is_named(street: Street, case: str) -> None:
    # Whoever can call audit.log can append; the state beside it was not carried on.
    actor = street.entries(case)[-1].actor
    with street.database.begin() as conn:
        log.append(
            conn, log.take(conn, case), [Draft("case.urged", {"text": "x"}, actor, street.at)]
        )
    assert "stored state" in only_problem(street).what


def test_a_case_taken_out_altogether_leaves_its_number(street: Street, case: str) -> None:
    other = street.report()
    remove_case(street, case)
    assert only_problem(street) == Problem(
        case, 1, "its number was given out, and the log has nothing of it"
    )
    with street.database.begin() as conn, pytest.raises(NothingToVerify, match=case):
        verify(conn, case=case)
    assert problems(street, case=other) == ()


ADD_DEFINITION = (
    "INSERT INTO definition_set SELECT 'ab', key, 9, files, deployed_at FROM definition_set"
    " WHERE key = 'minimal'"
)
ADD_POST = (
    "INSERT INTO post SELECT 'k-9999', :p, unit, title, duties, since, until FROM post"
    " WHERE title = '督查'"
)


# --- what stands behind the cases -----------------------------------------------------------------


def test_changed_bytes_of_a_definition_are_named(street: Street, case: str) -> None:
    with street.database.begin() as conn:
        rows = conn.execute(text("SELECT sha256, bytes FROM definition_file")).all()
        listed = {row.sha256: bytes(row.bytes) for row in rows}
        conn.execute(
            text("UPDATE definition_file SET bytes = :b WHERE sha256 = :s"),
            [{"s": s, "b": b.replace(b"WD5", b"WD1")} for s, b in listed.items() if b"WD5" in b],
        )
    found = problems(street)
    registers = [problem for problem in found if problem.case == "@definitions"]
    assert [problem.what for problem in registers] == [
        "definition workshop version 1: deadlines.toml is missing or was changed",
        "definition workshop version 1: workshop.bpmn is missing or was changed",
    ]
    assert {problem.seq for problem in registers} == {1}
    # And no case is judged by them.
    assert "DefinitionDamaged" in next(p.what for p in found if p.case == case)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE definition_set SET version = 7 WHERE key = 'minimal'", "not stored as it was"),
        ("UPDATE definition_set SET deployed_at = '2020'", "not stored as it was deployed"),
        (
            ADD_DEFINITION,
            "definition ab was never deployed",
        ),
        (
            "UPDATE definition_set SET digest = 'cd' WHERE key = 'minimal'",
            "definition minimal version 1 is not stored",
        ),
    ],
)
def test_a_changed_list_of_definitions_is_named(street: Street, change: str, what: str) -> None:
    beneath(street, change)
    found = problems(street)
    assert {problem.case for problem in found} == {"@definitions"}
    assert what in " ".join(problem.what for problem in found)


def test_changed_bytes_of_a_calendar_are_named_and_the_calendar_is_not_used(
    street: Street, case: str
) -> None:
    with street.database.begin() as conn:
        toml = bytes(conn.execute(text("SELECT bytes FROM calendar_version")).scalar_one())
        changed = toml.replace(b"2026-03-", b"2026-04-", 1) + b"# \n"
        conn.execute(text("UPDATE calendar_version SET bytes = :b"), {"b": changed})
    found = {problem.case: problem for problem in problems(street)}
    missing = "calendar 1 is missing or was changed"
    assert found["@calendar"] == Problem("@calendar", 1, missing, "pinned")
    assert "CalendarDamaged" in found[case].what or "is gone" in found[case].what
    with street.database.begin() as conn, pytest.raises(CalendarDamaged, match="改动"):
        calendar(conn)


def test_a_calendar_with_its_hash_changed_too_is_named(street: Street, case: str) -> None:
    import hashlib

    with street.database.begin() as conn:
        toml = bytes(conn.execute(text("SELECT bytes FROM calendar_version")).scalar_one()) + b"#\n"
        digest = hashlib.sha256(toml).hexdigest()
        conn.execute(
            text("UPDATE calendar_version SET bytes = :b, sha256 = :h"), {"b": toml, "h": digest}
        )
    found = {problem.case: problem.what for problem in problems(street)}
    assert found["@calendar"] == "calendar 1 is missing or was changed"
    assert "another content than was recorded" in found[case]


def test_names_swapped_in_the_directory_are_named(street: Street) -> None:
    one, other = street.person["fixer"], street.person["accept"]
    with street.database.begin() as conn:
        rows = conn.execute(text("SELECT person, name, salt FROM person_name")).all()
        kept = {row.person: row for row in rows}
        for person, as_ in ((one, other), (other, one)):
            conn.execute(
                text("UPDATE person_name SET name = :n, salt = :s WHERE person = :p"),
                {"n": kept[as_].name, "s": kept[as_].salt, "p": person},
            )
    found = problems(street)
    assert [problem.case for problem in found] == ["@people", "@people"]
    assert {one, other} == {problem.what.split()[4] for problem in found}
    registered = {e.data["person"]: e.seq for e in street.entries("@people") if e.type[:3] == "per"}
    assert {problem.seq for problem in found} == {registered[one], registered[other]}


def test_a_corrected_or_erased_name_is_in_order(street: Street) -> None:
    street.do(correct_name, street.person["fixer"], "改名演示", by=None)
    beneath(street, "DELETE FROM person_name WHERE person = :p", p=street.person["accept"])
    assert problems(street) == ()


@pytest.mark.parametrize(
    ("change", "stream", "what"),
    [
        ("UPDATE post SET person = :p WHERE title = '督查'", "@people", "is not what was recorded"),
        ("UPDATE post SET until = '2026-01-01T00:00:00.000Z' WHERE title = '督查'", "@people",
         "is not what was recorded"),
        ("DELETE FROM post WHERE title = '督查'", "@people", "is missing"),
        (ADD_POST, "@people", "was never recorded"),
        ("UPDATE person SET commitment = 'x' WHERE id = :p", "@people", "is not what was recorded"),
        ("UPDATE unit SET parent = NULL WHERE id = 'u-property'", "@units", "is not what was"),
        ("UPDATE unit SET name = '别的物业' WHERE id = 'u-property'", "@units", "is not what was"),
    ],
)  # fmt: skip
def test_posts_and_units_changed_by_hand_are_named(
    street: Street, change: str, stream: str, what: str
) -> None:
    values = {"p": street.person["fixer"]} if ":p" in change else {}
    beneath(street, change, **values)
    found = problems(street)
    assert {problem.case for problem in found} == {stream}
    assert what in found[0].what


def test_a_register_rewritten_to_fit_the_changed_table_is_as_good_as_another(
    street: Street,
) -> None:
    # The chain of a register guards it no more than that of a case: the head has to be elsewhere.
    watch = next(e for e in street.entries("@people") if e.data.get("title") == "督查")

    def other_person(bodies: Bodies) -> None:
        bodies[watch.seq - 1]["data"]["person"] = street.person["fixer"]

    forge(street, "@people", other_person)
    assert "is not what was recorded" in only_problem(street).what
    beneath(street, "UPDATE post SET person = :p WHERE title = '督查'", p=street.person["fixer"])
    assert problems(street) == ()


@pytest.mark.parametrize("stream", ["@units", "@people", "@calendar", "@definitions"])
def test_a_register_taken_out_altogether_leaves_its_tables_behind(
    street: Street, stream: str
) -> None:
    beneath(
        street,
        "DELETE FROM outbox WHERE hash IN (SELECT hash FROM event WHERE stream = :s)",
        "DELETE FROM event WHERE stream = :s",
        "DELETE FROM stream_head WHERE stream = :s",
        s=stream,
    )
    found = problems(street)
    assert {problem.case for problem in found} == {stream}
    assert "never" in found[0].what


def test_a_post_granted_in_order_is_in_order(street: Street) -> None:
    street.do(
        grant_post, street.person["fixer"], "u-street", "兼岗", ["accept"], reason="兼", by=None
    )
    assert problems(street) == ()


# --- the verifier itself --------------------------------------------------------------------------


def test_several_processes_find_what_one_finds(street: Street, case: str) -> None:
    others = [street.report() for _ in range(3)]
    forge(street, case, later_deadline)
    beneath(street, "UPDATE unit SET name = '别' WHERE id = 'u-city'")
    remove_case(street, others[1])
    seen: list[str] = []
    url = street.database.url.render_as_string(hide_password=False)
    found = verify_on_all_cores(url, workers=2, seen=seen.append)
    alone = problems(street)
    assert sorted(map(str, found.problems)) == sorted(map(str, alone))
    assert len(alone) == 3
    assert case in seen
    assert found.cases == 3


def test_every_problem_of_a_log_is_told_not_only_the_first_case(street: Street, case: str) -> None:
    other = street.report()
    forge(street, case, later_deadline)
    beneath(street, 'UPDATE case_register SET alarm = NULL WHERE "case" = :c', c=other)
    assert [problem.case for problem in problems(street)] == sorted([case, other])


def test_a_case_nobody_opened_is_refused_in_words(street: Street) -> None:
    with (
        street.database.begin() as conn,
        pytest.raises(NothingToVerify, match="workshop-2026-09999"),
    ):
        verify(conn, case="workshop-2026-09999")
