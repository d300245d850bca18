"""One request to a stranger: over TLS only to whom the system trusts, and not for ever."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from engine.outgoing import NoAnswer, Reply, post
from tests.offices import read_whole, speaking

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nyes"


def certificate(folder: Path) -> Path:
    """A certificate of 127.0.0.1, signed by itself, and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(
        made.public_bytes(pem) + key.private_bytes(pem, form, serialization.NoEncryption())
    )
    return path


@contextmanager
def over_tls(path: Path) -> Iterator[str]:
    """A server that answers yes to whoever believes its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        link, _ = listener.accept()
        with link, suppress(OSError), context.wrap_socket(link, server_side=True) as secured:
            read_whole(secured)
            secured.sendall(ANSWER)

    thread = Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/add-checkpoint"
    thread.join()


def ask(url: str, timeout: float = 10.0) -> Reply:
    return post(url, b"hello", "text/plain", timeout=timeout, largest=100)


def test_a_server_that_the_system_trusts_is_asked_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with over_tls(path) as url:
        assert ask(url) == Reply(200, "text/plain", b"yes")


def test_a_server_that_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    with over_tls(certificate(tmp_path)) as url, pytest.raises(NoAnswer, match="CERTIFICATE"):
        ask(url)


def test_a_handshake_that_drips_is_cut() -> None:
    def drip(link: socket.socket) -> None:
        link.sendall(b"\x16\x03\x03\x40\x00")
        while True:
            link.sendall(b"\x02")
            Event().wait(0.05)

    with speaking(drip) as url, pytest.raises(NoAnswer):
        ask(url.replace("http:", "https:"), timeout=0.5)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1", "http://", "http://h:99999/", ""]
)
def test_what_is_no_address_is_not_asked(url: str) -> None:
    with pytest.raises(NoAnswer):
        ask(url)


def test_a_password_in_the_address_is_not_told() -> None:
    with pytest.raises(NoAnswer) as failed:
        ask("http://user:secret@127.0.0.1:1/?key=hidden", timeout=1)
    assert "secret" not in str(failed.value)
    assert "hidden" not in str(failed.value)
