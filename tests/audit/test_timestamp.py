"""Time stamps: tokens of an authority made of OpenSSL, checked by another implementation."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.timestamp import (
    NotStamped,
    check_stamp,
    read_reply,
    read_roots,
    read_stamp,
    write_query,
)
from tests.tsa import Authority, make_authority

DATA = b"shaoji.example/street\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    assert shutil.which("openssl"), "the authority of these tests is made of openssl"
    return make_authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def token(authority: Authority) -> bytes:
    return stamped(authority, DATA)


def stamped(authority: Authority, data: bytes) -> bytes:
    query = write_query(data)
    return read_reply(authority.reply(query.as_bytes()), query)


def test_a_token_says_when_and_by_whom_and_is_checked_against_a_root(
    authority: Authority, token: bytes
) -> None:
    stamp = check_stamp(token, DATA, [authority.root])
    assert stamp == read_stamp(token)
    assert abs(stamp.at - datetime.now(UTC)) < timedelta(hours=1)
    assert stamp.at.tzinfo is UTC
    assert stamp.authority == "CN=时间戳（测试）"


def test_openssl_accepts_the_token_that_is_kept(
    authority: Authority, token: bytes, tmp_path: Path
) -> None:
    """Its certificates are brought into the order of DER; no signature covers that order."""
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "token").write_bytes(token)
    command = [
        "openssl", "ts", "-verify", "-data", "data", "-in", "token", "-token_in",
        "-CAfile", str(authority.roots),
    ]  # fmt: skip
    told = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "Verification: OK" in told.stdout + told.stderr


def test_a_token_over_other_bytes_is_refused(authority: Authority, token: bytes) -> None:
    with pytest.raises(NotStamped, match="Mismatch"):
        check_stamp(token, DATA.replace(b"7", b"8"), [authority.root])


def test_an_authority_under_another_root_is_refused(token: bytes, tmp_path: Path) -> None:
    stranger = make_authority(tmp_path / "stranger")
    with pytest.raises(NotStamped, match="certificate"):
        check_stamp(token, DATA, [stranger.root])


def test_without_a_root_nothing_is_checked_and_that_is_no_success(token: bytes) -> None:
    with pytest.raises(ValueError, match="root"):
        check_stamp(token, DATA, [])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1],
        lambda token: token + b"\0",
        lambda token: b"",
        lambda token: b"\x30\x80" + token,
        lambda token: b"\x30\x84\xff\xff\xff\xff",
        lambda token: b"<html>502 Bad Gateway</html>",
        lambda token: b"\x30" * 70_000,
    ],
)  # fmt: skip
def test_what_is_no_token_is_refused(token: bytes, spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(NotStamped):
        read_stamp(spoil(token))


def test_a_reply_to_another_query_is_refused(authority: Authority) -> None:
    asked, other = write_query(DATA), write_query(DATA)
    with pytest.raises(NotStamped, match="another query"):
        read_reply(authority.reply(other.as_bytes()), asked)


def test_a_reply_over_something_else_is_refused(authority: Authority) -> None:
    asked = write_query(DATA)
    changed = asked.as_bytes().replace(asked.message_imprint.message, bytes(32))
    with pytest.raises(NotStamped, match="something else"):
        read_reply(authority.reply(changed), asked)


def test_a_refusal_is_told_with_its_reason(authority: Authority) -> None:
    asked = write_query(DATA)
    unknown = asked.as_bytes().replace(bytes.fromhex("0609608648016503040201"),
                                       bytes.fromhex("0609608648016503040207"))  # fmt: skip
    with pytest.raises(NotStamped, match="refuses"):
        read_reply(authority.reply(unknown), asked)


def test_roots_are_read_from_a_pem_file(authority: Authority) -> None:
    assert read_roots(authority.roots.read_bytes()) == [authority.root]
    with pytest.raises(ValueError, match="PEM"):
        read_roots(b"nothing")
