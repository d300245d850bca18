"""Identity providers for tests: one of others' make in a process of its own, and one that forges.

`other_provider` runs oidc-provider-mock, which asks whoever comes who they are. `own_provider` lets
everybody in as whom a test says, checks what it is sent as the specifications want it, and answers
wrongly where a test says so.
"""

import base64
import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit
from urllib.request import Request, urlopen

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from tests.servers import _serving

CLIENT, SECRET = "shaoji-听澜", "a:secret%& of 听澜"


@dataclass
class OwnProvider:
    """What it knows, what it was asked, and how it lies.

    claims: changes an ID token's claims before it is signed. sign: makes the token instead. deny:
    the error it answers with. silent: paths it answers with 500. document: changes its discovery
    document. replies: bodies that replace what is at a path.
    """

    url: str = ""
    subject: str = "4711-li"
    called: str = "li演示"
    client: str = CLIENT
    secret: str = SECRET
    key: Any = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    published: list[Any] = field(default_factory=list)
    claims: Callable[[dict[str, Any]], None] = lambda told: None
    sign: Callable[[dict[str, Any]], str] | None = None
    deny: str = ""
    silent: set[str] = field(default_factory=set)
    document: Callable[[dict[str, Any]], None] = lambda told: None
    replies: dict[str, bytes] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    exchanged: list[dict[str, str]] = field(default_factory=list)
    methods: tuple[str, ...] = ()
    name_itself: bool = False
    ahead: timedelta = timedelta(0)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def now(self) -> int:
        return int((datetime.now(UTC) + self.ahead).timestamp())

    def rotate(self) -> None:
        """Sign with another key from now on, and publish both."""
        self.published = [self.key]
        self.key = RSAKey.generate_key(2048, {"kid": f"key-{len(self.asked)}"})

    def discovery(self) -> dict[str, Any]:
        told = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/end",
            "authorization_response_iss_parameter_supported": self.name_itself,
        }
        if self.methods:
            told["token_endpoint_auth_methods_supported"] = list(self.methods)
        self.document(told)
        return told

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        self.asked.append(asked)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == self.client
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        told = {"state": asked["state"]}
        if self.name_itself:
            told["iss"] = self.url
        if self.deny:
            told["error"] = self.deny
        else:
            told["code"] = code = f"code-{len(self.asked)}"
            self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode(told)}"

    def token(self, headers: Any, told: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.exchanged.append(told)
        if not self.knows(headers.get("Authorization", ""), told):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(told["code"], None)
        if asked is None or told["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(told["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": self.word(asked)}

    def knows(self, header: str, told: dict[str, str]) -> bool:
        """Whether the client has shown who it is, as RFC 6749 section 2.3.1 wants it."""
        if not self.secret:
            return told.get("client_id") == self.client and not header
        if self.methods == ("client_secret_post",):
            return (told.get("client_id"), told.get("client_secret")) == (self.client, self.secret)
        name, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        return (unquote_plus(name), unquote_plus(secret)) == (self.client, self.secret)

    def word(self, asked: dict[str, str]) -> str:
        told = {
            "iss": self.url,
            "aud": self.client,
            "sub": self.subject,
            "preferred_username": self.called,
            "nonce": asked["nonce"],
            "iat": self.now(),
            "exp": self.now() + 300,
        }
        if "max_age" in asked:
            told["auth_time"] = self.now()
        self.claims(told)
        if self.sign:
            return self.sign(told)
        return signed(told, self.key)


def signed(claims: dict[str, Any], key: Any, alg: str = "", **header: Any) -> str:
    """A token signed by this key, whatever it says."""
    alg = alg or {"RSA": "RS256", "EC": "ES256", "oct": "HS256", "OKP": "EdDSA"}[key.key_type]
    told = {"alg": alg, "kid": key.kid, **header}
    return jwt.encode({k: v for k, v in told.items() if v}, claims, key, algorithms=[alg])


def unsigned(claims: dict[str, Any]) -> str:
    """A token that says of itself that nobody signed it."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    coded = (base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in parts)
    return ".".join(one.rstrip("=") for one in coded) + "."


def by_shared_secret(provider: OwnProvider) -> Callable[[dict[str, Any]], str]:
    """Signs with what both sides know (HS256), under the name of the published key."""
    key = OctKey.import_key(provider.secret, {"kid": "one"})
    return lambda claims: signed(claims, key)


def by_public_key(provider: OwnProvider) -> Callable[[dict[str, Any]], str]:
    """Signs with the published key as if it were a secret: the oldest forgery there is."""
    pem = provider.key.as_pem(private=False)
    head = {"alg": "HS256", "kid": "one"}

    def sign(claims: dict[str, Any]) -> str:
        import hmac

        parts = [_coded(json.dumps(one).encode()) for one in (head, claims)]
        mac = hmac.digest(pem, ".".join(parts).encode(), "sha256")
        return ".".join([*parts, _coded(mac)])

    return sign


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def fresh_ec_key(kid: str) -> Any:
    """A key of another kind."""
    return ECKey.generate_key("P-256", {"kid": kid})


@contextmanager
def own_provider() -> Iterator[OwnProvider]:
    """A provider on this machine that does as it is told."""
    provider = OwnProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            where = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(where.query).items()}
            if where.path in provider.silent:
                self.say(500, b"")
            elif where.path in provider.replies:
                self.say(200, provider.replies[where.path])
            elif where.path == "/.well-known/openid-configuration":
                self.say(200, json.dumps(provider.discovery()).encode())
            elif where.path == "/keys":
                keys = KeySet([provider.key, *provider.published])
                self.say(200, json.dumps(keys.as_dict(private=False)).encode())
            elif where.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorize(asked))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif where.path == "/end":
                told = f"<html lang=en><title>-</title><h1>signed out</h1>{where.query}"
                self.say(200, told.encode(), "text/html")
            else:
                self.say(404, b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            told = {name: values[0] for name, values in parse_qs(body).items()}
            path = urlsplit(self.path).path
            if path in provider.silent:
                self.say(500, b"")
            elif path in provider.replies:
                self.say(200, provider.replies[path])
            else:
                status, answer = provider.token(self.headers, told)
                self.say(status, json.dumps(answer).encode())

        def say(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    with _serving(server):
        yield provider


@contextmanager
def other_provider() -> Iterator[str]:
    """The address of a provider of others' make, in a process of its own."""
    process, url = _started()
    try:
        yield url
    finally:
        process.terminate()
        process.communicate()


def _started(attempts: int = 5) -> tuple[subprocess.Popen[bytes], str]:
    """It takes a port by number only: somebody may have taken that in between, then another."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock"]
    process = subprocess.Popen(
        [*command, "-p", str(port), "-n", "true"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    if _answers(f"{url}/.well-known/openid-configuration", process):
        return process, url
    said = process.communicate()[0].decode()
    assert attempts > 1, said
    assert "in use" in said, said
    return _started(attempts - 1)


def name_user(issuer: str, subject: str, claims: dict[str, Any]) -> None:
    """Tell that provider of somebody."""
    told = Request(  # noqa: S310 - an address of this test
        f"{issuer}/users/{subject}", json.dumps(claims).encode(),
        {"Content-Type": "application/json"}, method="PUT",
    )  # fmt: skip
    urlopen(told).close()  # noqa: S310 - an address of this test


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait for it; false where the process ended instead."""
    for _ in range(600):
        if process.poll() is not None:
            return False
        try:
            urlopen(url).close()  # noqa: S310 - an address of this test
        except OSError:
            time.sleep(0.1)
        else:
            return True
    raise AssertionError("the provider did not start")
