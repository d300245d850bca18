"""The office's own identity provider: what it has published, how it is asked, what it answers.

OpenID Connect with the authorization code flow and PKCE (RFC 7636, S256). Everything secret about
one sign-in is derived from a random token in the browser's signed cookie: nothing is stored until
an answer comes. Nothing the provider says is believed before `web.id_tokens` has checked it.
"""

import base64
import hashlib
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

import orjson
from flask import current_app

from engine.outgoing import NoAnswer, Reply, get, post
from engine.provider_answers import LIFETIME
from engine.provider_links import Identity
from web.config import BadSettings, Settings, is_here, private_text
from web.id_tokens import SKEW, Claims, Expected, Read, reader
from web.provider_refusals import ProviderRefused
from web.texts import either

EXTENSION: Final = "shaoji.provider"
TIMEOUT: Final = 5.0
LARGEST: Final = 256 * 1024
# Keys that were taken back are believed no longer than this.
FRESH: Final = timedelta(minutes=30)
# Else whoever asks again and again would keep all threads waiting for a provider that is down.
PAUSE: Final = timedelta(seconds=10)
FORM: Final = "application/x-www-form-urlencoded"
ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
OK: Final = 200

logger = logging.getLogger("shaoji.provider")


@dataclass(frozen=True, slots=True)
class Published:
    """What the provider has published: its discovery document, its keys, and as of when."""

    document: Mapping[str, Any]
    keys: list[Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider of these settings. answer_url: where it sends people back to.

    kept: what it has published, under one name, so that not each sign-in asks for it. failed: when
    it could last not be used, under the same, so that not each one waits for it.
    """

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    site: str
    labels: tuple[str, str]
    subject: str
    read: Read = field(repr=False)
    kept: dict[str, Published] = field(default_factory=dict, repr=False)
    failed: dict[str, datetime] = field(default_factory=dict, repr=False)

    @property
    def answer_url(self) -> str:
        """The address that is registered there, to which answers come."""
        return f"{self.site}/sign-in/provider/answer"


@dataclass(frozen=True, slots=True)
class Question:
    """One sending of a browser to the provider.

    token: random, and in that browser's cookie alone. purpose: `enter`, `confirm` or `link`.
    onward: the local path to go to afterwards. at: when, by the wall clock.
    """

    token: str
    purpose: str
    onward: str
    at: datetime

    @property
    def state(self) -> str:
        """What the answer must bring back."""
        return _derived(self.token, b"state")

    @property
    def nonce(self) -> str:
        """What the ID token must name."""
        return _derived(self.token, b"nonce")

    @property
    def verifier(self) -> str:
        """What shows, at the token endpoint, that it is us who asked."""
        return _derived(self.token, b"verifier")

    @property
    def challenge(self) -> str:
        """What of the verifier the provider is told beforehand (S256)."""
        return _base64(hashlib.sha256(self.verifier.encode()).digest())


@dataclass(frozen=True, slots=True)
class Word:
    """Whom the provider vouches for. called: as people know them there, "" if it does not say."""

    identity: Identity
    called: str


def configured(settings: Settings) -> Provider | None:
    """The provider of these settings, or None; raises BadSettings if something is missing."""
    if not settings.oidc_issuer:
        if settings.oidc_client_id or settings.oidc_client_secret:
            raise BadSettings(
                "统一登录还要用 SHAOJI_OIDC_ISSUER 指明签发地址。 / SHAOJI_OIDC_ISSUER is missing."
            )
        return None
    if not settings.oidc_client_id or not settings.public_url:
        raise BadSettings(
            "配置了统一登录（SHAOJI_OIDC_ISSUER），还要配置 SHAOJI_OIDC_CLIENT_ID 和"
            " SHAOJI_PUBLIC_URL（别人访问这里的地址）。"
            " / SHAOJI_OIDC_ISSUER needs SHAOJI_OIDC_CLIENT_ID and SHAOJI_PUBLIC_URL."
        )
    secret = settings.oidc_client_secret
    return Provider(
        settings.oidc_issuer,
        settings.oidc_client_id,
        private_text(secret) if secret else "",
        settings.public_url,
        (settings.oidc_label, settings.oidc_label_en),
        settings.oidc_subject,
        reader(),
    )


def at_hand() -> Provider | None:
    """The provider of the application that serves this request, if one is configured."""
    found: Provider | None = current_app.extensions.get(EXTENSION)
    return found


def label() -> str:
    """What people here call the provider, in the language of this request; "" without one."""
    found = at_hand()
    return either(*found.labels) if found else ""


# --- asking ---------------------------------------------------------------------------------------


def question_address(provider: Provider, question: Question, *, language: str) -> str:
    """Where the browser is sent to be asked who it is; raises ProviderRefused."""
    told = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": provider.answer_url,
        "scope": "openid profile",
        "state": question.state,
        "nonce": question.nonce,
        "code_challenge": question.challenge,
        "code_challenge_method": "S256",
        "ui_locales": "zh-CN" if language == "zh" else "en",
    }
    if question.purpose == "confirm":
        told |= {"prompt": "login", "max_age": "0"}
    return _with(published(provider, question.at).document["authorization_endpoint"], told)


def end_address(provider: Provider, now: datetime) -> str | None:
    """Where to sign out at the provider (RP-initiated logout), None if it has no such place.

    Raises ProviderRefused.
    """
    end = published(provider, now).document.get("end_session_endpoint")
    if not isinstance(end, str) or not _is_guarded(end):
        return None
    told = {
        "client_id": provider.client_id,
        "post_logout_redirect_uri": f"{provider.site}/sign-in",
    }
    return _with(end, told)


def ends_sessions(now: datetime) -> bool:
    """Whether there is a provider at hand that says how to sign out there."""
    found = at_hand()
    try:
        return found is not None and end_address(found, now) is not None
    except ProviderRefused:
        return False


# --- answering ------------------------------------------------------------------------------------


def fits(question: Question, state: str) -> bool:
    """Whether an answer with this state is one to this question."""
    return hmac.compare_digest(question.state.encode(), state.encode())


def word_of(
    provider: Provider, question: Question, answer: Mapping[str, str], now: datetime
) -> Word:
    """Whom the provider vouches for in this answer (the query it came with).

    now: by the wall clock, which the provider goes by. Raises ProviderRefused.
    """
    if now - question.at > LIFETIME:
        raise ProviderRefused("late")
    known = published(provider, now)
    _check_answer(provider, known, answer)
    token, access = _exchanged(provider, question, answer["code"], known)
    claims = _checked(provider, question, token, access, now)
    if question.purpose == "confirm":
        _check_fresh(claims, question, now)
    subject = claims.get(provider.subject)
    if not isinstance(subject, str) or not subject.strip():
        raise ProviderRefused("subject")
    called = claims.get("preferred_username") or claims.get("name") or ""
    return Word(Identity(provider.issuer, subject), str(called)[:100])


def check_let_in(answer: Mapping[str, str]) -> None:
    """Raise ProviderRefused for an answer that says that nothing came of it there."""
    error = answer.get("error")
    if error:
        raise ProviderRefused("denied" if error == "access_denied" else "failed")


def _check_answer(provider: Provider, known: Published, answer: Mapping[str, str]) -> None:
    told = answer.get("iss")
    if told is None and known.document.get("authorization_response_iss_parameter_supported"):
        raise ProviderRefused("issuer")  # RFC 9207: it says who it is, or it is not it
    if told is not None and told != provider.issuer:
        raise ProviderRefused("issuer")
    check_let_in(answer)
    if not answer.get("code"):
        raise ProviderRefused("failed")


def _exchanged(
    provider: Provider, question: Question, code: str, known: Published
) -> tuple[str, str]:
    """The ID token and the access token this code is worth."""
    told = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": provider.answer_url,
        "code_verifier": question.verifier,
    }
    headers = {"Accept": "application/json"}
    methods = known.document.get("token_endpoint_auth_methods_supported")
    if not provider.secret:
        told["client_id"] = provider.client_id
    elif isinstance(methods, list) and "client_secret_basic" not in methods:
        told |= {"client_id": provider.client_id, "client_secret": provider.secret}
    else:
        headers["Authorization"] = _basic(provider)
    body = urlencode(told).encode()
    endpoint = known.document["token_endpoint"]
    try:
        reply = post(endpoint, body, FORM, timeout=TIMEOUT, largest=LARGEST, headers=headers)
    except NoAnswer as silent:
        raise _silent("the token endpoint", str(silent)) from None
    return _tokens(reply)


def _tokens(reply: Reply) -> tuple[str, str]:
    told = _object(reply.body)
    if reply.status != OK:
        error = str(told.get("error", ""))[:50]
        logger.warning("no token: %s %s", reply.status, error if error.isascii() else "?")
        raise ProviderRefused({
            "invalid_client": "client", "unauthorized_client": "client",
            "invalid_grant": "failed", "invalid_request": "failed",
        }.get(error, "silent"))  # fmt: skip
    token, access = told.get("id_token"), told.get("access_token")
    if not isinstance(token, str):
        raise ProviderRefused("broken")
    return token, access if isinstance(access, str) else ""


def _checked(
    provider: Provider, question: Question, token: str, access: str, now: datetime
) -> Claims:
    expected = Expected(provider.issuer, provider.client_id, question.nonce, access)
    try:
        return provider.read(token, published(provider, now).keys, expected, now)
    except ProviderRefused as refused:
        if refused.reason != "key":
            raise
    # Keys are replaced: what is signed with one we do not know may be signed with a new one.
    provider.kept.clear()
    return provider.read(token, published(provider, now).keys, expected, now)


def _check_fresh(claims: Claims, question: Question, now: datetime) -> None:
    told = claims.get("auth_time")
    if isinstance(told, bool) or not isinstance(told, int):
        raise ProviderRefused("stale")
    skew = SKEW.total_seconds()
    if not question.at.timestamp() - skew <= told <= now.timestamp() + skew:
        raise ProviderRefused("stale")


# --- what is published ----------------------------------------------------------------------------


def published(provider: Provider, now: datetime) -> Published:
    """What the provider has published, at most half an hour old; raises ProviderRefused."""
    known = provider.kept.get("published")
    if known is not None and timedelta(0) <= now - known.at < FRESH:
        return known
    failed = provider.failed.get("published")
    if failed is not None and timedelta(0) <= now - failed < PAUSE:
        raise ProviderRefused("silent")
    try:
        known = _fetched(provider, now)
    except ProviderRefused:
        provider.failed["published"] = now
        raise
    provider.kept["published"] = known
    return known


def _fetched(provider: Provider, now: datetime) -> Published:
    # OpenID Connect Discovery 1.0, section 4.
    document = _got(f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
    if document.get("issuer") != provider.issuer:
        logger.warning("the provider calls itself by another name than SHAOJI_OIDC_ISSUER")
        raise ProviderRefused("issuer")
    for name in ENDPOINTS:
        if not isinstance(document.get(name), str) or not _is_guarded(document[name]):
            raise _silent("discovery", f"no usable {name}")
    keys = _got(document["jwks_uri"]).get("keys")
    return Published(document, keys if isinstance(keys, list) else [], now)


def _got(url: str) -> dict[str, Any]:
    try:
        reply = get(url, timeout=TIMEOUT, largest=LARGEST)
    except NoAnswer as silent:
        raise _silent(urlsplit(url).path, str(silent)) from None
    if reply.status != OK:
        raise _silent(urlsplit(url).path, str(reply.status))
    return _object(reply.body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        raise _silent("an answer", "no JSON object")
    return told


def _silent(where: str, what: str) -> ProviderRefused:
    logger.warning("the identity provider cannot be used: %s: %s", where, what)
    return ProviderRefused("silent")


def _is_guarded(url: str) -> bool:
    told = urlsplit(url)
    return told.scheme == "https" or (told.scheme == "http" and is_here(told.hostname))


def _with(address: str, told: Mapping[str, str]) -> str:
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(told)}"


def _basic(provider: Provider) -> str:
    # RFC 6749, section 2.3.1: form-encoded first, since either may hold a colon.
    told = f"{quote_plus(provider.client_id)}:{quote_plus(provider.secret)}"
    return "Basic " + base64.b64encode(told.encode()).decode()


def _derived(token: str, what: bytes) -> str:
    return _base64(hmac.digest(token.encode(), b"shaoji provider " + what, "sha256"))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
