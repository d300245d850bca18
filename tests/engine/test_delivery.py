"""What cases tell each other arrives exactly once, in both records, whatever dies on the way."""

import subprocess
import sys
from datetime import timedelta
from random import Random
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, text

from audit import log
from audit.entries import ENGINE
from engine import outbox
from engine.cases import Place
from engine.casework import read_case
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.delivery import deliver, deliver_one
from engine.errors import NotAllowed
from engine.forms import FormRefused
from engine.openers import NotTheOpener
from engine.parties import AlreadyAsked, NoSuchParty, NotJoinable, add_party, remove_party
from engine.people import create_unit, grant_post
from engine.rebuild import rebuild
from engine.sealed_answers import NoVault
from engine.site_codes import MOST_WRONG, WrongCode, note_wrong, show
from engine.state import CaseState
from engine.turns import NotDrawn, recall
from engine.vault import Vault
from engine.verification import verify
from tests.conftest import NOON, ROOT, Street
from tests.engine.tampering import forge, forget_live_states

GOLDEN = ROOT / "tests/golden/bpmn"
ANSWER = {"result": "done", "opinion": "可以办"}


@pytest.fixture
def calling(street: Street, vault: Vault) -> Street:
    """The street with a process that asks several units, and one by which they answer."""
    with street.database.begin() as conn:
        for process in ("calling", "answering"):
            deploy(conn, read_folder(GOLDEN / process), by=None, at=NOON)
        create_unit(conn, "u-heat", "company", "供热", parent="u-street", by=None, at=NOON)
        create_unit(conn, "u-gas", "company", "燃气", parent="u-street", by=None, at=NOON)
        for name, unit in (("accept", "u-heat"), ("accept2", "u-gas")):
            grant_post(
                conn, street.person[name], unit, "值班", ["rectify"], reason="兼", by=None, at=NOON
            )
    return street


def call(street: Street, parties: list[str]) -> str:
    form: dict[str, Any] = {"title": "停气"} | ({"parties": parties} if parties else {})
    case = street.report("calling", "dispatch", form=form, title="停气", category="gas")
    street.deliver()
    return case


def state(street: Street, case: str) -> CaseState:
    with street.database.begin() as conn:
        return read_case(conn, case)


def children(street: Street, case: str) -> dict[str, str]:
    """Party -> its case."""
    with street.database.begin() as conn:
        found = outbox.children_of(conn, [case])
    return {str(state(street, child).opened["party"]): child for _, _, child in found}


def answer(street: Street, case: str, child: str, by: str, **form: str) -> None:
    """Arrive with the code that the caller shows, and answer."""
    shown = street.do(show, case, by=street.by("dispatch"))
    street.complete(child, "arrive#1", by, {"people": "值班员"}, code=shown.code)
    street.later(minutes=5)
    street.complete(child, "answer#1", by, {**ANSWER, **form}, vault=street.vault)
    street.later(minutes=1)
    street.deliver()


def tell(street: Street, case: str, type_: str) -> list[dict[str, Any]]:
    return [entry.data for entry in street.entries(case) if entry.type == type_]


# --- opening and joining ------------------------------------------------------------------------


def test_every_party_gets_a_case_of_its_own_and_both_records_say_so(calling: Street) -> None:
    case = call(calling, ["u-heat", "u-gas"])
    found = children(calling, case)
    assert found.keys() == {"u-heat", "u-gas"}
    sent = [entry for entry in calling.entries(case) if entry.type == "message.sent"]
    for entry, child in zip(sent, found.values(), strict=True):
        opened = calling.entries(child)[0]
        assert opened.data["origin"] == {"case": case, "seq": entry.seq, "hash": entry.hash.hex()}
        assert opened.data["form"] == {"matter": "停气"}
        assert opened.actor["person"] == calling.person["dispatch"]
        assert opened.actor["channel"] == "case"
        assert state(calling, child).tasks["arrive#1"].units == (entry.data["party"],)
    assert state(calling, case).variables["ask"] == {"count": 2, "open": 2}
    calling.check()


def test_the_caller_goes_on_when_all_have_ended_and_not_before(calling: Street) -> None:
    case = call(calling, ["u-heat", "u-gas"])
    found = children(calling, case)
    answer(calling, case, found["u-heat"], "accept")
    assert list(state(calling, case).tasks) == ["thank#1"]
    assert state(calling, case).tasks["thank#1"].holder == calling.person["accept"]
    answer(calling, case, found["u-gas"], "accept2", result="not")
    after = state(calling, case)
    assert sorted(after.tasks) == ["conclude#1", "thank#1"]
    assert [child.outcome for child in after.children.values()] == ["done", "done"]
    assert calling.types(case).count("join.met") == 1
    calling.check()


def test_asking_nobody_joins_at_once(calling: Street) -> None:
    case = call(calling, [])
    assert list(state(calling, case).tasks) == ["conclude#1"]
    calling.check()


def test_what_twelve_say_is_all_there_at_the_join(calling: Street) -> None:
    units = [f"u-twelve-{n}" for n in range(12)]
    with calling.database.begin() as conn:
        for unit in units:
            create_unit(conn, unit, "company", unit, parent="u-street", by=None, at=NOON)
            who = calling.person["fixer"]
            grant_post(conn, who, unit, "值班", ["rectify"], reason="兼", by=None, at=NOON)
    case = call(calling, units)
    for n, child in enumerate(children(calling, case).values()):
        answer(calling, case, child, "fixer", opinion=f"意见 {n}")
    told = [data for data in tell(calling, case, "message.received") if "result" in data["form"]]
    assert len(told) == 12
    assert "conclude#1" in state(calling, case).tasks
    for n, child in enumerate(children(calling, case).values()):
        assert tell(calling, child, "answers.revealed")[0]["form"] == {"opinion": f"意见 {n}"}
    calling.check()


# --- 加签 减签 撤销 -------------------------------------------------------------------------------


def test_a_party_is_added_and_another_taken_off_while_they_work(calling: Street) -> None:
    case = call(calling, ["u-heat"])
    by = calling.by("dispatch")
    added = calling.do(add_party, case, "ask", "u-gas", "还有气", by=by)
    calling.deliver()
    assert children(calling, case).keys() == {"u-heat", "u-gas"}
    with pytest.raises(AlreadyAsked):
        calling.do(add_party, case, "ask", "u-gas", "再来", by=by)
    child = added.entries[-1].seq
    calling.do(remove_party, case, child, "不归他们", by=by)
    calling.deliver()
    gone = state(calling, children(calling, case)["u-gas"])
    assert gone.ended == "taken_off"
    assert state(calling, case).variables["ask"] == {"count": 2, "open": 1}
    with pytest.raises(NoSuchParty):
        calling.do(remove_party, case, child, "再减", by=by)
    answer(calling, case, children(calling, case)["u-heat"], "accept")
    assert "conclude#1" in state(calling, case).tasks
    calling.check()


def test_parties_are_added_only_by_whom_the_process_lets_and_while_some_work(
    calling: Street,
) -> None:
    case = call(calling, ["u-heat"])
    with pytest.raises(NotAllowed):
        calling.do(add_party, case, "ask", "u-gas", "要", by=calling.by("accept"))
    with pytest.raises(NoSuchParty):
        calling.do(add_party, case, "ask", "u-nowhere", "要", by=calling.by("dispatch"))
    with pytest.raises(NotJoinable):
        calling.do(add_party, case, "tell", "u-gas", "要", by=calling.by("dispatch"))
    answer(calling, case, children(calling, case)["u-heat"], "accept")
    with pytest.raises(NotJoinable):
        calling.do(add_party, case, "ask", "u-gas", "要", by=calling.by("dispatch"))
    calling.check()


def test_a_call_taken_back_ends_what_it_had_begun(calling: Street) -> None:
    case = call(calling, ["u-heat", "u-gas"])
    with pytest.raises(NotTheOpener):
        calling.do(recall, case, "误报", by=calling.by("accept"))
    calling.do(recall, case, "误报", by=calling.by("dispatch"))
    calling.deliver()
    assert state(calling, case).ended == "gone"
    assert {state(calling, child).ended for child in children(calling, case).values()} == {"off"}
    with pytest.raises(NotDrawn):
        calling.do(recall, case, "误报", by=calling.by("dispatch"))
    calling.check()


def test_only_the_duty_that_opens_a_case_opens_it(calling: Street) -> None:
    with pytest.raises(NotAllowed, match="指派"):
        calling.report("calling", "grid", form={"title": "停气"})


# --- 现场码 --------------------------------------------------------------------------------------


def test_arriving_takes_the_code_that_is_shown_on_the_spot(calling: Street) -> None:
    case = call(calling, ["u-heat"])
    child = children(calling, case)["u-heat"]

    def arrive(code: str) -> None:
        calling.complete(child, "arrive#1", "accept", {"people": "二人"}, code=code)

    with pytest.raises(WrongCode, match="没有有效"):
        arrive("123456")
    with pytest.raises(NotTheOpener):
        calling.do(show, case, by=calling.by("accept"))
    shown = calling.do(show, case, by=calling.by("dispatch"))
    with pytest.raises(WrongCode, match="不对"):
        arrive(f"{(int(shown.code) + 1) % 10**6:06d}")
    calling.later(minutes=11)
    with pytest.raises(WrongCode, match="没有有效"):
        arrive(shown.code)
    again = calling.do(show, case, by=calling.by("dispatch"))
    for _ in range(MOST_WRONG):
        calling.do(lambda conn, at: note_wrong(conn, child))
    with pytest.raises(WrongCode, match="没有有效"):
        arrive(again.code)
    third = calling.do(show, case, by=calling.by("dispatch"))
    arrive(f" {third.code[:3]} {third.code[3:]}")
    proof = tell(calling, child, "task.completed")[0]["proof"]
    assert (proof["case"], proof["code"]) == (case, third.code)
    calling.check()


# --- exactly once -------------------------------------------------------------------------------


def pending(street: Street) -> list[outbox.Pending]:
    with street.database.begin() as conn:
        return outbox.pending(conn)


def test_a_message_delivered_twice_arrives_once(calling: Street) -> None:
    form = {"title": "停气", "parties": ["u-heat"]}
    case = calling.report("calling", "dispatch", form=form)
    (message,) = pending(calling)
    for expected in (1, 0, 0):
        with calling.database.begin() as conn:
            assert deliver_one(conn, message, at=calling.at) == expected
    assert len(children(calling, case)) == 1
    calling.check()


def test_a_delivery_that_dies_half_way_is_made_again(
    calling: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"title": "停气", "parties": ["u-heat"]}
    case = calling.report("calling", "dispatch", form=form)

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "link", dies)
        with pytest.raises(KeyboardInterrupt):
            calling.deliver()
    assert len(pending(calling)) == 1
    assert children(calling, case) == {}
    calling.check()  # on its way is no fault
    calling.deliver()
    assert children(calling, case).keys() == {"u-heat"}
    calling.check()


def test_messages_arrive_once_though_callers_and_deliverers_are_killed(calling: Street) -> None:
    chance = Random(2026)
    url = calling.database.url.render_as_string(hide_password=False)
    cases: list[str] = []
    for _ in range(2):
        work = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.engine.crash_deliverer", url, what],
                cwd=ROOT, stdout=subprocess.PIPE, text=True,
            )
            for what in ("call", "deliver", "deliver")
        ]  # fmt: skip
        lines = [line for process in work for line in killed(process, chance.randint(4, 12))]
        cases += [line for line in lines if line.startswith("calling-")]
    calling.at += timedelta(days=2)
    calling.check()  # on its way or there, never both and never neither
    calling.deliver()
    assert len(cases) > 8
    for case in cases:
        assert children(calling, case).keys() == {"u-heat", "u-gas"}
    calling.check()


def killed(process: "subprocess.Popen[str]", enough: int) -> list[str]:
    """What it said until it had said enough, and had been killed."""
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(enough)]
    process.kill()
    lines += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    return [line.strip() for line in lines if line.endswith("\n")]


def test_what_cannot_be_delivered_stays_on_its_way_and_says_why(calling: Street) -> None:
    case = call(calling, ["u-heat"])
    child = children(calling, case)["u-heat"]
    shown = calling.do(show, case, by=calling.by("dispatch"))
    calling.complete(child, "arrive#1", "accept", {"people": "值班员"}, code=shown.code)
    with pytest.raises(NoVault):
        calling.complete(child, "answer#1", "accept", ANSWER)
    calling.complete(child, "answer#1", "accept", ANSWER, vault=calling.vault)
    delivered, stuck = deliver(calling.database, at=calling.at)  # no vault: nothing is opened
    assert delivered == 2
    assert len(stuck) == 1
    assert child in stuck[0]
    assert not tell(calling, child, "answers.revealed")
    calling.check()
    calling.deliver()
    assert tell(calling, child, "answers.revealed")
    calling.check()


def test_a_message_nobody_waits_for_is_noted_and_changes_nothing(calling: Street) -> None:
    case = call(calling, ["u-heat", "u-gas"])
    for unit, who in (("u-heat", "accept"), ("u-gas", "accept2")):
        answer(calling, case, children(calling, case)[unit], who)
    told = [data for data in tell(calling, case, "message.received") if "result" in data["form"]]
    assert ["key" in data for data in told] == [True, False]
    calling.check()


def test_rebuilding_finds_again_what_is_on_its_way_and_which_case_opened_which(
    calling: Street,
) -> None:
    case = call(calling, ["u-heat"])
    calling.do(add_party, case, "ask", "u-gas", "还有气", by=calling.by("dispatch"))
    before = pending(calling), children(calling, case)
    calling.do(lambda conn, at: rebuild(conn))
    forget_live_states()
    assert (pending(calling), children(calling, case)) == before
    calling.check()
    calling.deliver()
    assert children(calling, case).keys() == {"u-heat", "u-gas"}


# --- forgeries ----------------------------------------------------------------------------------


def problems(street: Street) -> str:
    with street.database.begin() as conn:
        return " / ".join(str(problem) for problem in verify(conn).problems)


def test_a_message_taken_off_the_outbox_unseen_is_noticed(calling: Street) -> None:
    calling.report("calling", "dispatch", form={"title": "停气", "parties": ["u-heat"]})
    with calling.database.begin() as conn:
        conn.execute(delete(outbox.message_table))
    assert "the message never arrived" in problems(calling)


def test_a_link_that_was_bent_is_noticed(calling: Street) -> None:
    call(calling, ["u-heat"])
    with calling.database.begin() as conn:
        conn.execute(text("UPDATE case_link SET seq = 99"))
    assert "another parent" in problems(calling)


def test_a_message_that_says_other_than_what_was_sent_is_noticed(calling: Street) -> None:
    from audit.entries import Draft

    case = call(calling, ["u-heat"])
    child = children(calling, case)["u-heat"]
    with calling.database.begin() as conn:
        head = log.take(conn, child)
        forged = {
            "message": "calling.recalled",
            "origin": {"hash": "00" * 32},
            "form": {},
            "key": next(iter(read_case(conn, child).messages)),
        }
        log.append(conn, head, [Draft("message.received", forged, ENGINE, calling.at)])
    assert "nobody sent" in problems(calling)


def test_a_telling_rewritten_at_its_receiver_is_noticed(calling: Street) -> None:
    case = call(calling, ["u-heat"])
    answer(calling, case, children(calling, case)["u-heat"], "accept")

    def change(bodies: list[dict[str, Any]]) -> None:
        told = next(body for body in bodies if "result" in body["data"].get("form", {}))
        told["data"]["form"]["result"] = "not"

    forge(calling, case, change)
    assert "says other than the message" in problems(calling)


def test_an_answer_opened_as_another_than_was_sealed_is_noticed(calling: Street) -> None:
    case = call(calling, ["u-heat"])
    child = children(calling, case)["u-heat"]
    answer(calling, case, child, "accept")

    def change(bodies: list[dict[str, Any]]) -> None:
        told = next(body for body in bodies if body["type"] == "answers.revealed")
        told["data"]["form"]["opinion"] = "办不了"

    forge(calling, child, change)
    assert "another answer than was sealed" in problems(calling)


def test_a_code_nobody_showed_is_noticed(calling: Street) -> None:
    case = call(calling, ["u-heat"])
    child = children(calling, case)["u-heat"]
    answer(calling, case, child, "accept")

    def change(bodies: list[dict[str, Any]]) -> None:
        told = next(body for body in bodies if "proof" in body["data"])
        told["data"]["proof"]["code"] = "000000"

    forge(calling, child, change)
    assert "not one that was shown" in problems(calling)


def test_a_place_is_taken_over_from_the_case_that_sends(calling: Street) -> None:
    form = {"title": "停气", "parties": ["u-heat"]}
    place = Place("u-grid-1", "听涛路 1 号")
    case = calling.report("calling", "dispatch", form=form, place=place)
    calling.deliver()
    opened = state(calling, children(calling, case)["u-heat"]).opened
    assert opened["place"]["address"] == "听涛路 1 号"
    assert opened["place"]["district"] == "u-district"


def test_a_case_that_is_not_there_cannot_be_named(calling: Street) -> None:
    files = read_folder(GOLDEN / "calling")
    form = orjson.loads(files["forms/report.json"])
    form["properties"]["linked"] = {"type": "string", "title": "有关案件", "x-widget": "case"}
    files["forms/report.json"] = orjson.dumps(form)
    calling.do(deploy, files, by=None)
    for wrong in ("calling-2026-00099", "@people"):
        with pytest.raises(FormRefused, match="没有编号"):
            calling.report("calling", "dispatch", form={"title": "停气", "linked": wrong})
    first = calling.report("calling", "dispatch", form={"title": "停气"})
    calling.report("calling", "dispatch", form={"title": "停气", "linked": first})
    calling.check()


def test_only_units_with_somebody_to_answer_are_asked(calling: Street) -> None:
    with pytest.raises(FormRefused, match="没有办理"):
        calling.report("calling", "dispatch", form={"title": "停气", "parties": ["u-micro-1"]})
    with pytest.raises(FormRefused, match="没有这个单位"):
        calling.report("calling", "dispatch", form={"title": "停气", "parties": ["u-nowhere"]})
