"""Servers for tests of what leaves the house: mail as RFC 5321 wants it, and one for webhooks."""

import base64
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Mail:
    """What a mail server was given, and how it behaves.

    codes: the answer to a command instead of the usual one. die: hang up after DATA, unanswered.
    """

    port: int = 0
    letters: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    die: bool = False
    password: str = ""


class _Smtp(StreamRequestHandler):
    """One conversation; knows what smtplib says and nothing more."""

    server: Any

    def setup(self) -> None:
        if self.server.tls == "smtps":
            self.request = self.server.trust.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()  # the encrypted one, which the server knows nothing of

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")
        self.wfile.flush()

    def handle(self) -> None:
        mail: Mail = self.server.mail
        encrypted = self.server.tls == "smtps"
        self.say("220 test")
        sender, receivers = "", list[str]()
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0].split(":")[0].upper()
            if verb in mail.codes:
                self.say(mail.codes[verb])
            elif verb == "EHLO":
                offer = ["STARTTLS"] if self.server.tls == "starttls" and not encrypted else []
                lines = ["test", *offer, "AUTH PLAIN", "8BITMIME"]
                for n, words in enumerate(lines):
                    self.say(f"250{' ' if n == len(lines) - 1 else '-'}{words}")
            elif verb == "STARTTLS":
                self.say("220 go ahead")
                self.request = self.server.trust.wrap_socket(self.request, server_side=True)
                super().setup()
                encrypted = True
            elif verb == "AUTH":
                _, user, password = base64.b64decode(line.split()[-1]).decode().split("\0")
                mail.users.append(user)
                self.say("235 ok" if password == mail.password else "535 wrong")
            elif verb == "MAIL":
                sender, receivers = line.split(":", 1)[1], []
                self.say("250 ok")
            elif verb == "RCPT":
                receivers.append(line.split(":", 1)[1].strip("<> "))
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go ahead")
                body = b""
                while not body.endswith(b"\r\n.\r\n"):
                    body += self.rfile.readline()
                mail.letters.append((sender, receivers, body[:-5]))
                mail.encrypted.append(encrypted)
                if mail.die:
                    return
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")


class _Mails(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up; that is what tests are about."""


@contextmanager
def mail_server(tls: str = "", folder: Path | None = None) -> Iterator[Mail]:
    """A mail server on this machine; tls: "", starttls or smtps, with a certificate in `folder`."""
    mail = Mail()
    server: Any = _Mails(("127.0.0.1", 0), _Smtp)
    server.mail, server.tls = mail, tls
    if folder is not None:
        server.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.trust.load_cert_chain(certificate(folder))
    mail.port = server.server_address[1]
    with _serving(server):
        yield mail


@dataclass
class Hook:
    """What a webhook's receiver was told: (headers in lower case, body), and what it answers."""

    url: str = ""
    told: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204
    answer: bytes = b""


@contextmanager
def hook_server() -> Iterator[Hook]:
    """A receiver of webhooks on this machine."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.told.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(hook.status)
            self.send_header("Content-Length", str(len(hook.answer)))
            self.end_headers()
            self.wfile.write(hook.answer)

        def log_message(self, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/told?by=shaoji"
    with _serving(server):
        yield hook


@contextmanager
def _serving(server: Any) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(folder: Path) -> Path:
    """A PEM file with a key and a certificate of its own for 127.0.0.1, made once."""
    path = folder / "server.pem"
    if path.exists():
        return path
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName(
        [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    return path
