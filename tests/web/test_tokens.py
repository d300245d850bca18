"""The page of one's tokens: made with the password, shown once, revoked by their owner."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from engine.api_tokens import find_bearer, tokens_of
from tests.conftest import Street
from tests.web.conftest import PASSWORD, Visitor

Enter = Callable[[str], Visitor]
WISH = {"name": "街道平台", "scopes": ["tasks:read"], "days": "90", "password": PASSWORD}


def secret_in(page: str) -> str:
    found = re.search(r"<code>(shaoji_[\w-]+)</code>", page)
    assert found
    return found[1]


def test_a_token_is_shown_once_and_works(signed_in: Enter, web_street: Street, app: Flask) -> None:
    who = signed_in("head")
    page = who.post("/me/tokens", WISH).text
    secret = secret_in(page)
    assert "只显示这一次" in page
    assert secret not in who.text("/me/tokens")
    told = {"Authorization": f"Bearer {secret}"}
    assert app.test_client().get("/api/v1/inbox", headers=told).status_code == 200
    with web_street.database.begin() as conn:
        found = find_bearer(conn, secret, at=web_street.at)
        (kept,) = tokens_of(conn, "head", at=web_street.at)
    assert found.person == web_street.person["head"]
    assert kept.expires_at - web_street.at == timedelta(90)
    web_street.check()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"password": "x"}, "密码不对"),
        ({"name": " "}, "起个名字"),
        ({"scopes": []}, "至少一项"),
        ({"days": "9999"}, "一年以内"),
    ],
)
def test_faults_are_told_and_what_was_typed_stays(
    signed_in: Enter, web_street: Street, wrong: dict[str, object], told: str
) -> None:
    answer = signed_in("head").post("/me/tokens", WISH | wrong)
    assert answer.status_code == 422
    assert told in answer.text
    if "name" not in wrong:
        assert 'value="街道平台"' in answer.text
    if "scopes" not in wrong:
        assert re.search(r'value="tasks:read" checked', answer.text)
    with web_street.database.begin() as conn:
        assert tokens_of(conn, "head", at=web_street.at) == []


def test_a_revoked_token_is_out_at_once(signed_in: Enter, web_street: Street, app: Flask) -> None:
    who = signed_in("head")
    secret = secret_in(who.post("/me/tokens", WISH).text)
    (id_,) = re.findall(r"/me/tokens/(\w+)/revocation", who.text("/me/tokens"))
    assert signed_in("head2").post(f"/me/tokens/{id_}/revocation").status_code == 404
    assert who.post(f"/me/tokens/{id_}/revocation").location == "/me/tokens"
    assert "已撤销" in who.text("/me/tokens")
    told = {"Authorization": f"Bearer {secret}"}
    assert app.test_client().get("/api/v1/me", headers=told).status_code == 401


def test_tokens_are_for_those_who_are_signed_in(visitor: Visitor) -> None:
    assert "/sign-in" in visitor.get("/me/tokens").location
    assert "/sign-in" in visitor.post("/me/tokens", WISH).location


def test_the_way_to_tokens_is_on_ones_own_page_and_the_reference_is_for_everybody(
    signed_in: Enter, visitor: Visitor
) -> None:
    assert 'href="/me/tokens"' in signed_in("head").text("/me")
    page = visitor.text("/api/v1/reference")
    for told in ("cases:report", "/api/v1/cases/{case_id}", "Idempotency-Key", "refusal-not-found"):
        assert told in page
