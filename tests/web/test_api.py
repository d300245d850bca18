"""The REST interface: who gets in, what is done once, how refusals are told, page by page."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from engine.accounts import disable_account
from engine.api_tokens import SCOPES, revoke_token
from engine.people import By
from tests.conftest import Street
from tests.web.api_client import Program, document_of, program
from tests.web.conftest import Visitor, photo
from tests.web.paths import CONFIRMED, assigned, confirmed, reported, signed_for
from web.api import operations
from web.api.problems import type_of

Enter = Callable[[str], Visitor]


@pytest.fixture
def head(app: Flask, web_street: Street) -> Program:
    return program(app, web_street, "head")


def step(case: str, task: str, act: str) -> str:
    return f"/cases/{case}/tasks/{task.replace('#', '%23')}/{act}"


def kind(answer: TestResponse) -> str:
    assert answer.mimetype == "application/problem+json"
    return str(answer.json["type"]).removeprefix("/api/v1/reference#")


# --- who gets in ----------------------------------------------------------------------------------


def test_without_a_token_nothing_is_told_and_the_way_in_is_named(
    app: Flask, web_street: Street
) -> None:
    case = reported(web_street)
    nobody = Program(app.test_client(), document_of(app))
    for answer in (nobody.get("/me"), nobody.get(f"/cases/{case}"), nobody.act("/cases", {})):
        assert answer.status_code == 401
        assert kind(answer) == "refusal-unknown-token"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="shaoji"'


@pytest.mark.parametrize(
    "sent",
    ["Bearer nonsense", "Bearer ", "Basic aGVhZDpwdw==", "Bearer ü", "bearer a b", "Token x"],
)
def test_what_is_no_token_of_ours_gets_nowhere(app: Flask, head: Program, sent: str) -> None:
    nobody = Program(app.test_client(), head.document, headers={"Authorization": sent})
    answer = nobody.get("/me")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_session_of_the_pages_is_no_way_into_the_interface(
    signed_in: Enter, head: Program, app: Flask
) -> None:
    client = signed_in("head").client
    assert client.get("/inbox").status_code == 200
    assert client.get("/api/v1/me").status_code == 401
    # A cookie beside a token changes nothing either: the token alone says who acts.
    other = Program(client, head.document, program_token(app, "grid"))
    assert other.read("/me")["person"]["name"] == "grid演示"


def program_token(app: Flask, name: str) -> str:
    from tests.conftest import known_people

    database = app.extensions["shaoji"].database
    street = Street(database, person=known_people(database))
    return program(app, street, name).token


def test_a_token_is_no_way_into_the_pages(head: Program) -> None:
    answer = head.client.get("/inbox", headers={"Authorization": f"Bearer {head.token}"})
    assert answer.status_code == 303
    assert "/sign-in" in answer.location


def test_no_cookie_is_ever_set(head: Program, web_street: Street) -> None:
    case = reported(web_street)
    for answer in (
        head.get("/me"),
        head.act(step(case, "confirm#1", "claim")),
        head.get("/nowhere"),
    ):
        assert "Set-Cookie" not in answer.headers


def test_expired_revoked_and_disabled_tokens_say_so(
    app: Flask, head: Program, web_street: Street
) -> None:
    head.read("/me")
    web_street.later(days=367)
    assert kind(head.get("/me")) == "refusal-token-expired"
    again = program(app, web_street, "head")
    token = again.read("/me")["token"]
    web_street.do(revoke_token, "head", token, by=web_street.by("head"))
    answer = again.get("/me")
    assert answer.status_code == 401
    assert kind(answer) == "refusal-token-revoked"
    third = program(app, web_street, "head")
    admin = By(web_street.person["admin"])
    web_street.do(disable_account, "head", reason="调离", by=admin)
    assert kind(third.get("/me")) == "refusal-token-revoked"


def test_each_scope_opens_what_it_is_for_and_nothing_else(app: Flask, web_street: Street) -> None:
    case = reported(web_street)
    document = document_of(app)
    programs = {scope: program(app, web_street, "watch", scope) for scope in SCOPES}
    for path, item in document["paths"].items():
        for method, told in item.items():
            wanted = {scope for one in told["security"] for scope in one["token"]}
            for scope, who in programs.items():
                address = path.replace("{case_id}", case).replace("{task}", "confirm%231")
                address = address.replace("{seq}", "1").replace("{entry}", "1")
                answer = who.send(method.upper(), address.replace("{", "").replace("}", ""))
                missing = answer.status_code == 403 and "scope-missing" in str(answer.json["type"])
                assert missing == bool(wanted and scope not in wanted), (method, path, scope)
                if missing:
                    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert web_street.types(case).count("task.claimed") == 0


def test_an_administrators_token_sees_no_case(app: Flask, web_street: Street) -> None:
    case = reported(web_street)
    admin = program(app, web_street, "admin")
    assert admin.read("/cases")["items"] == []
    assert admin.get(f"/cases/{case}").status_code == 403
    assert admin.read("/me")["posts"][0]["duty"] == "administer"


def test_other_peoples_cases_are_refused_as_the_page_refuses_them(
    app: Flask, web_street: Street, signed_in: Enter
) -> None:
    case = assigned(web_street)
    other, page = program(app, web_street, "other"), signed_in("other")
    for address in (f"/cases/{case}", "/cases/hazard-2026-99999", "/cases/@people"):
        assert other.get(address).status_code == page.get(address).status_code
    answer = other.act(step(case, "sign_in#1", "reassignment"), {"to": "p-0001", "reason": "x"})
    assert kind(answer) == "refusal-not-yours-to-see"


def test_what_is_done_by_a_token_is_the_persons_by_the_channel_api(
    head: Program, web_street: Street
) -> None:
    case = reported(web_street)
    head.do(step(case, "confirm#1", "completion"), {"form": CONFIRMED})
    (done,) = [entry for entry in web_street.entries(case) if entry.type == "task.completed"]
    assert done.actor["person"] == web_street.person["head"]
    assert done.actor["channel"] == "api"
    assert done.data["form"] == CONFIRMED
    web_street.check()


# --- done once ------------------------------------------------------------------------------------


def test_the_same_key_gives_the_same_answer_and_nothing_is_done_again(
    head: Program, web_street: Street
) -> None:
    case = reported(web_street)
    path, told = step(case, "confirm#1", "completion"), {"form": CONFIRMED}
    first = head.act(path, told, key="once")
    web_street.later(hours=1)
    second = head.act(path, dict(reversed(told.items())), key="once")
    assert (first.status_code, first.data) == (second.status_code, second.data)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert web_street.types(case).count("task.completed") == 1
    web_street.check()


def test_a_key_is_good_for_one_request(head: Program, web_street: Street) -> None:
    case = reported(web_street)
    head.do(step(case, "confirm#1", "claim"), key="k")
    other = reported(web_street)
    before = len(web_street.entries(other))
    for path, told in (
        (step(other, "confirm#1", "claim"), None),
        (step(case, "confirm#1", "claim") + "?x=1", None),
        (step(case, "confirm#1", "completion"), {"form": CONFIRMED}),
    ):
        answer = head.act(path, told, key="k")
        assert answer.status_code == 422
        assert kind(answer) == "refusal-key-reused"
    assert len(web_street.entries(other)) == before


def test_a_refusal_keeps_no_key_so_that_what_was_mended_can_be_sent(
    head: Program, web_street: Street
) -> None:
    case = reported(web_street)
    path = step(case, "confirm#1", "completion")
    wrong = head.act(path, {"form": {**CONFIRMED, "object": ""}}, key="k")
    assert wrong.status_code == 422
    assert [error["field"] for error in wrong.json["errors"]] == ["object"]
    head.do(path, {"form": CONFIRMED}, key="k")


def test_keys_of_two_people_never_meet(app: Flask, head: Program, web_street: Street) -> None:
    case = reported(web_street)
    head.do(step(case, "confirm#1", "claim"), key="same")
    second = program(app, web_street, "head2")
    assert second.act(step(case, "confirm#1", "claim"), key="same").status_code == 409


def test_an_act_without_a_key_or_with_a_wild_one_is_not_done(
    head: Program, web_street: Street
) -> None:
    case = reported(web_street)
    path = step(case, "confirm#1", "claim")
    for headers in ({}, {"Idempotency-Key": "k" * 101}, {"Idempotency-Key": "a b"}):
        answer = head.send("POST", path, headers=headers)
        assert answer.status_code == 400
        assert answer.json["errors"][0]["field"] == "Idempotency-Key"
    assert "task.claimed" not in web_street.types(case)


def test_two_at_once_with_one_key_are_one_act_and_one_answer(
    app: Flask, head: Program, web_street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = reported(web_street)
    # Neither has been answered yet when both look: what a slow network does.
    monkeypatch.setattr(operations, "remembered", blind_once(operations.remembered, 2))
    answers: list[TestResponse] = []

    def press() -> None:
        who = Program(app.test_client(), head.document, head.token)
        answers.append(who.act(step(case, "confirm#1", "claim"), key="both"))

    threads = [Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    assert web_street.types(case).count("task.claimed") == 1
    web_street.check()


def blind_once(look: Callable[..., Any], times: int) -> Callable[..., Any]:
    left = [None] * times

    def looked(*args: Any) -> Any:
        return left.pop() if left else look(*args)

    return looked


# --- refusals -------------------------------------------------------------------------------------


def test_a_problem_is_in_the_language_asked_for_and_in_both(
    head: Program, web_street: Street
) -> None:
    case = assigned(web_street)
    path, told = step(case, "sign_in#1", "completion"), {"form": {"in_charge": "我来"}}
    chinese = head.act(path, told).json
    english = head.act(path, told, headers={"Accept-Language": "en"}).json
    assert chinese["detail"] == chinese["detail_zh"] == english["detail_zh"]
    assert english["detail"] == english["detail_en"] == chinese["detail_en"]
    assert "fixer演示" in chinese["detail_zh"]
    assert chinese["title"] != english["title"]
    assert chinese["type"] == english["type"] == "/api/v1/reference#refusal-not-your-task"


def test_the_type_of_a_refusal_is_a_place_on_the_reference_page(
    head: Program, app: Flask, web_street: Street
) -> None:
    case = confirmed(web_street)
    answer = head.act(step(case, "confirm#1", "claim"))
    page = app.test_client().get("/api/v1/reference").text
    assert f'id="{kind(answer)}"' in page
    assert type_of(type("HTTPStepNotOpen", (Exception,), {})).endswith(
        "#refusal-http-step-not-open"
    )


def test_faults_of_a_form_are_told_field_by_field(head: Program, web_street: Street) -> None:
    case = reported(web_street)
    answer = head.act(step(case, "confirm#1", "completion"), {"form": {"verdict": "maybe", "x": 1}})
    fields = {error["field"]: error for error in answer.json["errors"]}
    assert {"verdict", "x"} <= fields.keys()
    assert "应从所列选项中选择" in fields["verdict"]["detail_zh"]
    assert "must be one of the choices" in fields["verdict"]["detail_en"]
    assert answer.status_code == 422


def test_a_time_that_lies_ahead_is_refused_and_one_with_a_zone_is_recorded_in_utc(
    app: Flask, web_street: Street
) -> None:
    case = signed_for(web_street)
    web_street.later(hours=3)
    fixer = program(app, web_street, "fixer")
    path = step(case, "rectify#1", "completion")
    files = [sent(fixer, "before").json["token"], sent(fixer, "after").json["token"]]
    told = {"done": "拆除", "done_at": "2026-03-03T00:00:00Z"}
    wrong = fixer.act(path, {"form": told, "evidence": files})
    assert [error["field"] for error in wrong.json["errors"]] == ["done_at"]
    for never in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        answer = fixer.act(path, {"form": told | {"done_at": never}, "evidence": files})
        assert answer.status_code == 422
    fixer.do(path, {"form": told | {"done_at": "2026-03-02T11:00:00+08:00"}, "evidence": files})
    (done,) = [entry for entry in web_street.entries(case) if entry.type == "task.completed"][-1:]
    assert done.data["form"]["done_at"] == "2026-03-02T03:00:00.000Z"


def test_unknown_addresses_methods_and_media_are_problems_too(
    head: Program, web_street: Street
) -> None:
    case = reported(web_street)
    assert kind(head.get("/nowhere")) == "http-404"
    wrong = head.send("DELETE", f"/cases/{case}")
    assert (wrong.status_code, kind(wrong)) == (405, "http-405")
    assert "GET" in wrong.headers["Allow"]
    told = {"Idempotency-Key": "k", "Content-Type": "text/plain"}
    plain = head.send("POST", f"/cases/{case}/urges", data="text=x", headers=told)
    assert plain.status_code == 415
    large = head.act(f"/cases/{case}/urges", {"text": "x" * 1_100_000})
    assert large.status_code == 413


def test_what_the_document_does_not_know_is_refused(head: Program, web_street: Street) -> None:
    case = reported(web_street)
    answer = head.act(f"/cases/{case}/urges", {"text": "x", "force": True})
    assert answer.json["errors"][0]["field"] == "force"
    assert head.get("/cases?colour=red").status_code == 400
    for limit in ("0", "201", "x", "-1"):
        assert head.get(f"/cases?limit={limit}").status_code == 400


def test_a_full_disk_is_told_as_a_problem_and_loses_nothing(
    head: Program, web_street: Street, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    case = reported(web_street)
    before = web_street.entries(case)

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(operations, "remember", full)
    told = {"Authorization": f"Bearer {head.token}", "Idempotency-Key": "k"}
    path = f"/api/v1{step(case, 'confirm#1', 'claim')}"
    answer = app.test_client().post(path, headers=told)
    assert (answer.status_code, kind(answer)) == (503, "no-writing")
    assert web_street.entries(case) == before


# --- files ----------------------------------------------------------------------------------------


def sent(who: Program, purpose: str, data: bytes | None = None, **more: Any) -> TestResponse:
    file = (BytesIO(data or photo(purpose_colour[purpose])), "p.jpg", "image/jpeg")
    return who.send("POST", f"/evidence?purpose={purpose}", data={"file": file}, **more)


purpose_colour = {"before": "red", "after": "green", "doc": "grey"}


def test_a_file_is_named_by_whoever_sent_it_and_for_what_it_was_sent(
    app: Flask, web_street: Street
) -> None:
    case = signed_for(web_street)
    fixer, second = program(app, web_street, "fixer"), program(app, web_street, "fixer2")
    path = step(case, "rectify#1", "completion")
    form = {"done": "拆除", "done_at": "2026-03-02T01:30:00Z"}
    mine, theirs = sent(fixer, "before").json["token"], sent(second, "after").json["token"]
    for wrong in ([mine, theirs], [mine, "x"], [sent(fixer, "doc").json["token"]]):
        answer = fixer.act(path, {"form": form, "evidence": wrong})
        assert answer.status_code == 422
        assert "evidence" in {error["field"] for error in answer.json["errors"]}
    missing = fixer.act(path, {"form": form, "evidence": [mine]})
    assert [error["field"] for error in missing.json["errors"]] == ["evidence_after"]


def test_what_is_no_photo_is_refused_and_who_has_no_post_fills_no_disk(
    app: Flask, web_street: Street, head: Program
) -> None:
    assert sent(head, "before", b"MZ not a photo").status_code == 400
    words = {"data": {"file": "x"}, "content_type": "multipart/form-data"}
    assert head.send("POST", "/evidence?purpose=before", **words).status_code == 400
    assert head.send("POST", "/evidence?purpose=before", data={"file": "x"}).status_code == 415
    assert head.send("POST", "/evidence?purpose=before").status_code == 400
    assert head.send("POST", "/evidence?purpose=selfie").status_code == 400


# --- page by page ---------------------------------------------------------------------------------


def test_lists_are_read_page_by_page_and_nothing_is_left_out_or_told_twice(
    head: Program, web_street: Street
) -> None:
    cases = set()
    for _ in range(7):
        cases.add(reported(web_street))
        web_street.later(minutes=1)
    for path in ("/cases", "/inbox/claimable"):
        found: list[str] = []
        following: str | None = f"{path}?limit=3"
        while following:
            page = head.read(following)
            assert len(page["items"]) <= 3
            found += [row["case"] for row in page["items"]]
            following = page["next"]
        assert sorted(found) == sorted(cases)


def test_a_step_done_between_two_pages_shifts_nothing(head: Program, web_street: Street) -> None:
    cases = []
    for _ in range(4):
        cases.append(reported(web_street))
        web_street.later(minutes=1)
    first = head.read("/inbox/claimable?limit=2")
    head.do(step(cases[0], "confirm#1", "completion"), {"form": CONFIRMED})
    second = head.read(first["next"])
    assert [row["case"] for row in second["items"]] == cases[2:]


def test_what_has_not_changed_is_not_sent_again(head: Program, web_street: Street) -> None:
    case = reported(web_street)
    first = head.get(f"/cases/{case}")
    told = {"If-None-Match": first.headers["ETag"]}
    again = head.get(f"/cases/{case}", headers=told)
    assert (again.status_code, again.data) == (304, b"")
    head.do(step(case, "confirm#1", "claim"))
    assert head.get(f"/cases/{case}", headers=told).status_code == 200


def test_the_list_of_mine_has_what_i_hold_and_the_counts_agree(
    head: Program, web_street: Street
) -> None:
    case = reported(web_street)
    head.do(step(case, "confirm#1", "claim"))
    counts = head.read("/inbox")
    for name in ("mine", "claimable", "overdue", "requests"):
        assert len(head.read(f"/inbox/{name}")["items"]) == counts[name]
    assert counts["mine"] == 1


def test_a_case_is_told_in_sentences_of_both_languages_and_as_data(
    head: Program, web_street: Street
) -> None:
    case = confirmed(web_street)
    story = head.read(f"/cases/{case}/timeline")
    entries = web_street.entries(case)
    assert [event["data"] for event in story["items"]] == [dict(e.data) for e in entries]
    assert story["head"] == entries[-1].hash.hex()
    assert "上报" in story["items"][0]["sentence"]["zh"]
    assert "reported" in story["items"][0]["sentence"]["en"]


# --- the hour of a token --------------------------------------------------------------------------


def test_the_owner_sees_when_a_token_was_last_used(
    head: Program, signed_in: Enter, web_street: Street
) -> None:
    page = signed_in("head")
    assert "还没有用过" in page.text("/me/tokens")
    head.read("/me")
    assert "最近用于" in page.text("/me/tokens")


def test_rights_are_those_of_the_hour_and_not_of_when_the_token_was_made(
    app: Flask, head: Program, web_street: Street
) -> None:
    from engine.people import end_post

    case = reported(web_street)
    (post, *_) = {one["post"] for one in head.read("/me")["posts"]}
    admin = By(web_street.person["admin"])
    web_street.do(end_post, post, reason="调离", by=admin)
    web_street.later(minutes=1)
    assert head.get(f"/cases/{case}").status_code == 403
    assert head.read("/me")["posts"] == []


def test_clocks_that_are_due_ring_before_an_act(head: Program, web_street: Street) -> None:
    case = reported(web_street)
    web_street.at += timedelta(days=30)
    head.do(step(case, "confirm#1", "claim"))
    assert "overdue.opened" in web_street.types(case)
