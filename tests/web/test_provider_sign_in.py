"""Signing in by an identity provider: whom it lets in, and every answer that lets nobody in."""

import html
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from engine import attempts
from engine.accounts import SignInRefused, disable_account, find_account, sign_in
from engine.people import By, grant_post
from engine.provider_links import Identity, links_of
from tests.conftest import Street
from tests.identity_provider import (
    CLIENT,
    SECRET,
    OwnProvider,
    by_public_key,
    by_shared_secret,
    fresh_ec_key,
    name_user,
    other_provider,
    own_provider,
    signed,
    unsigned,
)
from tests.web.conftest import Visitor
from web.app import create_app
from web.config import BadSettings, Settings, read_settings
from web.provider_refusals import FORGED, REASONS

LABEL = "统一身份认证"
ANSWER = "/sign-in/provider/answer"
OWN_PAGES = ("/sign-in/provider", ANSWER, "/confirm/provider", "/me/sign-in/provider",
             "/sign-in/provider/leaving", "/me/sign-in/provider/linking")  # fmt: skip


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


def sent_back(request: Request | str) -> str:
    """Where a provider sends the browser that came with this request."""
    from urllib.error import HTTPError

    with pytest.raises(HTTPError) as met:
        build_opener(_Stay).open(request)
    with met.value:
        assert met.value.code in (302, 303), met.value.read()
        return str(met.value.headers["Location"])


def local(address: str) -> str:
    """An address of ours as its path and query."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


@dataclass
class Office:
    """An application with a provider, and people's browsers."""

    app: Flask
    street: Street
    own: OwnProvider
    clock: dict[str, timedelta] = field(default_factory=dict)

    def browser(self, name: str = "") -> Visitor:
        who = Visitor(self.app.test_client())
        if name:
            assert who.sign_in(name).status_code == 303
        return who

    def back(self, who: Visitor, path: str = "/sign-in/provider") -> str:
        """Go to the provider and come back to our door: the address of the answer."""
        there = who.get(path)
        assert there.status_code == 303, there.text
        assert (there.location or "").startswith(f"{self.own.url}/authorize?"), there.location
        return local(sent_back(there.location or ""))

    def through(self, who: Visitor, path: str = "/sign-in/provider") -> TestResponse:
        return who.get(self.back(who, path))

    def link(self, name: str = "head", subject: str = "4711-li") -> Visitor:
        """Link an account the way its owner does."""
        self.own.subject = subject
        who = self.browser(name)
        answer = self.through(who, "/me/sign-in/provider")
        assert answer.location == "/me/sign-in/provider/linking", answer.text
        assert who.post("/me/sign-in/provider/linking").location == "/me/sign-in"
        return who

    def events(self, stream: str = "@access") -> list[tuple[str, dict[str, Any]]]:
        return [(entry.type, entry.data) for entry in self.street.entries(stream)]

    def last(self, type_: str, stream: str = "@access") -> dict[str, Any]:
        return next(data for told, data in reversed(self.events(stream)) if told == type_)


@pytest.fixture
def own() -> Iterator[OwnProvider]:
    with own_provider() as provider:
        yield provider


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "client.secret"
    path.write_text(SECRET, encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def sso(settings: Settings, own: OwnProvider, secret: Path) -> Settings:
    return replace(
        settings, public_url="http://localhost", oidc_issuer=own.url,
        oidc_client_id=CLIENT, oidc_client_secret=secret,
    )  # fmt: skip


def opened(sso: Settings, street: Street, own: OwnProvider) -> Office:
    clock = {"ahead": timedelta(0)}
    app = create_app(
        sso,
        clock=lambda: street.at,
        device_clock=lambda: datetime.now(UTC) + clock["ahead"],
    )
    return Office(app, street, own, clock)


@pytest.fixture
def office(sso: Settings, web_street: Street, own: OwnProvider) -> Iterator[Office]:
    made = opened(sso, web_street, own)
    yield made
    made.app.extensions["shaoji"].database.dispose()
    web_street.check()


def main_of(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2])))


def refused(answer: TestResponse, reason: str, status: int = 403) -> None:
    """The answer is this refusal, in its own words, and nobody is in."""
    assert answer.status_code == status, answer.text
    assert REASONS[reason][0] in main_of(answer.text)


# --- whether there is one -------------------------------------------------------------------------


def test_without_a_provider_there_is_nothing_of_it(visitor: Visitor, app: Flask) -> None:
    assert LABEL not in visitor.text("/sign-in")
    head = Visitor(app.test_client())
    head.sign_in("head")
    for path in OWN_PAGES:
        assert head.get(path).status_code == 404
    assert LABEL not in head.text("/me/sign-in")
    assert "统一登录" not in head.text("/me/sign-in")
    assert not any("provider_sign_in" in rule.endpoint for rule in app.url_map.iter_rules())


def test_without_a_provider_its_library_is_not_even_loaded(settings: Settings) -> None:
    script = (
        "import sys; from web.app import create_app; from web.config import Settings;"
        f"create_app(Settings(secret_key='k' * 48, database_url={settings.database_url!r}));"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'authlib', 'joserfc'}))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


HALVES = {
    "no issuer": ({"oidc_issuer": ""}, "SHAOJI_OIDC_ISSUER"),
    "no client": ({"oidc_client_id": ""}, "SHAOJI_OIDC_CLIENT_ID"),
    "no address": ({"public_url": ""}, "SHAOJI_PUBLIC_URL"),
    "no file": ({"oidc_client_secret": Path("/nowhere/at/all")}, "读不出来"),
}


@pytest.mark.parametrize("half", HALVES)
def test_what_is_configured_by_halves_stops_the_start(sso: Settings, half: str) -> None:
    changed, words = HALVES[half]
    with pytest.raises(BadSettings, match=re.escape(words)):
        create_app(replace(sso, **changed))


def test_a_secret_that_others_may_read_stops_the_start(sso: Settings, secret: Path) -> None:
    secret.chmod(0o644)
    with pytest.raises(BadSettings, match="chmod 600"):
        create_app(sso)


def test_a_missing_library_stops_the_start_and_says_what_to_install(
    sso: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "authlib.oidc.core", None)
    with pytest.raises(BadSettings, match=re.escape("shaoji[sso]")):
        create_app(sso)


@pytest.mark.parametrize(
    "issuer", ["http://id.example", "id.example", "https://", "https://id.example/?a=b"]
)
def test_an_issuer_that_is_none_is_refused(issuer: str) -> None:
    told = {"SHAOJI_SECRET_KEY": "k" * 48, "SHAOJI_OIDC_ISSUER": issuer}
    with pytest.raises(BadSettings, match="SHAOJI_OIDC_ISSUER"):
        read_settings(told)


def test_settings_are_read_from_the_environment() -> None:
    read = read_settings({
        "SHAOJI_SECRET_KEY": "k" * 48,
        "SHAOJI_OIDC_ISSUER": "https://id.street.example/realm/",
        "SHAOJI_OIDC_CLIENT_ID": "shaoji",
        "SHAOJI_OIDC_CLIENT_SECRET": "/etc/shaoji/client",
        "SHAOJI_OIDC_LABEL": "澜江通",
        "SHAOJI_OIDC_LABEL_EN": "Lanjiang ID",
        "SHAOJI_OIDC_SUBJECT": "employee",
    })  # fmt: skip
    assert read.oidc_issuer == "https://id.street.example/realm/"  # compared as it is
    assert (read.oidc_label, read.oidc_subject) == ("澜江通", "employee")


# --- by a provider of others' make ----------------------------------------------------------------


@pytest.fixture(scope="module")
def other() -> Iterator[str]:
    with other_provider() as issuer:
        yield issuer


def answered(there: str, **form: str) -> str:
    """What that provider sends the browser back with, once somebody has answered its form."""
    request = Request(there, urlencode(form).encode())  # noqa: S310 - an address of this test
    return local(sent_back(request))


@pytest.fixture
def elsewhere(other: str, sso: Settings, web_street: Street, own: OwnProvider) -> Iterator[Office]:
    made = opened(replace(sso, oidc_issuer=other), web_street, own)
    yield made
    made.app.extensions["shaoji"].database.dispose()
    web_street.check()


def test_with_a_provider_of_others_make_one_links_signs_in_and_signs_out(
    elsewhere: Office, other: str
) -> None:
    name_user(other, "sub-head", {"preferred_username": "head there"})
    who = elsewhere.browser("head")
    there = who.get("/me/sign-in/provider").location or ""
    assert there.startswith(f"{other}/oauth2/authorize?")
    shown = who.get(answered(there, sub="sub-head"), follow_redirects=True)
    assert "head there" in main_of(shown.text)
    assert "sub-head" in main_of(shown.text)
    assert "已绑定" in who.post("/me/sign-in/provider/linking", follow_redirects=True).text

    again = elsewhere.browser()
    page = again.text("/sign-in?next=/cases")
    told = re.search(r'href="(/sign-in/provider\?next=[^"]+)"', page)
    assert told
    there = again.get(html.unescape(told[1])).location or ""
    answer = again.get(answered(there, sub="sub-head"))
    assert answer.location == "/cases"
    assert again.get("/cases").status_code == 200
    assert elsewhere.last("session.opened")["link"].startswith("l-")

    left = again.post("/sign-out")
    assert left.location == "/sign-in?left=provider"
    assert again.get("/inbox").status_code == 303
    assert "那边也退出" in again.text(left.location or "")
    ending = again.get("/sign-in/provider/leaving").location or ""
    assert ending.startswith(f"{other}/oauth2/end_session?")
    assert parse_qs(urlsplit(ending).query)["post_logout_redirect_uri"] == [
        "http://localhost/sign-in"
    ]


def test_whoever_does_not_consent_there_is_not_signed_in(elsewhere: Office) -> None:
    who = elsewhere.browser()
    there = who.get("/sign-in/provider").location or ""
    refused(who.get(answered(there, action="deny")), "denied")


def test_a_stranger_there_is_a_stranger_here(elsewhere: Office) -> None:
    who = elsewhere.browser()
    there = who.get("/sign-in/provider").location or ""
    answer = who.get(answered(there, sub="nobody-here"))
    assert answer.status_code == 403
    assert "还没有绑定到这里的账号" in answer.text
    assert "nobody-here" in main_of(answer.text)
    assert who.get("/inbox").status_code == 303


# --- the question ---------------------------------------------------------------------------------


def test_the_question_says_no_more_than_it_must_and_is_another_each_time(office: Office) -> None:
    first, second = office.browser(), office.browser()
    office.back(first, "/sign-in/provider?next=/cases")
    office.back(second)
    one, two = office.own.asked
    assert one["redirect_uri"] == f"http://localhost{ANSWER}"
    assert one.keys() == {
        "response_type", "client_id", "redirect_uri", "scope", "state", "nonce",
        "code_challenge", "code_challenge_method", "ui_locales",
    }  # fmt: skip
    for name in ("state", "nonce", "code_challenge"):
        assert len(one[name]) == 43
        assert one[name] != two[name]
    assert len({one["state"], one["nonce"], one["code_challenge"]}) == 3


def test_the_code_is_exchanged_with_the_verifier_and_the_secret(office: Office) -> None:
    office.link()
    assert office.through(office.browser()).location == "/inbox"
    told = office.own.exchanged[-1]
    assert told["grant_type"] == "authorization_code"
    assert len(told["code_verifier"]) == 43
    assert "client_secret" not in told


@pytest.mark.parametrize("methods", [("client_secret_post",), ("client_secret_basic",)])
def test_the_secret_travels_as_the_provider_wants_it(
    office: Office, methods: tuple[str, ...]
) -> None:
    office.own.methods = methods
    office.link()
    assert office.through(office.browser()).location == "/inbox"


def test_a_public_client_has_no_secret(sso: Settings, web_street: Street, own: OwnProvider) -> None:
    own.secret = ""
    office = opened(replace(sso, oidc_client_secret=None), web_street, own)
    office.link()
    assert office.through(office.browser()).location == "/inbox"
    office.app.extensions["shaoji"].database.dispose()


def test_another_claim_can_be_the_subject(
    sso: Settings, web_street: Street, own: OwnProvider
) -> None:
    office = opened(replace(sso, oidc_subject="employee"), web_street, own)
    own.claims = lambda told: told.update(employee="007")
    office.link()
    person = web_street.person["head"]
    with web_street.database.begin() as conn:
        (link,) = links_of(conn, find_account(conn, "head").id)
    assert link.identity == Identity(own.url, "007")
    assert office.through(office.browser()).location == "/inbox"
    assert office.street.entries("@access")[-1].actor["person"] == person
    for nothing in (lambda told: None, lambda told: told.update(employee=7)):
        own.claims = nothing
        refused(office.through(office.browser()), "subject")
    office.app.extensions["shaoji"].database.dispose()


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example", "/\\evil", "x"])
def test_afterwards_one_stays_on_this_server(office: Office, evil: str) -> None:
    office.link()
    answer = office.through(office.browser(), f"/sign-in/provider?{urlencode({'next': evil})}")
    assert answer.location == "/inbox"


# --- answers that let nobody in -------------------------------------------------------------------

Lie = Callable[[OwnProvider], None]


def says(**claims: Any) -> Lie:
    def lie(own: OwnProvider) -> None:
        def change(told: dict[str, Any]) -> None:
            told.update(claims)
            for name in [name for name, value in told.items() if value is None]:
                del told[name]

        own.claims = change

    return lie


def dated(name: str, seconds: int) -> Lie:
    def lie(own: OwnProvider) -> None:
        own.claims = lambda told: told.update({name: own.now() + seconds})

    return lie


def signs(make: Callable[[OwnProvider], Callable[[dict[str, Any]], str]]) -> Lie:
    def lie(own: OwnProvider) -> None:
        own.sign = make(own)

    return lie


def _stolen_name(own: OwnProvider) -> Callable[[dict[str, Any]], str]:
    """Signed by another key that calls itself like the published one."""
    from joserfc.jwk import RSAKey

    key = RSAKey.generate_key(2048, {"kid": "one"})
    return lambda told: signed(told, key)


def _cut(own: OwnProvider) -> Callable[[dict[str, Any]], str]:
    """The claims of one token with the signature of another."""

    def sign(told: dict[str, Any]) -> str:
        right = signed(told, own.key)
        other = signed({**told, "sub": "4711-somebody"}, own.key)
        return ".".join([other.split(".")[0], other.split(".")[1], right.split(".")[2]])

    return sign


LIES: dict[str, tuple[str, Lie]] = {
    "another issuer": ("issuer", says(iss="https://evil.example")),
    "no issuer": ("issuer", says(iss=None)),
    "another audience": ("audience", says(aud="another-system")),
    "no audience": ("audience", says(aud=None)),
    "many audiences and no party": ("audience", says(aud=[CLIENT, "another-system"])),
    "another party": ("audience", says(aud=[CLIENT, "x"], azp="another-system")),
    "another nonce": ("nonce", says(nonce="x" * 43)),
    "no nonce": ("nonce", says(nonce=None)),
    "expired": ("expired", dated("exp", -61)),
    "no expiry": ("expired", says(exp=None)),
    "an expiry that is no number": ("expired", says(exp="soon")),
    "from the future": ("early", dated("iat", 120)),
    "not good yet": ("early", dated("nbf", 120)),
    "no subject": ("broken", says(sub=None)),
    "a hash of another token": ("broken", says(at_hash="x" * 22)),
    "a key nobody published": ("key", signs(lambda own: lambda t: signed(t, fresh_ec_key("new")))),
    "a key of the same name": ("signature", signs(_stolen_name)),
    "the signature of another": ("signature", signs(_cut)),
    "not signed": ("algorithm", signs(lambda own: unsigned)),
    "signed with the shared secret": ("algorithm", signs(by_shared_secret)),
    "signed with the public key as a secret": ("algorithm", signs(by_public_key)),
    "no token at all": ("broken", signs(lambda own: lambda told: "x.y")),
    "a token of another kind": ("broken", signs(lambda own: lambda told: "a.b.c.d.e")),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_forged_answer_lets_nobody_in_and_says_what_to_do(office: Office, lie: str) -> None:
    office.link()
    before = len([told for told in office.events() if told[0] == "session.opened"])
    reason, tell = LIES[lie]
    tell(office.own)
    who = office.browser()
    refused(office.through(who), reason)
    assert who.get("/inbox").status_code == 303
    assert len([told for told in office.events() if told[0] == "session.opened"]) == before
    assert office.last("session.refused") == {"reason": "provider", "count": 1}


def test_each_refusal_is_told_in_english_too(office: Office) -> None:
    office.own.claims = lambda told: told.update(nonce="x")
    who = office.browser()
    who.post("/display", {"language": "en"})
    answer = office.through(who)
    assert answer.status_code == 403
    assert REASONS["nonce"][1] in main_of(answer.text)
    # The language is changed on a page that can be opened again.
    assert 'name="next" value="/sign-in"' in answer.text


def test_every_reason_says_something_of_its_own_in_both_languages() -> None:
    assert REASONS.keys() > FORGED
    for language in (0, 1):
        assert len({told[language] for told in REASONS.values()}) == len(REASONS)


@pytest.mark.parametrize("seconds", [-45, 45])
def test_clocks_may_differ_by_a_minute(office: Office, seconds: int) -> None:
    office.link()
    office.own.ahead = timedelta(seconds=seconds)
    office.own.claims = lambda told: told.update(exp=office.own.now() + 10)
    assert office.through(office.browser()).location == "/inbox"


def test_a_party_named_among_several_audiences_is_us(office: Office) -> None:
    office.link()
    office.own.claims = lambda told: told.update(aud=["other", CLIENT], azp=CLIENT)
    assert office.through(office.browser()).location == "/inbox"


def question_of(who: Visitor) -> str:
    """The cookie with the question a browser was sent away with."""
    kept = who.client.get_cookie("shaoji_question", path="/sign-in/provider")
    assert kept
    return str(kept.value)


def test_the_question_lies_in_a_cookie_nobody_else_reads_or_changes(office: Office) -> None:
    office.link()
    who = office.browser()
    answer = who.get("/sign-in/provider")
    told = answer.headers["Set-Cookie"]
    assert "HttpOnly" in told
    assert "SameSite=Lax" in told
    assert "Path=/sign-in/provider;" in told
    back = local(sent_back(answer.location or ""))
    kept = question_of(who)
    # Not the last character: of that two bits say nothing, and another one may mean the same.
    for changed in (kept[:-2] + ("A" if kept[-2] != "A" else "B") + kept[-1], "x", ""):
        who.client.set_cookie("shaoji_question", changed, path="/sign-in/provider")
        refused(who.get(back), "not_asked")


def test_another_page_that_answers_meanwhile_takes_nothing_back(office: Office) -> None:
    who = office.browser("head")
    before = who.client.get_cookie("shaoji")
    assert before
    back = office.back(who, "/me/sign-in/provider")
    who.client.set_cookie("shaoji", before.value)  # what an answer to an earlier request wrote
    assert who.get(back).location == "/me/sign-in/provider/linking"
    who.client.set_cookie("shaoji", before.value)
    assert "4711-li" in who.text("/me/sign-in/provider/linking")


def test_an_answer_is_good_once_even_for_a_browser_that_keeps_its_cookie(office: Office) -> None:
    office.link()
    who = office.browser()
    back = office.back(who)
    kept = question_of(who)
    assert who.get(back).location == "/inbox"
    assert who.get(back).status_code == 403  # the question was answered
    thief = office.browser()
    thief.client.set_cookie("shaoji_question", kept, path="/sign-in/provider")
    refused(thief.get(back), "used")
    refused(office.browser().get(back), "not_asked")


def test_an_answer_to_somebody_elses_question_signs_nobody_in(office: Office) -> None:
    """Else whoever sends a link could make somebody work under an account not theirs."""
    office.link()
    attacker, victim = office.browser(), office.browser()
    back = office.back(attacker)
    refused(victim.get(back), "not_asked")
    office.back(victim)
    refused(victim.get(back), "not_asked")
    refused(victim.get(ANSWER), "not_asked")
    assert victim.get("/inbox").status_code == 303


def test_who_stays_there_too_long_begins_anew(office: Office) -> None:
    office.link()
    who = office.browser()
    back = office.back(who)
    office.clock["ahead"] = timedelta(minutes=10, seconds=1)
    refused(who.get(back), "late")


@pytest.mark.parametrize(
    ("error", "reason"),
    [("access_denied", "denied"), ("server_error", "failed"), ("<x>", "failed")],
)
def test_what_the_provider_refuses_is_told(office: Office, error: str, reason: str) -> None:
    office.own.deny = error
    answer = office.through(office.browser())
    refused(answer, reason)
    assert "<x>" not in answer.text


def test_an_answer_without_a_code_is_none(office: Office) -> None:
    who = office.browser()
    there = who.get("/sign-in/provider").location or ""
    state = parse_qs(urlsplit(there).query)["state"][0]
    refused(who.get(f"{ANSWER}?{urlencode({'state': state})}"), "failed")


def test_a_code_that_was_used_there_is_refused(office: Office) -> None:
    office.link()
    who = office.browser()
    back = office.back(who)
    office.own.codes.clear()
    refused(who.get(back), "failed")


def test_a_provider_that_does_not_know_us_says_so(office: Office) -> None:
    office.own.secret = "another"
    refused(office.through(office.browser()), "client")


@pytest.mark.parametrize("names_itself", [True, False])
def test_an_answer_that_names_its_issuer_must_name_ours(office: Office, names_itself: bool) -> None:
    office.own.name_itself = names_itself
    office.link()
    who = office.browser()
    back = office.back(who)
    with_iss = back.partition("&iss=")[0] + "&iss=https%3A%2F%2Fevil.example"
    refused(who.get(with_iss), "issuer")
    if names_itself:
        who = office.browser()
        back = re.sub(r"iss=[^&]+&?", "", office.back(who))
        refused(who.get(back), "issuer")


# --- keys -----------------------------------------------------------------------------------------


def test_a_new_key_is_asked_for_when_it_is_met(office: Office) -> None:
    office.link()
    office.own.rotate()
    assert office.through(office.browser()).location == "/inbox"
    office.own.key = fresh_ec_key("three")
    assert office.through(office.browser()).location == "/inbox"


def test_a_key_that_was_taken_back_is_believed_no_longer_than_half_an_hour(office: Office) -> None:
    office.link()
    stolen = office.own.key
    office.own.key = fresh_ec_key("two")
    office.own.sign = lambda told: signed(told, stolen)
    assert office.through(office.browser()).location == "/inbox"
    office.clock["ahead"] = office.own.ahead = timedelta(minutes=31)
    refused(office.through(office.browser()), "key")


def test_keys_for_other_uses_and_of_other_kinds_sign_nothing(office: Office) -> None:
    office.link()
    import json

    from joserfc.jwk import OctKey, RSAKey

    odd = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
    shared = OctKey.generate_key(256, {"kid": "oct"})
    keys = [odd.as_dict(private=False), shared.as_dict(private=True), {"kty": "RSA"}, "x", None,
            {"kty": "AKP", "kid": "pq"}, office.own.key.as_dict(private=False)]  # fmt: skip
    office.own.replies["/keys"] = json.dumps({"keys": keys}).encode()
    office.clock["ahead"] = office.own.ahead = timedelta(minutes=31)
    assert office.through(office.browser()).location == "/inbox"
    office.own.sign = lambda told: signed(told, shared)
    refused(office.through(office.browser()), "algorithm")


# --- a provider that is down ----------------------------------------------------------------------

DISCOVERY = "/.well-known/openid-configuration"
DOWN: dict[str, Lie] = {
    "no discovery": lambda own: own.silent.add(DISCOVERY),
    "no keys": lambda own: own.silent.add("/keys"),
    "no JSON": lambda own: own.replies.update({DISCOVERY: b"<html>"}),
    "no object": lambda own: own.replies.update({DISCOVERY: b"[]"}),
    "without end": lambda own: own.replies.update({DISCOVERY: b" " * 300_000}),
    "no endpoint": lambda own: setattr(own, "document", lambda told: told.pop("token_endpoint")),
    "an endpoint in clear elsewhere": lambda own: setattr(
        own, "document", lambda told: told.update(token_endpoint="http://id.example/token")
    ),
}


@pytest.mark.parametrize("how", DOWN)
def test_a_provider_that_cannot_be_used_leaves_the_password(office: Office, how: str) -> None:
    DOWN[how](office.own)
    who = office.browser()
    refused(who.get("/sign-in/provider"), "silent")
    assert who.sign_in("head").location == "/inbox"


def test_a_provider_that_calls_itself_otherwise_is_not_asked(office: Office) -> None:
    office.own.document = lambda told: told.update(issuer="https://evil.example")
    refused(office.browser().get("/sign-in/provider"), "issuer")


def test_a_provider_that_is_gone_leaves_the_password(
    sso: Settings, web_street: Street, own: OwnProvider
) -> None:
    office = opened(replace(sso, oidc_issuer="http://127.0.0.1:9"), web_street, own)
    who = office.browser()
    refused(who.get("/sign-in/provider"), "silent")
    refused(who.get("/sign-in/provider/leaving"), "silent")
    assert who.sign_in("head").location == "/inbox"
    assert who.post("/sign-out").location == "/sign-in"
    office.app.extensions["shaoji"].database.dispose()


@pytest.mark.parametrize("body", [None, b"no", b"{}", b'{"id_token": 1}'])
def test_a_token_endpoint_that_is_down_lets_nobody_in(office: Office, body: bytes | None) -> None:
    office.link()
    if body is None:
        office.own.silent.add("/token")
    else:
        office.own.replies["/token"] = body
    reason = "silent" if body in (None, b"no") else "broken"
    refused(office.through(office.browser()), reason)


# --- whom it lets in ------------------------------------------------------------------------------


def test_a_stranger_learns_their_number_and_an_administrator_links_it(office: Office) -> None:
    office.own.subject = "4711-<b>"
    who = office.browser()
    answer = office.through(who)
    assert answer.status_code == 403
    assert "4711-&lt;b&gt;" in answer.text
    assert office.last("session.refused")["reason"] == "unlinked"
    admin = office.browser("admin")
    assert f"绑定{LABEL}" in admin.text("/admin/accounts/grid")
    told = {"subject": " 4711-<b> ", "reason": "当面核对过"}
    done = admin.post("/admin/accounts/grid/links", told, follow_redirects=True)
    assert "已绑定，本人以后可以用统一身份认证登录" in done.text
    assert "4711-&lt;b&gt;" in done.text
    assert "给账号 grid 绑定了统一登录" in main_of(done.text)
    assert "当面核对过" in done.text
    assert office.through(who).location == "/inbox"
    assert office.street.entries("@access")[-1].actor["person"] == office.street.person["grid"]


def test_an_administrators_link_takes_a_reason_a_number_and_an_administrator(
    office: Office,
) -> None:
    admin, head = office.browser("admin"), office.browser("head")
    path = "/admin/accounts/grid/links"
    assert "请写明理由" in admin.post(path, {"subject": "x", "reason": " "}).text
    assert "一行" in admin.post(path, {"subject": " ", "reason": "r"}).text
    assert head.post(path, {"subject": "x", "reason": "r"}).status_code == 403
    own = admin.post("/admin/accounts/admin/links", {"subject": "x", "reason": "r"})
    assert own.status_code == 403
    assert f"绑定{LABEL}" not in admin.text("/admin/accounts/admin")
    assert (
        admin.post("/admin/accounts/nobody/links", {"subject": "x", "reason": "r"}).status_code
        == 404
    )
    assert admin.post(path, {"subject": "x", "reason": "r"}).status_code == 303
    again = admin.post(path, {"subject": "y", "reason": "r"})
    assert again.status_code == 409
    other = admin.post("/admin/accounts/head/links", {"subject": "x", "reason": "r"})
    assert "已经绑定到另一个账号" in other.text


def test_an_administrator_takes_a_link_off_and_the_account_is_out(office: Office) -> None:
    office.link("head")
    head = office.browser()
    office.through(head)
    admin = office.browser("admin")
    told = re.search(r'action="(/admin/accounts/head/links/[^"]+/removal)"',
                     admin.text("/admin/accounts/head"))  # fmt: skip
    assert told
    assert admin.post(told[1], {"reason": ""}).status_code == 400
    done = admin.post(told[1], {"reason": "离职"}, follow_redirects=True)
    assert "绑定已解除" in done.text
    assert "解除了账号 head 的统一登录" in main_of(done.text)
    assert head.get("/inbox").status_code == 303
    assert office.through(office.browser()).status_code == 403
    assert admin.post(told[1], {"reason": "离职"}).status_code == 404


def test_a_disabled_account_is_told_so(office: Office) -> None:
    office.link("grid")
    admin = By(office.street.person["admin"])
    office.street.do(disable_account, "grid", reason="离职", by=admin)
    answer = office.through(office.browser())
    assert answer.status_code == 403
    assert "您在这里的账号已停用" in answer.text


def test_a_locked_account_is_told_so(office: Office) -> None:
    office.link("grid")
    for _ in range(5):
        with pytest.raises(SignInRefused):
            sign_in(office.street.database, "grid", "wrong", at=office.street.at)
    answer = office.through(office.browser())
    assert answer.status_code == 403
    assert "请过 15 分钟再试，或请管理员解除锁定" in answer.text
    office.street.later(minutes=15)
    assert office.through(office.browser()).location == "/inbox"


def test_the_second_factor_is_still_asked_for(office: Office) -> None:
    office.link("admin")
    who = office.browser()
    answer = office.through(who, "/sign-in/provider?next=/admin/")
    assert answer.location == "/second-factor?next=/admin/"
    assert who.get("/admin/").status_code == 303
    assert who.second_step("admin", answer.location or "").location == "/admin/"
    assert who.get("/admin/").status_code == 200
    told = office.last("session.opened")
    assert told["link"]
    assert told["factor"] in ("code", "recovery")


def test_whoever_gets_a_post_that_takes_one_enrols(office: Office) -> None:
    office.link("grid")
    office.street.do(
        grant_post, office.street.person["grid"], "u-street", "保管", ["custody"], reason="r",
        by=By(office.street.person["admin"]),
    )  # fmt: skip
    who = office.browser()
    answer = office.through(who)
    assert answer.location == "/second-factor?next=/inbox"
    assert 'class="secret"' in who.text(answer.location or "")


def test_strangers_and_forgers_are_stopped_like_guessers(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MOST", 3)
    office.link("grid")
    office.own.subject = "4711-nobody"
    assert office.through(office.browser()).status_code == 403
    office.own.claims = lambda told: told.update(nonce="x")
    for _ in range(2):
        refused(office.through(office.browser()), "nonce")
    who = office.browser()
    refused(who.get("/sign-in/provider"), "often")
    # A provider with a wrong clock must not lock a whole office out.
    assert who.sign_in("head").location == "/inbox"
    office.street.later(minutes=15)
    office.own.claims = lambda told: None
    office.own.subject = "4711-li"
    assert office.through(office.browser()).location == "/inbox"


def test_codes_that_are_guessed_are_stopped_before_the_provider_is_asked(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MOST", 2)
    for reason in ("failed", "failed", "often"):
        who = office.browser()
        there = who.get("/sign-in/provider")
        if reason != "often":
            state = parse_qs(urlsplit(there.location or "").query)["state"][0]
            there = who.get(f"{ANSWER}?{urlencode({'state': state, 'code': 'guess'})}")
        refused(there, reason)
    assert len(office.own.exchanged) == 2


def test_a_provider_that_is_down_is_asked_again_after_ten_seconds(office: Office) -> None:
    office.own.silent.add(DISCOVERY)
    refused(office.browser().get("/sign-in/provider"), "silent")
    office.own.silent.clear()
    refused(office.browser().get("/sign-in/provider"), "silent")
    office.clock["ahead"] = timedelta(seconds=11)
    assert office.browser().get("/sign-in/provider").status_code == 303


def test_signing_in_begins_a_new_cookie(office: Office) -> None:
    office.link("grid")
    who = office.browser()
    with who.client.session_transaction() as session:
        session["planted"] = "yes"
    office.through(who)
    with who.client.session_transaction() as session:
        assert "planted" not in session
    assert who.client.get_cookie("shaoji_question", path="/sign-in/provider") is None


def test_whoever_is_in_already_is_not_sent_away(office: Office) -> None:
    who = office.browser("head")
    assert who.get("/sign-in/provider?next=/cases").location == "/cases"


# --- one's own links ------------------------------------------------------------------------------


def test_only_ones_own_yes_links(office: Office) -> None:
    who = office.browser("head")
    assert f"绑定我的{LABEL}" in who.text("/me/sign-in")
    office.through(who, "/me/sign-in/provider")
    page = who.text("/me/sign-in/provider/linking")
    assert "是您本人吗" in page
    assert "4711-li" in page
    assert "li演示" in page
    assert not [told for told in office.events("@accounts") if told[0] == "account.linked"]
    assert who.client.post("/me/sign-in/provider/linking").status_code == 400  # no token
    done = who.post("/me/sign-in/provider/linking", follow_redirects=True)
    assert "已绑定，以后可以用统一身份认证登录" in done.text
    assert "4711-li" in done.text
    assert (
        who.post("/me/sign-in/provider/linking", follow_redirects=True).text.count("还没有绑定")
        == 1
    )
    assert len([told for told in office.events("@accounts") if told[0] == "account.linked"]) == 1


def test_what_one_person_showed_links_nobody_else(office: Office) -> None:
    who = office.browser("head")
    office.through(who, "/me/sign-in/provider")
    who.post("/sign-out")
    who.sign_in("grid")
    assert who.post("/me/sign-in/provider/linking").location == "/me/sign-in"
    assert not [told for told in office.events("@accounts") if told[0] == "account.linked"]


def test_what_was_shown_is_good_for_ten_minutes(office: Office) -> None:
    who = office.browser("head")
    office.through(who, "/me/sign-in/provider")
    office.clock["ahead"] = timedelta(minutes=10, seconds=1)
    answer = who.post("/me/sign-in/provider/linking", follow_redirects=True)
    assert "还没有绑定" in answer.text


def test_whoever_signed_out_meanwhile_links_nothing(office: Office) -> None:
    who = office.browser("head")
    back = office.back(who, "/me/sign-in/provider")
    who.post("/sign-out")
    assert (who.get(back).location or "").startswith("/sign-in?next=")


def test_linking_asks_first_who_it_is(office: Office) -> None:
    who = office.browser("head")
    office.street.later(minutes=30)
    assert who.get("/me/sign-in/provider").location == "/confirm?next=/me/sign-in/provider"
    assert who.post("/me/sign-in/links/l-1/removal").status_code == 422


def test_one_takes_ones_own_link_off_and_is_out_elsewhere(office: Office) -> None:
    who = office.link("head")
    other = office.browser()
    office.through(other)
    told = re.search(r'action="(/me/sign-in/links/[^"]+)"', who.text("/me/sign-in"))
    assert told
    assert office.browser("grid").post(told[1]).status_code == 404
    done = who.post(told[1], follow_redirects=True)
    assert "绑定已解除" in done.text
    assert f"绑定我的{LABEL}" in done.text
    assert other.get("/inbox").status_code == 303
    assert office.through(office.browser()).status_code == 403
    admin = office.browser("admin")
    said = main_of(admin.text("/admin/accounts/head"))
    assert "给自己的账号 head 绑定了统一登录" in said
    assert "解除了自己账号 head 的统一登录" in said


def test_a_link_outlives_its_provider_and_says_so(
    office: Office, settings: Settings, web_street: Street
) -> None:
    office.link("head")
    app = create_app(settings, clock=lambda: web_street.at)
    who = Visitor(app.test_client())
    who.sign_in("head")
    page = main_of(who.text("/me/sign-in"))
    assert "这个绑定用不上" in page
    assert office.own.url in page
    app.extensions["shaoji"].database.dispose()


# --- confirming again -----------------------------------------------------------------------------


def waited(office: Office, name: str = "head") -> Visitor:
    """Somebody linked who has to confirm that it is them."""
    who = office.link(name)
    office.street.later(minutes=30)
    return who


def test_whoever_knows_no_password_confirms_at_the_provider(office: Office) -> None:
    who = waited(office)
    page = who.text("/confirm?next=/me/sign-in/enrolment")
    told = re.search(r'href="(/confirm/provider\?next=[^"]+)"', page)
    assert told
    assert office.through(who, html.unescape(told[1])).location == "/me/sign-in/enrolment"
    assert office.own.asked[-1]["prompt"] == "login"
    assert office.own.asked[-1]["max_age"] == "0"
    assert who.get("/me/sign-in/enrolment").status_code == 200
    assert office.last("session.confirmed")["factor"] == "provider"


def test_confirming_beside_a_form_loses_nothing_of_it(office: Office) -> None:
    who = waited(office)
    told = re.search(r'action="(/me/sign-in/links/[^"]+)"', who.text("/me/sign-in"))
    assert told
    page = who.post(told[1], {"reason": "填了一半"})
    assert page.status_code == 422
    assert "填了一半" in page.text
    assert re.search(r'href="/confirm/provider" target="_blank" rel="noopener"', page.text)
    there = office.through(who, "/confirm/provider")
    assert there.location == "/confirm/provider/done"
    assert "请关掉这一页" in who.text("/confirm/provider/done")
    done = who.post(told[1], {"reason": "填了一半", "confirming": "yes", "password": ""})
    assert done.location == "/me/sign-in"


def _no_time(told: dict[str, Any]) -> None:
    told.pop("auth_time", None)


def _text(told: dict[str, Any]) -> None:
    told["auth_time"] = "now"


def _old(told: dict[str, Any]) -> None:
    told["auth_time"] -= 3600


def _yes(told: dict[str, Any]) -> None:
    told["auth_time"] = True


def _future(told: dict[str, Any]) -> None:
    told["auth_time"] += 3600


@pytest.mark.parametrize("change", [_no_time, _text, _old, _yes, _future])
def test_a_sign_in_that_was_not_just_now_confirms_nothing(
    office: Office, change: Callable[[dict[str, Any]], None]
) -> None:
    who = waited(office)
    office.own.claims = change
    answer = office.through(who, "/confirm/provider?next=/me/sign-in/enrolment")
    assert answer.status_code == 403
    assert ("不能算确认" in answer.text) or (REASONS["broken"][0] in answer.text)
    assert who.get("/me/sign-in/enrolment").status_code == 303
    assert who.get("/inbox").status_code == 200


def test_somebody_elses_sign_in_there_confirms_nothing(office: Office) -> None:
    office.link("grid", "4711-grid")
    who = waited(office)
    for stranger in ("4711-grid", "4711-nobody"):
        office.own.subject = stranger
        answer = office.through(who, "/confirm/provider?next=/me/sign-in/enrolment")
        assert answer.status_code == 403
        assert "不是绑定到您这个账号的人" in answer.text
    assert who.get("/me/sign-in/enrolment").status_code == 303


def test_with_a_second_factor_it_is_the_code_that_confirms(office: Office) -> None:
    who = waited(office, "admin")
    assert "/confirm/provider" not in who.text("/confirm")
    answer = office.through(who, "/confirm/provider")
    assert answer.status_code == 403
    assert "请用手机上的验证码确认" in answer.text


def test_whoever_is_not_linked_is_not_offered_it(office: Office) -> None:
    who = office.browser("grid")
    office.street.later(minutes=30)
    assert "/confirm/provider" not in who.text("/confirm")


def test_an_empty_password_confirms_nothing_by_itself(office: Office) -> None:
    who = waited(office)
    path = "/me/sign-in/links/l-1/removal"
    assert who.post(path, {"confirming": "yes", "password": ""}).status_code == 422


# --- leaving --------------------------------------------------------------------------------------


def test_leaving_is_offered_to_whom_the_provider_let_in_alone(office: Office) -> None:
    who = office.link("head")
    assert who.post("/sign-out").location == "/sign-in"
    office.through(who)
    assert who.post("/sign-out").location == "/sign-in?left=provider"
    address = who.get("/sign-in/provider/leaving").location or ""
    told = parse_qs(urlsplit(address).query)
    assert address.startswith(f"{office.own.url}/end?")
    assert told["client_id"] == [CLIENT]


def test_a_provider_without_a_way_out_is_not_offered(office: Office) -> None:
    office.own.document = lambda told: told.pop("end_session_endpoint")
    office.link("head")
    who = office.browser()
    office.through(who)
    assert who.post("/sign-out").location == "/sign-in"
    refused(who.get("/sign-in/provider/leaving"), "no_end")
