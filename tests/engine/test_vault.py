"""The vault gives back what was sealed to whoever has the key, and nothing to anybody else."""

import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, text, update

from audit.commitments import commit, opens
from engine.vault import (
    LONGEST,
    SealDamaged,
    SealDestroyed,
    SealMissing,
    TooMuch,
    Vault,
    WrongKey,
    close_vault,
    destroy,
    destroyed,
    forget,
    mark_told,
    open_vault,
    opened,
    root_table,
    rotate,
    seal,
    subject_key,
    subject_table,
    subjects,
    sweep,
    tidy,
    transaction,
    value_table,
)
from engine.vault_key import KeyUnsafe, kept_key, replace_key
from tests.engine.vaults import KEY, OTHER_KEY, raw, url_beside, vault_beside
from tests.engine.vaults import opening as opening

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CONTENT, IDENTITY = "hotline-2026-00012/content", "hotline-2026-00012/identity"


@pytest.fixture
def vault(bare: Engine, tmp_path: Path) -> Iterator[Vault]:
    """An empty vault on each database."""
    vault = vault_beside(bare, tmp_path)
    yield vault
    close_vault(vault)


Opening = Callable[..., Vault]


def url_of(vault: Vault) -> str:
    return vault.engine.url.render_as_string(hide_password=False)


# --- sealing and opening --------------------------------------------------------------------------


def test_what_was_sealed_opens_and_its_commitment_can_be_checked_by_others(vault: Vault) -> None:
    told = seal(vault, CONTENT, "description", "有人拖欠检修", at=AT)
    value, salt = opened(vault, CONTENT, told)
    assert value == "有人拖欠检修"
    assert opens(told, "description", value, salt)
    assert told == commit("description", value, salt)


def test_equal_values_cannot_be_told_from_one_another(vault: Vault) -> None:
    first = seal(vault, CONTENT, "phone", "000-1234", at=AT)
    second = seal(vault, CONTENT, "phone", "000-1234", at=AT)
    assert first != second
    with transaction(vault) as conn:
        boxes = {bytes(box) for box in conn.execute(select(value_table.c.box)).scalars()}
    assert len(boxes) == 2


@given(st.one_of(st.text(max_size=300).map(lambda t: normalize("NFC", t)), st.lists(st.booleans())))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_any_value_the_log_could_say_comes_back_as_it_was(vault: Vault, value: object) -> None:
    assert opened(vault, CONTENT, seal(vault, CONTENT, "any", value, at=AT))[0] == value


def test_the_length_of_what_is_kept_tells_little(vault: Vault) -> None:
    sizes = set()
    for length in range(1, 160):
        told = seal(vault, CONTENT, "description", "x" * length, at=AT)
        with transaction(vault) as conn:
            box = select(value_table.c.box).where(value_table.c.commitment == told)
            sizes.add(len(bytes(conn.execute(box).scalar_one())))
    assert len(sizes) == 1


def test_no_plain_word_is_in_the_vault(vault: Vault) -> None:
    seal(vault, CONTENT, "description", "polterabend-in-plain", at=AT)
    seal(vault, IDENTITY, "name", "陈演示", at=AT)
    stolen = raw(vault)
    assert len(stolen) > 1000
    assert b"polterabend" not in stolen
    assert "陈演示".encode() not in stolen
    assert KEY not in stolen


def test_what_is_too_long_is_refused_and_leaves_nothing(vault: Vault) -> None:
    with pytest.raises(TooMuch):
        seal(vault, CONTENT, "description", "x" * LONGEST, at=AT)
    assert subjects(vault) == []


def test_what_nobody_sealed_is_missing(vault: Vault) -> None:
    with pytest.raises(SealMissing):
        opened(vault, CONTENT, "0" * 64)
    seal(vault, CONTENT, "description", "x", at=AT)
    with pytest.raises(SealMissing):
        opened(vault, CONTENT, "0" * 64)


# --- hostile hands --------------------------------------------------------------------------------


def test_the_vault_opens_with_no_other_key(vault: Vault, opening: Opening) -> None:
    seal(vault, CONTENT, "description", "x", at=AT)
    for wrong in (OTHER_KEY, b"", KEY[:31]):
        with pytest.raises(WrongKey):
            opening(url_of(vault), wrong)


def test_whoever_forges_the_name_of_the_key_gets_no_further(vault: Vault) -> None:
    told = seal(vault, CONTENT, "description", "x", at=AT)
    forged = Vault(vault.engine, OTHER_KEY, vault.key_id, vault.salts)
    with pytest.raises(SealDamaged):
        opened(forged, CONTENT, told)


@pytest.mark.parametrize("place", [0, 5, 12, 40, -1])
def test_one_changed_bit_is_noticed(vault: Vault, place: int) -> None:
    told = seal(vault, CONTENT, "description", "x", at=AT)
    with transaction(vault) as conn:
        box = bytearray(bytes(conn.execute(select(value_table.c.box)).scalar_one()))
        box[place] ^= 1
        conn.execute(update(value_table).values(box=bytes(box)))
    with pytest.raises(SealDamaged):
        opened(vault, CONTENT, told)


@pytest.mark.parametrize("cut", [b"", b"short", b"\0" * 300])
def test_cut_or_empty_boxes_are_damaged_not_a_crash(vault: Vault, cut: bytes) -> None:
    told = seal(vault, CONTENT, "description", "x", at=AT)
    with transaction(vault) as conn:
        conn.execute(update(value_table).values(box=cut))
    with pytest.raises(SealDamaged):
        opened(vault, CONTENT, told)


def test_a_row_moved_to_another_subject_or_field_opens_nowhere(vault: Vault) -> None:
    told = seal(vault, CONTENT, "description", "x", at=AT)
    seal(vault, IDENTITY, "name", "陈演示", at=AT)
    with transaction(vault) as conn:
        moved = update(value_table).where(value_table.c.commitment == told)
        conn.execute(moved.values(subject=IDENTITY))
    with pytest.raises(SealDamaged):
        opened(vault, IDENTITY, told)
    with transaction(vault) as conn:
        conn.execute(moved.values(subject=CONTENT, field="name"))
    with pytest.raises(SealDamaged):
        opened(vault, CONTENT, told)


def test_two_values_of_one_subject_cannot_change_places(vault: Vault) -> None:
    mine = seal(vault, CONTENT, "description", "属实", at=AT)
    yours = seal(vault, CONTENT, "description", "不属实", at=AT)
    with transaction(vault) as conn:
        boxes = {row.commitment: row.box for row in conn.execute(select(value_table))}
        for one, other in ((mine, yours), (yours, mine)):
            changed = update(value_table).where(value_table.c.commitment == one)
            conn.execute(changed.values(box=boxes[other]))
    with pytest.raises(SealDamaged):
        opened(vault, CONTENT, mine)


def test_a_key_moved_to_another_subject_unwraps_nowhere(vault: Vault) -> None:
    seal(vault, CONTENT, "description", "x", at=AT)
    told = seal(vault, IDENTITY, "name", "陈演示", at=AT)
    with transaction(vault) as conn:
        wrapped = select(subject_table.c.wrapped).where(subject_table.c.subject == CONTENT)
        stolen = conn.execute(wrapped).scalar_one()
        conn.execute(update(subject_table).values(wrapped=stolen))
    with pytest.raises(SealDamaged):
        opened(vault, IDENTITY, told)


def test_a_vault_of_another_release_is_left_alone(vault: Vault, opening: Opening) -> None:
    with transaction(vault) as conn:
        conn.execute(update(root_table).values(format=2))
    with pytest.raises(WrongKey):
        opening(url_of(vault))


# --- destroying -----------------------------------------------------------------------------------


def test_what_is_destroyed_stays_destroyed_and_others_stay(vault: Vault) -> None:
    content = seal(vault, CONTENT, "description", "x", at=AT)
    name = seal(vault, IDENTITY, "name", "陈演示", at=AT)
    destroy(vault, IDENTITY, at=AT)
    destroy(vault, IDENTITY, at=AT + timedelta(days=1))
    with pytest.raises(SealDestroyed):
        opened(vault, IDENTITY, name)
    with pytest.raises(SealDestroyed):
        seal(vault, IDENTITY, "name", "陈演示", at=AT)
    assert (destroyed(vault, IDENTITY), destroyed(vault, CONTENT)) == (True, False)
    assert opened(vault, CONTENT, content)[0] == "x"
    assert subjects(vault) == [CONTENT]


def test_nothing_of_a_destroyed_subject_is_left_in_the_vault(vault: Vault) -> None:
    seal(vault, IDENTITY, "name", "陈演示", at=AT)
    with transaction(vault) as conn:
        wrapped = bytes(conn.execute(select(subject_table.c.wrapped)).scalar_one())
        box = bytes(conn.execute(select(value_table.c.box)).scalar_one())
    assert wrapped in raw(vault)
    assert box in raw(vault)
    destroy(vault, IDENTITY, at=AT)
    tidy(vault)
    left = raw(vault)
    assert wrapped not in left
    assert wrapped[-16:] not in left
    assert box[:64] not in left


def test_a_subject_that_never_was_can_be_destroyed_beforehand(vault: Vault) -> None:
    destroy(vault, IDENTITY, at=AT)
    with pytest.raises(SealDestroyed):
        seal(vault, IDENTITY, "name", "陈演示", at=AT)


def test_a_backup_from_before_the_key_was_replaced_does_not_bring_back_the_destroyed(
    vault: Vault,
) -> None:
    told = seal(vault, IDENTITY, "name", "陈演示", at=AT)
    with transaction(vault) as conn:
        backup = conn.execute(select(subject_table)).one()._asdict()
        value = conn.execute(select(value_table)).one()._asdict()
    destroy(vault, IDENTITY, at=AT)
    after = rotate(vault, OTHER_KEY)
    with transaction(after) as conn:
        conn.execute(update(subject_table).values(wrapped=backup["wrapped"]))
        conn.execute(insert(value_table), value)
    with pytest.raises(SealDamaged):
        opened(after, IDENTITY, told)


def test_what_the_log_does_not_yet_know_of_is_asked_for_until_it_does(vault: Vault) -> None:
    seal(vault, IDENTITY, "name", "陈演示", at=AT)
    assert subjects(vault, alive=False) == []
    destroy(vault, IDENTITY, at=AT)
    assert subjects(vault, alive=False) == [IDENTITY]
    mark_told(vault, IDENTITY)
    assert subjects(vault, alive=False) == []


# --- what failed commands leave behind ------------------------------------------------------------


def test_values_nobody_names_are_swept_after_a_while_and_named_ones_never(vault: Vault) -> None:
    named = seal(vault, CONTENT, "description", "x", at=AT)
    noise = seal(vault, CONTENT, "description", "y", at=AT)
    young = seal(vault, CONTENT, "description", "z", at=AT + timedelta(hours=2))
    asked: list[str] = []

    def known(subject: str, commitments: object) -> set[str]:
        asked.append(subject)
        return {named}

    before = AT + timedelta(hours=1)
    assert sweep(vault, before=before, named=known) == 1
    assert sweep(vault, before=before, named=known) == 0
    assert asked == [CONTENT]
    assert [opened(vault, CONTENT, one)[0] for one in (named, young)] == ["x", "z"]
    with pytest.raises(SealMissing):
        opened(vault, CONTENT, noise)


def test_a_number_given_out_again_begins_with_another_key(vault: Vault) -> None:
    before = subject_key(vault, CONTENT, at=AT)
    told = seal(vault, CONTENT, "description", "x", at=AT)
    forget(vault, [CONTENT, IDENTITY])
    with pytest.raises(SealMissing):
        opened(vault, CONTENT, told)
    assert subject_key(vault, CONTENT, at=AT) != before


# --- the key --------------------------------------------------------------------------------------


def test_after_the_key_was_replaced_only_the_new_one_opens(vault: Vault, opening: Opening) -> None:
    told = seal(vault, CONTENT, "description", "x", at=AT)
    after = rotate(vault, OTHER_KEY)
    assert opened(after, CONTENT, told)[0] == "x"
    with pytest.raises(WrongKey):
        opening(url_of(vault), KEY)
    assert opened(opening(url_of(vault), OTHER_KEY), CONTENT, told)[0] == "x"
    assert after.salts == vault.salts, "receipt codes given out before still open"


def test_a_server_that_still_runs_with_the_old_key_is_refused_not_let_to_lose_things(
    vault: Vault,
) -> None:
    told = seal(vault, CONTENT, "description", "x", at=AT)
    rotate(vault, OTHER_KEY)
    for attempt in (
        lambda: seal(vault, IDENTITY, "name", "陈演示", at=AT),
        lambda: opened(vault, CONTENT, told),
        lambda: destroy(vault, CONTENT, at=AT),
        lambda: rotate(vault, KEY),
    ):
        with pytest.raises(WrongKey):
            attempt()


def test_the_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "vault.key"
    key = kept_key(path)
    assert kept_key(path) == key
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [kept.name for kept in path.parent.iterdir()] == ["vault.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "vault.key"
    kept_key(path)
    path.chmod(mode)
    with pytest.raises(KeyUnsafe):
        kept_key(path)


@pytest.mark.parametrize("content", ["", "00", "z" * 64, "钥" * 64])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vault.key"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(KeyUnsafe):
        kept_key(path)


def test_replacing_the_key_file_keeps_everything_readable(
    bare: Engine, tmp_path: Path, opening: Opening
) -> None:
    url, path = url_beside(bare, tmp_path), tmp_path / "vault.key"
    vault = opening(url, path)
    told = seal(vault, CONTENT, "description", "x", at=AT)
    before = path.read_text(encoding="ascii")
    vault = replace_key(vault, path)
    assert path.read_text(encoding="ascii") != before
    assert opened(opening(url, path), CONTENT, told)[0] == "x"
    assert not path.with_name("vault.key.next").exists()


def test_a_replacement_cut_short_before_the_file_was_moved_is_finished(
    bare: Engine, tmp_path: Path, opening: Opening
) -> None:
    url, path = url_beside(bare, tmp_path), tmp_path / "vault.key"
    vault = opening(url, path)
    told = seal(vault, CONTENT, "description", "x", at=AT)
    following = path.with_name("vault.key.next")
    rotate(vault, kept_key(following))  # and here the power fails
    assert opened(opening(url, path), CONTENT, told)[0] == "x"
    assert not following.exists()
    assert opened(opening(url, path), CONTENT, told)[0] == "x"


def test_a_replacement_cut_short_before_the_vault_was_locked_anew_changes_nothing(
    bare: Engine, tmp_path: Path, opening: Opening
) -> None:
    url, path = url_beside(bare, tmp_path), tmp_path / "vault.key"
    vault = opening(url, path)
    told = seal(vault, CONTENT, "description", "x", at=AT)
    kept_key(path.with_name("vault.key.next"))  # and here the power fails
    assert opened(opening(url, path), CONTENT, told)[0] == "x"
    assert opened(replace_key(opening(url, path), path), CONTENT, told)[0] == "x"


def test_the_key_is_not_replaced_in_a_file_it_does_not_come_from(
    vault: Vault, tmp_path: Path
) -> None:
    kept_key(tmp_path / "vault.key")
    with pytest.raises(WrongKey):
        replace_key(vault, tmp_path / "vault.key")


# --- many at once ---------------------------------------------------------------------------------


def test_many_who_seal_first_share_one_key(vault: Vault) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda n: seal(vault, CONTENT, "n", n, at=AT), range(24)))
    assert [opened(vault, CONTENT, one)[0] for one in told] == list(range(24))
    assert subjects(vault) == [CONTENT]


def test_replacing_the_key_while_others_seal_loses_nothing(vault: Vault) -> None:
    def one(n: int) -> str | None:
        try:
            return seal(vault, f"hotline-2026-{n:05d}/content", "n", n, at=AT)
        except WrongKey:
            return None

    with ThreadPoolExecutor(4) as pool:
        sealing = [pool.submit(one, n) for n in range(40)]
        after = rotate(vault, OTHER_KEY)
    sealed = {n: done.result() for n, done in enumerate(sealing)}
    for n, told in sealed.items():
        if told is not None:
            assert opened(after, f"hotline-2026-{n:05d}/content", told)[0] == n
    assert len(subjects(after)) == sum(told is not None for told in sealed.values())


# --- SQLite alone ---------------------------------------------------------------------------------


def test_the_file_is_its_owners_and_keeps_no_log_of_older_pages(tmp_path: Path) -> None:
    vault = open_vault(f"sqlite:///{tmp_path}/v/vault.db", KEY)
    seal(vault, CONTENT, "description", "x", at=AT)
    with vault.engine.begin() as conn:
        told = {
            name: conn.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "secure_delete", "auto_vacuum", "synchronous")
        }
    assert told == {
        "journal_mode": "delete",
        "secure_delete": 1,
        "auto_vacuum": 1,
        "synchronous": 3,
    }
    assert stat.S_IMODE((tmp_path / "v/vault.db").stat().st_mode) == 0o600
    close_vault(vault)
    assert [kept.name for kept in (tmp_path / "v").iterdir()] == ["vault.db"]
