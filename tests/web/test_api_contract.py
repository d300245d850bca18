"""Every operation of the served document is carried out, and each answer is held against it.

`tests.web.api_client` validates every answer as it comes; here is the working day that gets them.
"""

import re
from collections.abc import Callable
from io import BytesIO

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from audit.early_warning.thresholds import read_thresholds
from engine.early_warning import raise_warnings
from engine.notice_board import Outlets
from engine.signals import refresh
from engine.timekeeping import ring
from tests.conftest import Street
from tests.engine.test_index_editions import adopt
from tests.web import api_client
from tests.web.api_client import Program, program
from tests.web.conftest import photo
from tests.web.paths import CONFIRMED, closed, reported, signed_for
from tests.web.test_metric_pages import counted
from tests.web.whistle_pages import *  # noqa: F403
from web.api.document import document
from web.api.shapes import Asked, Told
from web.config import Settings
from web.formulas import formulas
from web.press import make_waiting
from web.signal_rules import signal_rules

Hands = Callable[[str], Program]
HAZARD = {
    "title": "车棚飞线充电",
    "category": "charging",
    "address": "听涛苑 3 幢",
    "description": "有人从楼上拉线充电",
}


@pytest.fixture
def hands(app: Flask, web_street: Street) -> Hands:
    """A program for each person, made when it is first asked for."""
    made: dict[str, Program] = {}

    def of(name: str) -> Program:
        return made.setdefault(name, program(app, web_street, name))

    return of


def step(case: str, task: str, act: str = "") -> str:
    return f"/cases/{case}/tasks/{task.replace('#', '%23')}" + (f"/{act}" if act else "")


def sent(who: Program, purpose: str) -> str:
    file = {"file": (BytesIO(photo(purpose_colour[purpose])), "p.jpg", "image/jpeg")}
    answer = who.send("POST", f"/evidence?purpose={purpose}", data=file)
    assert answer.status_code == 201, answer.text
    return str(answer.json["token"])


purpose_colour = {"before": "red", "after": "green", "site": "blue", "call": "grey"}


def acts_of(who: Program, path: str) -> set[str]:
    return {one["act"] for one in who.read(path)["acts"]}


def test_every_operation_is_carried_out_and_answers_what_the_document_says(
    hands: Hands, web_street: Street, app: Flask, settings: Settings
) -> None:
    api_client.SEEN.clear()
    case = from_report_to_closing(hands, web_street)
    turns_and_time(hands, web_street)
    over_the_case(hands, web_street, case, settings)
    whistles(hands, web_street, app)
    typed_for_a_colleague(hands, web_street)
    signals(hands, web_street)
    month_counted(hands, web_street)
    line_crossed(hands, web_street)
    month_published(hands, web_street)
    who_did_what(hands, web_street)
    the_register(hands)
    done = {(method, path) for method, path, status in api_client.SEEN if status < 300}
    told = {(method, path) for path, item in document(app)["paths"].items() for method in item}
    assert told - done == set()
    web_street.check()


def from_report_to_closing(hands: Hands, street: Street) -> str:
    grid, head, dispatch, fixer = (hands(name) for name in ("grid", "head", "dispatch", "fixer"))
    assert grid.read("/me")["person"]["name"] == "grid演示"
    assert "hazard" in {kind["process"] for kind in grid.read("/begin")["items"]}
    asked = grid.read("/begin/hazard")
    assert asked["form"]["schema"]["properties"].keys() >= {"title", "category"}
    assert "u-micro-1" in {place["id"] for place in asked["places"]}
    case = grid.do("/cases", {
        "process": "hazard", "place": "u-micro-1", "form": HAZARD,
        "evidence": [sent(grid, "before")],
    })["case"]  # fmt: skip
    street.later(minutes=5)
    assert head.read("/inbox")["claimable"] == 1
    (waits,) = head.read("/inbox/claimable")["items"]
    assert waits["task"] == "confirm#1"
    assert acts_of(head, waits["href"]) >= {"claim", "completion"}
    for act in ("claim", "release", "claim"):
        head.do(step(case, "confirm#1", act), {"reason": "出差"} if act == "release" else None)
    assert [row["case"] for row in head.read("/inbox/mine")["items"]] == [case]
    person = street.person
    head.do(step(case, "confirm#1", "delegation"), {"to": person["head2"], "reason": "我出差"})
    told = {"to": person["head"], "reason": "回来了"}
    dispatch.do(step(case, "confirm#1", "reassignment"), told)
    done = head.do(step(case, "confirm#1", "completion"), {"form": CONFIRMED, "note": "看过"})
    assert done["tasks"] == ["assign#1"]
    assigned = {"unit": "u-property", "person": person["fixer"], "acceptor": person["accept"],
                "term": "graded", "legal_basis": "充电停放规定"}  # fmt: skip
    dispatch.do(step(case, "assign#1", "completion"), {"form": assigned})
    fixer.do(step(case, "sign_in#1", "completion"), {"form": {"in_charge": "工程主管"}})
    street.later(hours=3)
    fixed = {"done": "拆除 6 处飞线", "done_at": "2026-03-02T10:00:00+08:00"}
    files = [sent(fixer, "before"), sent(fixer, "after")]
    fixer.do(step(case, "rectify#1", "completion"), {"form": fixed, "evidence": files})
    passed = {"visited_at": "2026-03-02T03:30:00Z", "checks": ["visited", "gone"],
              "result": "pass"}  # fmt: skip
    accept = hands("accept")
    told = {"form": passed, "evidence": [sent(accept, "site")]}
    accept.do(step(case, "accept#1", "completion"), told)
    assert grid.read("/inbox/started")["items"][0]["case"] == case
    assert fixer.read("/inbox/done")["items"][0]["case"] == case
    return str(case)


def turns_and_time(hands: Hands, street: Street) -> None:
    fixer, leader, dispatch = hands("fixer"), hands("leader"), hands("dispatch")
    case = signed_for(street)
    rectify = "rectify#1"
    assert acts_of(fixer, step(case, rectify)) >= {"extension", "pause", "release"}
    more = {"days": 2, "reason": "等配件", "interim": "已断电"}
    fixer.do(step(case, rectify, "extension"), more)
    assert [row["case"] for row in leader.read("/inbox/requests")["items"]] == [case]
    assert "decision" in acts_of(leader, step(case, rectify))
    granted = {"outcome": "granted", "reason": "属实"}
    leader.do(step(case, rectify, "extension/decision"), granted)
    stop = {"counterparty": "澜江燃气", "resume_by": "2026-03-06", "reason": "等停气",
            "evidence": [sent(fixer, "call")]}  # fmt: skip
    fixer.do(step(case, rectify, "pause"), stop)
    dispatch.do(step(case, rectify, "pause/decision"), granted)
    fixer.do(step(case, rectify, "resumption"), {"reason": "燃气公司来了"})
    offered = {one["act"]: one for one in leader.read(step(case, rectify))["acts"]}
    review = offered["standing"]["choices"][0]["id"]
    told = {"reason": "等市里的规划", "review_class": review}
    leader.do(step(case, rectify, "standing"), told)
    street.later(days=60)
    assert case in {row["case"] for row in hands("watch").read("/inbox/overdue")["items"]}
    # 退回, 撤回, 异议.
    head, second = hands("head"), signed_for_not_yet(hands, street)
    dispatch.do(step(second, "assign#1", "return"), {"reason": "没写清是谁的车棚"})
    head.do(step(second, "confirm#2", "completion"), {"form": CONFIRMED})
    assert "withdrawal" not in acts_of(head, step(second, "assign#2"))
    assigned = {"unit": "u-property", "person": street.person["fixer"], "term": "graded",
                "acceptor": street.person["accept"], "legal_basis": "规定"}  # fmt: skip
    dispatch.do(step(second, "assign#2", "completion"), {"form": assigned})
    assert "withdrawal" in acts_of(dispatch, step(second, "sign_in#1"))
    dispatch.do(step(second, "sign_in#1", "withdrawal"), {"reason": "派错了"})
    dispatch.do(step(second, "assign#3", "completion"), {"form": assigned})
    (objection,) = [
        one for one in fixer.read(step(second, "sign_in#2"))["acts"] if one["act"] == "objection"
    ]
    assert "proposed_unit" in objection["form"]["schema"]["properties"]
    form = {"reason": "不是我们的", "legal_basis": "物业合同", "proposed_unit": "u-tingtao"}
    fixer.do(objection["href"], {"form": form})


def signed_for_not_yet(hands: Hands, street: Street) -> str:
    told = {"process": "hazard", "place": "u-micro-1", "form": HAZARD}
    case = hands("grid").do("/cases", told)["case"]
    hands("head").do(step(case, "confirm#1", "completion"), {"form": CONFIRMED})
    return str(case)


def over_the_case(hands: Hands, street: Street, case: str, settings: Settings) -> None:
    watch, dispatch = hands("watch"), hands("dispatch")
    assert acts_of(watch, f"/cases/{case}") >= {"urges", "supervisions", "exports"}
    found = watch.read("/cases", query_string={"text": "飞线", "status": "open", "limit": 1})
    assert len(found["items"]) == 1
    assert found["next"]
    watch.read(found["next"])
    watch.do(f"/cases/{case}/urges", {"text": "请抓紧"})
    watch.do(f"/cases/{case}/supervisions", {"text": "三日内办结", "legal_basis": "规定"})
    (order,) = watch.read(f"/cases/{case}")["orders"]
    assert watch.read("/inbox")["orders"] == 1
    (given,) = watch.read("/inbox/orders")["items"]
    assert (given["case"], given["order"], given["text"]) == (case, order, "三日内办结")
    assert (given["given"], given["answers"]) == (True, False)
    (asked,) = dispatch.read("/inbox/orders")["items"]
    assert (asked["given"], asked["answer"]) == (False, f"/api/v1/cases/{case}/answers")
    dispatch.do(f"/cases/{case}/answers", {"order": order, "text": "已安排"})
    lines = watch.read(f"/cases/{case}/responsibility")["items"]
    assert [line["task"] for line in lines][:2] == [None, "confirm#1"]
    story = watch.read(f"/cases/{case}/timeline", query_string={"limit": 2})
    assert [event["seq"] for event in story["items"]] == [1, 2]
    assert watch.read(story["next"])["items"][0]["seq"] == 3
    sha256 = story["items"][0]["evidence"][0]["sha256"]
    assert watch.get(f"/cases/{case}/evidence/{sha256}").mimetype == "image/jpeg"
    record = watch.read(f"/cases/{case}/record.json")
    assert record["case"] == case
    assert hands("grid").read(f"/cases/{case}/receipts/1")["covered"] is False
    job = watch.do(f"/cases/{case}/exports", {"purpose": "纪检函调"})
    assert job["state"] == "requested"
    assert make_waiting(street.database, settings, clock=lambda: street.at) == 1
    assert watch.read(job["href"])["state"] == "done"
    assert watch.read(f"/cases/{case}/reports")["items"][0]["id"] == job["id"]
    assert watch.get(f"{job['href']}/file").data.startswith(b"%PDF-")
    ended = closed(street)
    (dispute,) = [
        one for one in hands("grid").read(f"/cases/{ended}")["acts"] if one["act"] == "dispute"
    ]
    form = {"reason": "东侧还有一处", "still_there": True}
    hands("grid").do(dispute["href"], {"form": form})
    again = closed(street)
    watch.do(f"/cases/{again}/reopening", {"reason": "回头看又出现"})


def whistles(hands: Hands, street: Street, app: Flask) -> None:
    blower, desk = hands("blower"), hands("desk")
    form = {"kind": "emergency", "title": "外墙砖松动", "category": "falling", "why": "没有执法权",
            "address": "听涛苑 3 幢", "departments": ["u-fire"]}  # fmt: skip
    told = {"process": "whistle", "place": "u-micro-1", "form": form}
    case = blower.do("/cases", told)["case"]
    assert blower.read(f"/cases/{case}/site-codes")["code"] is None
    shown = blower.do(f"/cases/{case}/site-codes")
    assert re.fullmatch(r"\d{6}", shown["code"])
    (fire,) = hands("fire").read("/inbox/claimable")["items"]
    proof = {"form": {"people": 3}, "code": f"{(int(shown['code']) + 1) % 10**6:06d}"}
    wrong = hands("fire").act(f"{fire['href']}/completion", proof)
    assert wrong.json["type"].endswith("#refusal-wrong-code")
    may = desk.read(f"/cases/{case}/parties")["may_be_added"]
    assert "u-gas" in {one["id"] for one in may}
    gas = {"group": may[0]["group"], "to": "u-gas", "reason": "闻到燃气"}
    desk.do(f"/cases/{case}/parties", gas)
    parties = desk.read(f"/cases/{case}/parties")["items"]
    child = next(one["child"] for one in parties if one["party"] == "u-gas")
    desk.do(f"/cases/{case}/parties/removal", {"child": child, "reason": "不是燃气"})
    hands("fire").do(f"{fire['href']}/completion", proof | {"code": shown["code"]})
    back = blower.do("/cases", told)["case"]
    blower.do(f"/cases/{back}/recall", {"reason": "已自行清理"})


def typed_for_a_colleague(hands: Hands, street: Street) -> None:
    form = HAZARD | {
        "proxy": True, "spoken_by": "colleague", "informant": street.person["grid"],
    }  # fmt: skip
    told = {"process": "hazard", "place": "u-micro-1", "form": form}
    case = hands("head").do("/cases", told)["case"]
    assert "disavowals" in acts_of(hands("grid"), f"/cases/{case}")
    hands("grid").do(f"/cases/{case}/disavowals", {"entry": 1, "reason": "不是我说的"})


def signals(hands: Hands, street: Street) -> None:
    cases = reported(street), reported(street)
    street.later(days=14)
    for case, found in zip(cases, ("confirmation", "dismissal"), strict=True):
        street.do(ring, case)
        refresh(street.database, signal_rules(), lambda _: None)
        (late,) = [one.seq for one in street.entries(case) if one.type == "overdue.opened"]
        watch = hands("watch")
        waiting = watch.read("/signals")["items"]
        assert (case, late) in {(one["case"], one["entry"]) for one in waiting}
        judged = f"/cases/{case}/signals/B1/{late}/{found}"
        assert watch.do(judged, {"reason": "问过网格长"})["case"] == case
        (kept,) = watch.read(f"/cases/{case}/signals")["items"]
        assert "问过网格长" in kept["judged"][0]["sentence"]["zh"]


def month_counted(hands: Hands, street: Street) -> None:
    watch = hands("watch")
    assert watch.get("/metrics").json["type"].endswith("#refusal-nothing-counted")
    counted(street)
    told = watch.read("/metrics", query_string={"by": "community"})
    (due,) = [one for one in told["items"] if one["id"] == "rectified_of_found"]
    assert due["figures"][0]["groups"][0]["name"] == "听涛社区"
    assert due["figures"][0]["share"]["denominator"] >= 1
    assert told["position"]["size"] > 0
    assert hands("grid").get("/metrics").status_code == 403


def line_crossed(hands: Hands, street: Street) -> None:
    words = "".join(f"{name} = 'x'\n" for name in ("name", "name_en", "asks", "asks_en"))
    tests = {
        "found_rate": "metric = 'rectified_of_found'\nby = 'street'\nbelow = 100",
        "orders": "metric = 'ordered'\nby = 'street'\ncount_above = 0",
    }
    toml = "version = 1\n" + "".join(
        f"[rules.{id_}]\n{words}{rule}\n" for id_, rule in tests.items()
    )
    raise_warnings(
        street.database, read_thresholds(toml.encode(), formulas()), formulas(), Outlets(),
        at=street.at,
    )  # fmt: skip
    watch = hands("watch")
    page = watch.read("/warnings", query_string={"limit": 1})
    (one,) = page["items"]
    assert one["unit"]["name"]
    said = watch.do(f"/warnings/{one['seq']}/answers", {"text": "看过了"})
    assert said["answers"][0]["text"] == "看过了"
    assert watch.read(f"/warnings/{one['seq']}") == said
    assert one["seq"] not in {row["seq"] for row in watch.read("/warnings")["items"]}
    assert watch.read("/warnings", query_string={"state": "answered"})["items"] == [said]
    assert hands("grid").get("/warnings").status_code == 403


def month_published(hands: Hands, street: Street) -> None:
    street.person["clerk"] = street.person["admin"]
    adopt(street)
    street.later(days=40)
    counted(street)
    watch = hands("watch")
    asked = {"month": "2026-03", "known": 0}
    first = watch.do("/index/editions", asked, key="march")
    assert watch.do("/index/editions", asked, key="march") == first
    assert watch.act("/index/editions", asked).status_code == 409
    edition = f"/index/editions/{first['seq']}"
    told = {"unit": "u-tingtao", "reason": "户数不对"}
    objected = hands("head").do(f"{edition}/objections", told)
    assert objected["type"] == "index.objected"
    ruled = {"ruling": "rejected", "reason": "以年初统计为准"}
    watch.do(f"/index/objections/{objected['seq']}/answer", ruled)
    assert watch.act(f"{edition}/publication").status_code == 409
    street.later(days=14)
    watch.do(f"{edition}/publication")
    (line,) = hands("grid").read("/index/editions")["items"]
    assert (line["month"], line["followed"]) == ("2026-03", False)
    (objection,) = hands("grid").read(edition)["objections"]
    assert (objection["ruling"], objection["unit"]["name"]) == ("rejected", "听涛社区")


def who_did_what(hands: Hands, street: Street) -> None:
    watch = hands("watch")
    assert "completed" in {kind["id"] for kind in watch.read("/acts/kinds")["items"]}
    signed = {"kind": "hazard.sign_in", "limit": 1}
    page = watch.read("/acts", query_string=signed)
    assert "签收" in page["items"][0]["sentence"]["zh"]
    watch.read(page["next"])
    search = watch.do("/acts", {"person": street.person["fixer"]})
    told = watch.read(search["href"])
    assert told["person"]["name"] == "fixer演示"
    assert {one["who"]["person"]["id"] for one in told["items"]} == {street.person["fixer"]}


def the_register(hands: Hands) -> None:
    watch = hands("watch")
    assert "u-micro-1" in {unit["id"] for unit in watch.read("/units")["items"]}
    (held, *_) = watch.read("/posts", query_string={"unit": "u-tingtao"})["items"]
    assert held["unit"]["id"] == "u-tingtao"
    hazard = next(one for one in watch.read("/definitions")["items"] if one["process"] == "hazard")
    assert watch.get(hazard["diagram"]).mimetype == "application/xml"


# --- the document itself --------------------------------------------------------------------------


def test_every_schema_of_the_document_is_one_and_refers_to_one(app: Flask) -> None:
    told = document(app)
    assert told["openapi"].startswith("3.1")
    for schema in told["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    named = set(re.findall(r"#/components/schemas/(\w+)", str(told)))
    assert named <= told["components"]["schemas"].keys()


def test_no_two_shapes_share_a_name_in_the_document() -> None:
    def below(shape: type[BaseModel]) -> list[type[BaseModel]]:
        return [one for sub in shape.__subclasses__() for one in (sub, *below(sub))]

    names = [shape.__name__ for base in (Told, Asked) for shape in below(base)]
    assert sorted(names) == sorted(set(names))


def test_operations_have_ids_summaries_in_two_languages_and_a_scope_each(app: Flask) -> None:
    ids = []
    for path, item in document(app)["paths"].items():
        for method, told in item.items():
            ids.append(told["operationId"])
            assert told["summary"] != told["description"], (method, path)
            assert told["security"], (method, path)
            assert "application/problem+json" in told["responses"]["default"]["content"]
    assert len(ids) == len(set(ids))


def test_every_act_asks_for_a_key_and_what_only_reads_does_not(app: Flask) -> None:
    for path, item in document(app)["paths"].items():
        for method, told in item.items():
            headers = {one["name"] for one in told.get("parameters", ()) if one["in"] == "header"}
            acts = method == "post" and path != "/api/v1/evidence"
            assert headers == ({"Idempotency-Key"} if acts else set()), (method, path)
