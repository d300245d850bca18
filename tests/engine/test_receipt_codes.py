"""A receipt code opens one complaint, for whoever has it, and can be neither guessed nor stolen."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from engine import receipt_codes
from engine.receipt_codes import (
    BadCode,
    UnknownCode,
    digits_of,
    find,
    new_code,
    new_complainant,
    prepare,
    register,
)
from engine.vault import (
    SealDamaged,
    Vault,
    close_vault,
    code_table,
    destroy,
    opened,
    rotate,
    seal,
    transaction,
)
from tests.engine.vaults import OTHER_KEY, raw, vault_beside

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CASE, CONTENT = "hotline-2026-00012", "hotline-2026-00012/content"
CODE = "1234-5678-9012-3456"
WHO = "complainant:00112233aabbccdd"


@pytest.fixture
def vault(bare: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """A vault whose codes cost little; one test looks at what they really cost."""
    monkeypatch.setattr(receipt_codes, "MEMORY_KIB", 64)
    vault = vault_beside(bare, tmp_path)
    yield vault
    close_vault(vault)


def registered(vault: Vault, code: str = CODE, who: str = WHO) -> str:
    register(vault, prepare(vault, code), CONTENT, CASE, complainant=who, at=AT)
    return code


def test_a_code_finds_its_case_and_opens_its_content_without_the_key_of_the_vault(
    vault: Vault,
) -> None:
    told = seal(vault, CONTENT, "description", "有人拖欠检修", at=AT)
    found = find(vault, registered(vault))
    assert (found.case, found.complainant, found.subject) == (CASE, WHO, CONTENT)
    assert opened(vault, CONTENT, told, key=found.key)[0] == "有人拖欠检修"


@pytest.mark.parametrize(
    "typed",
    [
        "1234567890123456",
        " 1234 5678 9012 3456\n",
        "１２３４－５６７８－９０１２－３４５６",
        "1234—5678–9012‐3456",
    ],
)
def test_a_code_may_be_typed_as_people_type(vault: Vault, typed: str) -> None:
    registered(vault)
    assert find(vault, typed).case == CASE


@pytest.mark.parametrize(
    "typed",
    ["", "1234", "12345678901234567", "1234-5678-9012-345x", "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦", "0" * 10**6],
)
def test_what_is_no_code_is_told_so(typed: str) -> None:
    with pytest.raises(BadCode):
        digits_of(typed)


@pytest.mark.parametrize("guess", ["1234-5678-9012-3457", "0234-5678-9012-3456"])
def test_a_code_that_is_nearly_right_opens_nothing(vault: Vault, guess: str) -> None:
    registered(vault)
    with pytest.raises(UnknownCode):
        find(vault, guess)


def test_new_codes_are_sixteen_digits_and_differ() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(re.fullmatch(r"(\d{4}-){3}\d{4}", code) for code in codes)
    assert all(re.fullmatch("complainant:[0-9a-f]{16}", new_complainant()) for _ in range(20))


def test_the_vault_does_not_hold_the_code_in_any_form(vault: Vault) -> None:
    registered(vault)
    stolen = raw(vault)
    assert CASE.encode() in stolen
    for form in (CODE, CODE.replace("-", ""), "5678"):
        assert form.encode() not in stolen


def test_where_a_code_is_found_tells_nothing_of_what_it_opens(vault: Vault) -> None:
    told = prepare(vault, CODE)
    assert told.lookup != told.key.hex()
    assert told.key.hex() not in repr(told)
    assert "key" not in repr(find(vault, registered(vault)))


def test_another_vault_makes_something_else_of_the_same_code(vault: Vault, tmp_path: Path) -> None:
    from engine.vault import open_vault

    other = open_vault(f"sqlite:///{tmp_path}/other.db", OTHER_KEY)
    assert prepare(other, CODE).lookup != prepare(vault, CODE).lookup
    close_vault(other)


def test_two_codes_may_open_one_case(vault: Vault) -> None:
    registered(vault)
    registered(vault, "9999-0000-1111-2222")
    assert find(vault, "9999 0000 1111 2222").case == find(vault, CODE).case


def test_after_destruction_the_code_finds_the_case_and_opens_nothing(vault: Vault) -> None:
    registered(vault)
    destroy(vault, CONTENT, at=AT)
    found = find(vault, CODE)
    assert (found.case, found.key) == (CASE, None)


def test_a_code_still_opens_after_the_key_of_the_vault_was_replaced(vault: Vault) -> None:
    told = seal(vault, CONTENT, "description", "x", at=AT)
    registered(vault)
    after = rotate(vault, OTHER_KEY)
    assert opened(after, CONTENT, told, key=find(after, CODE).key)[0] == "x"


@pytest.mark.parametrize("column", ["case", "complainant", "subject"])
def test_a_code_turned_to_another_case_is_noticed(vault: Vault, column: str) -> None:
    registered(vault)
    with transaction(vault) as conn:
        conn.execute(update(code_table).values({column: "hotline-2026-00013/content"}))
    with pytest.raises(SealDamaged):
        find(vault, CODE)


def test_keys_of_two_codes_cannot_change_places(vault: Vault) -> None:
    registered(vault)
    registered(vault, "9999-0000-1111-2222", "complainant:ffff")
    with transaction(vault) as conn:
        one = conn.execute(select(code_table.c.wrapped)).scalars().first()
        conn.execute(update(code_table).values(wrapped=one))
    refused = 0
    for code in (CODE, "9999-0000-1111-2222"):
        try:
            find(vault, code)
        except SealDamaged:
            refused += 1
    assert refused == 1


def test_a_guess_costs_what_rfc_9106_recommends_where_memory_is_scarce() -> None:
    assert (receipt_codes.PASSES, receipt_codes.LANES) == (3, 4)
    assert receipt_codes.MEMORY_KIB == 65536
