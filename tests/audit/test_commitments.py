"""A commitment opens with what it was made of and with nothing else."""

import hashlib
import hmac
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.commitments import commit, new_salt, opens
from audit.encoding import NotCanonical

SALT = bytes(range(32))
TEXTS = st.text().map(lambda text: normalize("NFC", text))
VALUES = st.one_of(TEXTS, st.integers(-(2**53) + 1, 2**53 - 1), st.booleans(), st.lists(TEXTS))


def test_it_is_the_hmac_the_format_page_describes() -> None:
    told = hmac.new(SALT, b'phone\x00"000-1234"', hashlib.sha256).hexdigest()
    assert commit("phone", "000-1234", SALT) == told
    assert told == "a4a6f6c5d04e507609eaf0d9c2b522230662f173e58df12e8c822dee187a8a3b"


@given(VALUES)
def test_what_was_committed_opens(value: object) -> None:
    salt = new_salt()
    assert opens(commit("phone", value, salt), "phone", value, salt)


@pytest.mark.parametrize(
    ("field", "value", "salt"),
    [
        ("phone", "000-1235", SALT),
        ("name", "000-1234", SALT),
        ("phone", "000-1234", bytes(32)),
        ("phone", ["000-1234"], SALT),
        ("phone", 1234, SALT),
        ("phone", "000-1234", SALT[:31]),
        ("", "000-1234", SALT),
        ("phone", 1.5, SALT),
        ("phone", "\ud800", SALT),
    ],
)
def test_nothing_else_opens_it(field: str, value: object, salt: bytes) -> None:
    assert not opens(commit("phone", "000-1234", SALT), field, value, salt)


def test_damaged_commitments_open_with_nothing() -> None:
    for damaged in ("", "é", commit("phone", "1", SALT)[:-1], commit("phone", "1", SALT).upper()):
        assert not opens(damaged, "phone", "1", SALT)


def test_the_border_between_field_and_value_cannot_be_moved() -> None:
    with pytest.raises(ValueError, match="NUL"):
        commit("a\0b", "c", SALT)


def test_equal_values_have_unequal_commitments() -> None:
    assert commit("phone", "000-1234", new_salt()) != commit("phone", "000-1234", new_salt())


def test_a_value_outside_the_profile_is_refused() -> None:
    with pytest.raises(NotCanonical):
        commit("phone", 1.5, SALT)
