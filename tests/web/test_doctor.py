"""`shaoji doctor`: a sound installation holds, and each thing that is really broken is found."""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, create_engine, insert, text
from sqlalchemy.engine import make_url

from audit.encoding import timestamp
from engine import notice_queue
from engine.checkup import FAILS, HOLDS, LOOK, Finding, worst
from engine.database import open_database
from engine.database_checks import Durability, check_durability, check_keepalive, read_durability
from engine.delivery import deliver
from engine.field_key import kept_field_key
from engine.keys import make_keys
from engine.metric_periods import keep_figures
from engine.news import news_table
from engine.notice_board import Outlets, tell
from engine.outbox import message_table
from engine.partitions import keep_by_month
from engine.place_checks import Least
from engine.report_jobs import job_table
from engine.second_factor import factor_table
from engine.sequencer import sequence_log
from engine.vault import close_vault, lock
from engine.vault_key import open_kept
from engine.worker import ring_due
from tests.conftest import ORIGIN, ROOT, Street
from tests.engine.vaults import url_beside
from web.cli import main
from web.config import Settings
from web.doctor import FONTS, Looking, look_over
from web.formulas import formulas
from web.heartbeat import start_heartbeat
from web.quantities import ZONE

ORGANISATION = "听澜街道（演示）"
# More than any disk has.
ENDLESS = 1 << 40


@dataclass
class House:
    """An installation that is looked over; `shift`: how wrong, or how much later, our clock is."""

    street: Street
    folder: Path
    settings: Settings
    shift: timedelta = timedelta()
    least: Least = field(default_factory=lambda: Least((1, 0), (1, 0)))
    fonts: Path = FONTS

    def wall(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def look(self, **changed: Any) -> dict[str, Finding]:
        by = Looking(replace(self.settings, **changed), self.wall, self.least, self.fonts)
        return {one.check: one for one in look_over(by)}

    def work(self) -> None:
        """What a worker does, once."""
        at = self.wall()
        ring_due(self.street.database, at=at)
        deliver(self.street.database, at=at)
        tell(self.street.database, Outlets(zone=ZONE), at=at)
        sequence_log(self.street.database, self.settings.keys, at=at)
        keep_figures(self.street.database, formulas(), zone=ZONE)

    def sql(self, *statements: str) -> None:
        with self.street.database.begin() as conn:
            for one in statements:
                conn.execute(text(one))


def built(street: Street, folder: Path) -> House:
    """The test street with keys, vault and checkpoint, at this machine's hour."""
    street.at = datetime.now(UTC)
    url = street.database.url.render_as_string(hide_password=False)
    settings = Settings(
        secret_key="k" * 48, database_url=url, evidence_dir=folder / "evidence",
        vault_url=url_beside(street.database, folder), vault_key=folder / "vault.key",
        field_key=folder / "field.key", keys_dir=folder / "keys", reports_dir=folder / "reports",
    )  # fmt: skip
    make_keys(settings.keys, ORIGIN, ORGANISATION, at=street.at)
    kept_field_key(settings.field)
    close_vault(open_kept(*settings.vault))
    settings.evidence_dir.mkdir()
    house = House(street, folder, settings)
    house.work()
    return house


@pytest.fixture
def house(street: Street, tmp_path: Path) -> House:
    """On either database."""
    return built(street, tmp_path)


@pytest.fixture
def on_file(sqlite_street: Street, tmp_path: Path) -> House:
    """On SQLite: for what has nothing to do with the database."""
    return built(sqlite_street, tmp_path)


@pytest.fixture
def on_server(postgres_street: Street, tmp_path: Path) -> House:
    """On PostgreSQL."""
    return built(postgres_street, tmp_path)


def outcomes(found: dict[str, Finding]) -> dict[str, str]:
    return {name: one.outcome for name, one in found.items() if one.outcome != HOLDS}


# --- the whole ------------------------------------------------------------------------------------


def test_a_sound_installation_holds_in_every_line(house: House) -> None:
    found = house.look()
    # The tests' PostgreSQL belongs to its only user, and says so.
    postgres = house.street.database.dialect.name == "postgresql"
    assert outcomes(found) == ({"roles": LOOK} if postgres else {}), found
    assert {"settings", "database", "schema", "durability", "triggers", "roles", "last-event",
            "checkpoint-key", "receipt-key", "seal-key", "policy", "field-key", "vault-key",
            "outbox", "checkpoint", "alarms", "case-messages", "news", "notices", "reports",
            "metrics", "worker", "evidence", "disk-evidence", "fonts",
            "telemetry"} <= found.keys()  # fmt: skip
    assert all(all(one.found) and bool(one.do[0]) == (one.outcome != HOLDS)
               for one in found.values())  # fmt: skip
    assert worst(found.values()) == (LOOK if postgres else HOLDS)
    house.street.check()


def test_looking_changes_nothing(on_file: House) -> None:
    on_file.street.database.dispose()

    def all_bytes() -> dict[Path, str]:
        files = (path for path in on_file.folder.rglob("*") if path.is_file())
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files
                if not path.name.endswith(("-wal", "-shm"))}  # fmt: skip

    for path in (on_file.settings.field, on_file.settings.vault[1]):
        path.rename(path.with_suffix(".away"))
    before = all_bytes()
    on_file.look()
    assert all_bytes() == before


# --- database -------------------------------------------------------------------------------------


def test_without_a_database_the_rest_is_looked_at_all_the_same(on_file: House) -> None:
    on_file.street.database.dispose()
    Path(str(on_file.street.database.url.database)).unlink()
    found = on_file.look()
    assert outcomes(found) == {"database": FAILS}
    assert "fonts" in found
    assert "triggers" not in found
    assert not Path(str(on_file.street.database.url.database)).exists()


@pytest.mark.postgres
def test_a_server_that_does_not_answer_is_told_without_its_password(on_server: House) -> None:
    url = make_url(on_server.settings.database_url).set(
        host="127.0.0.1", port=1, username="shaoji", password="canary-7719", query={}
    )
    found = on_server.look(database_url=url.render_as_string(hide_password=False))
    assert found["database"].outcome == FAILS
    assert "canary" not in str(found)


def test_tables_of_another_release_fail_and_nothing_is_read_of_them(house: House) -> None:
    house.sql("UPDATE alembic_version SET version_num = '0001'")
    found = house.look()
    assert found["schema"].outcome == FAILS
    assert "shaoji init" in found["schema"].do[1]
    assert "triggers" not in found


SQLITE_BREAKS = {
    "dropped": ("DROP TRIGGER event_no_delete",),
    "made weaker": (
        "DROP TRIGGER leaf_no_update",
        """CREATE TRIGGER leaf_no_update BEFORE UPDATE ON leaf WHEN 0
           BEGIN SELECT RAISE(ABORT, 'leaf is append-only'); END""",
    ),
    "on another table": (
        "DROP TRIGGER log_origin_no_delete",
        """CREATE TRIGGER log_origin_no_delete BEFORE DELETE ON outbox
           BEGIN SELECT RAISE(ABORT, 'log_origin is append-only'); END""",
    ),
}
POSTGRES_BREAKS = {
    "dropped": ("DROP TRIGGER event_no_change ON event",),
    "switched off": ("ALTER TABLE checkpoint DISABLE TRIGGER checkpoint_no_change",),
    "not for replicas": ("ALTER TABLE event ENABLE TRIGGER event_no_truncate",),
    "made harmless": (
        """CREATE OR REPLACE FUNCTION shaoji_append_only() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RETURN NEW; END $$""",
    ),
    "for deletes alone": (
        "DROP TRIGGER leaf_no_change ON leaf",
        """CREATE TRIGGER leaf_no_change BEFORE DELETE ON leaf
           FOR EACH ROW EXECUTE FUNCTION shaoji_append_only()""",
        "ALTER TABLE leaf ENABLE ALWAYS TRIGGER leaf_no_change",
    ),
}


@pytest.mark.parametrize("broken", SQLITE_BREAKS)
def test_a_trigger_of_sqlite_that_does_not_protect_any_more_fails(
    on_file: House, broken: str
) -> None:
    on_file.sql(*SQLITE_BREAKS[broken])
    assert outcomes(on_file.look()) == {"triggers": FAILS}


@pytest.mark.postgres
def test_a_trigger_of_postgresql_that_does_not_protect_any_more_fails(on_server: House) -> None:
    for statements in POSTGRES_BREAKS.values():
        with on_server.street.database.connect() as conn:
            for one in statements:
                conn.execute(text(one))
            conn.commit()
        assert on_server.look()["triggers"].outcome == FAILS, statements


def test_a_trigger_nobody_knows_is_to_be_looked_at(on_file: House) -> None:
    on_file.sql("CREATE TRIGGER spy AFTER INSERT ON event BEGIN SELECT 1; END")
    found = on_file.look()["triggers"]
    assert found.outcome == LOOK
    assert "spy" in found.found[1]


def granted() -> str:
    """The statements of docs/operating.md that make two roles."""
    told = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    found = re.search(r"```sql\n(.*?)```", told, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.postgres
def test_a_log_kept_by_month_is_looked_over_table_by_table(on_server: House) -> None:
    database = on_server.street.database
    on_server.sql("ALTER TABLE event ADD CONSTRAINT event_before CHECK (at < '2099-04')")
    assert on_server.look()["months"].outcome == FAILS
    parts = keep_by_month(database, ahead=3, at=on_server.wall())
    found = on_server.look()
    assert outcomes(found) == {"roles": LOOK}, found
    assert parts.until in found["months"].found[1]
    on_server.shift = timedelta(days=90)
    assert on_server.look()["months"].outcome == LOOK
    on_server.shift = timedelta()
    on_server.sql(f"ALTER TABLE {parts.names[0]} DISABLE TRIGGER event_no_truncate")
    on_server.sql("ALTER TABLE event_rest DISABLE TRIGGER event_no_change")
    changed = on_server.look()["triggers"]
    assert changed.outcome == FAILS
    assert {"event_no_change", "event_no_truncate"} <= set(re.findall(r"\w+", changed.found[1]))


@pytest.mark.postgres
def test_two_roles_as_the_document_makes_them_hold_and_work_and_half_of_them_fails(
    on_server: House,
) -> None:
    database = on_server.street.database
    try:
        _live_in_two_roles(on_server)
    finally:
        database.dispose()
        with database.begin() as conn:
            conn.execute(text("DROP OWNED BY shaoji_app"))
            conn.execute(text("DROP ROLE shaoji_app"))


def _live_in_two_roles(house: House) -> None:
    street, owner = house.street, house.street.database
    with owner.begin() as conn:
        for statement in granted().split(";\n"):
            if statement.strip():
                conn.execute(text(statement))
    url = owner.url.set(username="shaoji_app", password="put another one here")
    told = url.render_as_string(hide_password=False)
    street.database = open_database(told)
    house.settings = replace(house.settings, database_url=told)
    try:
        # The application works as that role: a case lives, the tree is signed, figures are kept.
        case = street.report()
        street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
        house.work()
        street.check()
        found = house.look()
        assert outcomes(found) == {}, found
        with pytest.raises(Exception, match="permission denied"):
            house.sql("DELETE FROM event")
        with owner.begin() as conn:
            conn.execute(text("GRANT UPDATE (body) ON event TO shaoji_app"))
            conn.execute(text("GRANT TRUNCATE ON leaf TO shaoji_app"))
        half = house.look()["roles"]
        assert half.outcome == FAILS
        assert "event UPDATE, leaf TRUNCATE" in half.found[1]
        with owner.begin() as conn:
            conn.execute(text("REVOKE UPDATE (body) ON event FROM shaoji_app"))
            conn.execute(text("REVOKE TRUNCATE ON leaf FROM shaoji_app"))
        _by_month_in_two_roles(house, owner)
    finally:
        street.database.dispose()
        street.database = owner


def _by_month_in_two_roles(house: House, owner: Engine) -> None:
    street = house.street
    parts = keep_by_month(owner, ahead=3, at=street.at)
    house.shift = timedelta(days=40)
    street.at = house.wall()
    case = street.report()
    street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    house.work()
    street.check()
    found = house.look()
    # The clock of PostgreSQL has stayed where it was.
    assert outcomes(found) == {"clock": FAILS}, found
    with owner.begin() as conn:
        told = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shaoji_app"
        conn.execute(text(told))
        conn.execute(text("REVOKE UPDATE, DELETE ON event, log_origin, leaf, checkpoint,"
                          " cosignature, timestamp_token FROM shaoji_app"))  # fmt: skip
    again = house.look()["roles"]
    assert again.outcome == FAILS
    assert f"{parts.names[0]} UPDATE" in again.found[1]
    keep_by_month(owner, ahead=3, at=street.at)
    assert outcomes(house.look()) == {"clock": FAILS}


@pytest.mark.parametrize(
    ("file", "folder", "wanted"),
    [(0o644, 0o755, LOOK), (0o666, 0o755, FAILS), (0o600, 0o777, FAILS), (0o666, 0o700, HOLDS)],
)
def test_whoever_else_may_touch_the_database_file_is_told(
    on_file: House, file: int, folder: int, wanted: str
) -> None:
    path = Path(str(on_file.street.database.url.database))
    path.chmod(file)
    path.parent.chmod(folder)
    try:
        assert on_file.look()["roles"].outcome == wanted
    finally:
        path.parent.chmod(0o700)


@pytest.mark.postgres
def test_a_server_that_answers_before_the_disk_has_it_fails(on_server: House) -> None:
    on_server.sql("ALTER DATABASE shaoji_test SET synchronous_commit = off")
    found = on_server.look()["durability"]
    assert found.outcome == FAILS
    assert "synchronous_commit" in found.do[1]


def test_a_connection_of_sqlite_that_does_not_wait_for_the_disk_fails(on_file: House) -> None:
    plain = create_engine(on_file.settings.database_url)
    with plain.connect() as conn:
        conn.exec_driver_sql("PRAGMA synchronous = OFF")
        assert check_durability(read_durability(conn)).outcome == FAILS
        conn.exec_driver_sql("PRAGMA synchronous = FULL")
        assert check_durability(read_durability(conn)).outcome == HOLDS
    plain.dispose()


def test_a_postgresql_older_than_we_are_written_for_fails() -> None:
    safe = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "on")
    assert check_durability(Durability("postgresql", 150_004, safe)).outcome == HOLDS
    assert check_durability(Durability("postgresql", 140_011, safe)).outcome == FAILS


def test_a_database_that_notices_a_cut_network_after_hours_is_to_be_looked_at() -> None:
    def asked(idle: str) -> Finding | None:
        return check_keepalive(Durability("postgresql", 180_000, {"tcp_keepalives_idle": idle}))

    for idle, outcome in (("10", HOLDS), ("60", HOLDS), ("7200", LOOK)):
        found = asked(idle)
        assert found
        assert found.outcome == outcome
    assert asked("0") is None  # by a socket
    assert check_keepalive(Durability("sqlite", 0, {})) is None


# --- clocks ---------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.parametrize(("seconds", "wanted"), [(10, LOOK), (-300, FAILS), (300, FAILS)])
def test_clocks_that_differ_are_told(on_server: House, seconds: int, wanted: str) -> None:
    on_server.shift = timedelta(seconds=seconds)
    assert on_server.look()["clock"].outcome == wanted


def test_a_clock_behind_the_last_entry_fails(house: House) -> None:
    house.street.at += timedelta(hours=1)
    house.street.report()
    found = house.look()["last-event"]
    assert found.outcome == FAILS
    house.shift = timedelta(hours=2)
    assert house.look()["last-event"].outcome == HOLDS


# --- keys -----------------------------------------------------------------------------------------


def test_a_key_that_others_may_read_fails(on_file: House) -> None:
    (on_file.folder / "keys" / "receipt.key").chmod(0o644)
    found = on_file.look()
    assert outcomes(found) == {"keys": FAILS}
    assert "chmod 600" in found["keys"].found[1]


@pytest.mark.parametrize("name", ["checkpoint", "receipt", "seal"])
def test_a_key_that_is_gone_fails(on_file: House, name: str) -> None:
    (on_file.folder / "keys" / f"{name}.key").unlink()
    assert outcomes(on_file.look()) == {f"{name}-key": FAILS}


def test_the_folder_of_another_log_fails(house: House) -> None:
    """All that lies in it fits together; it is the last checkpoint that another key has signed."""
    other = replace(house.settings, keys_dir=house.folder / "other")
    make_keys(other.keys, ORIGIN, ORGANISATION, at=house.street.at)
    assert house.look(keys_dir=other.keys_dir)["policy"].outcome == FAILS


def test_a_policy_that_cannot_be_read_or_does_not_know_our_key_fails(on_file: House) -> None:
    policy = on_file.settings.keys.policy
    policy.write_text("no policy\n", encoding="utf-8")
    assert outcomes(on_file.look()) == {"keys": FAILS}
    policy.write_text("quorum none\n", encoding="utf-8")
    assert outcomes(on_file.look()) == {"keys": FAILS}


def test_a_checkpoint_that_was_spoilt_fails(on_file: House) -> None:
    on_file.sql("DROP TRIGGER checkpoint_no_update", "UPDATE checkpoint SET note = x'00'")
    found = on_file.look()
    assert outcomes(found) == {"triggers": FAILS, "checkpoint": FAILS}


def enrolled(house: House) -> None:
    """Somebody has a second factor, locked with the key that is there."""
    key = kept_field_key(house.settings.field)
    row = {"account": "a-1", "number": 1, "last_step": 0, "enrolled_at": timestamp(house.street.at)}
    secret = lock(key, b"JBSWY3DPEHPK3PXP", ["second factor", "a-1", "1"])
    with house.street.database.begin() as conn:
        conn.execute(insert(factor_table), row | {"secret": secret})


def test_a_field_key_that_does_not_open_what_is_there_fails(house: House) -> None:
    path = house.settings.field
    path.rename(path.with_suffix(".away"))
    assert house.look()["field-key"].outcome == LOOK
    path.with_suffix(".away").rename(path)
    enrolled(house)
    assert house.look()["field-key"].outcome == HOLDS
    path.unlink()
    assert house.look()["field-key"].outcome == FAILS
    kept_field_key(path)
    assert house.look()["field-key"].outcome == FAILS
    path.write_text("no key\n", encoding="ascii")
    assert house.look()["field-key"].outcome == FAILS


def test_a_vault_key_that_does_not_open_the_vault_fails(house: House) -> None:
    path = house.settings.vault[1]
    kept = path.read_bytes()
    path.unlink()
    assert house.look()["vault-key"].outcome == FAILS
    assert not path.exists()
    path.write_text("ab" * 32 + "\n", encoding="ascii")
    path.chmod(0o600)
    assert house.look()["vault-key"].outcome == FAILS
    # A replacement that was cut short: the next start puts the right one into its place.
    path.with_name("vault.key.next").write_bytes(kept)
    path.with_name("vault.key.next").chmod(0o600)
    assert house.look()["vault-key"].outcome == HOLDS
    path.chmod(0o640)
    assert house.look()["vault-key"].outcome == FAILS


def test_a_vault_that_was_never_made_is_to_be_looked_at(on_file: House) -> None:
    path = on_file.folder / "nowhere"
    found = on_file.look(vault_url=f"sqlite:///{path}.db", vault_key=path)
    assert outcomes(found) == {"vault-key": LOOK}
    assert not path.exists()
    assert not path.with_suffix(".db").exists()


# --- folders and files ----------------------------------------------------------------------------


def test_a_place_that_takes_no_photos_fails(on_file: House) -> None:
    taken = on_file.folder / "file"
    taken.write_text("", encoding="ascii")
    assert outcomes(on_file.look(evidence_dir=taken)) == {"evidence": FAILS}
    if Path("/proc/self").exists():  # takes no files, not even root's
        assert on_file.look(evidence_dir=Path("/proc/evidence"))["evidence"].outcome == FAILS
    assert on_file.look(evidence_dir=on_file.folder / "later")["evidence"].outcome == HOLDS
    assert not (on_file.folder / "later").exists()
    assert list(on_file.settings.evidence_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("least", "wanted"),
    [
        (Least((ENDLESS, 0), (1, 0)), LOOK),
        (Least((ENDLESS, ENDLESS), (1, 0)), FAILS),
        (Least((1, 0), (ENDLESS, 0)), LOOK),
        (Least((1, 0), (ENDLESS, ENDLESS)), FAILS),
    ],
)
def test_a_disk_with_too_little_room_is_told(on_file: House, least: Least, wanted: str) -> None:
    on_file.least = least
    disks = ("disk-database", "disk-evidence", "disk-reports")
    assert outcomes(on_file.look()) == dict.fromkeys(disks, wanted)


def test_fonts_that_are_damaged_or_gone_fail(on_file: House) -> None:
    on_file.fonts = on_file.folder / "fonts"
    assert outcomes(on_file.look()) == {"fonts": FAILS}
    shutil.copytree(FONTS, on_file.fonts)
    assert outcomes(on_file.look()) == {}
    font = on_file.fonts / "ShaojiMono-Regular.otf"
    font.write_bytes(font.read_bytes()[:-1])
    found = on_file.look()["fonts"]
    assert found.outcome == FAILS
    assert font.name in found.found[0]
    font.unlink()
    assert on_file.look()["fonts"].outcome == FAILS


# --- backlog --------------------------------------------------------------------------------------


def test_what_nobody_works_off_is_told_and_then_fails(house: House) -> None:
    recorded = len(house.street.entries(house.street.report()))
    found = house.look()
    assert f"{recorded} events wait" in found["outbox"].found[1]
    assert found["outbox"].outcome == found["news"].outcome == found["worker"].outcome == HOLDS
    house.shift = timedelta(minutes=5)
    found = house.look()
    assert {found[name].outcome for name in ("outbox", "checkpoint", "news")} == {LOOK}
    house.shift = timedelta(minutes=20)
    found = house.look()
    assert {found[name].outcome for name in ("outbox", "checkpoint", "news", "worker")} == {FAILS}
    assert "shaoji worker" in found["worker"].do[1]
    # Half of it done: something keeps the worker from the rest.
    tell(house.street.database, Outlets(zone=ZONE), at=house.wall())
    with house.street.database.begin() as conn:
        row = {"case": "hazard-x", "seq": 1}
        conn.execute(insert(news_table), row)
    assert house.look()["worker"].outcome == FAILS
    house.work()
    again = house.look()
    assert {again[name].outcome for name in ("outbox", "checkpoint", "worker")} == {HOLDS}


def test_clocks_that_ran_out_unrecorded_fail_until_they_are_rung(house: House) -> None:
    case = house.street.report()
    house.work()
    house.shift = timedelta(days=40)
    found = house.look()
    assert found["alarms"].outcome == FAILS
    assert found["alarms"].found[1].startswith("1 clocks")
    assert found["worker"].outcome == FAILS
    for _ in range(5):
        house.work()
    assert house.look()["alarms"].outcome == HOLDS
    assert "overdue.opened" in house.street.types(case)
    house.street.check()


def test_messages_reports_and_notices_that_stay_are_told(house: House) -> None:
    case = house.street.report()
    house.work()
    first = house.street.entries(case)[0]
    job: dict[str, Any] = dict.fromkeys(
        ("id", "key", "person", "channel", "purpose", "locale", "stage"), "x"
    )
    job |= {"case": case, "state": "requested", "attempts": 0}
    with house.street.database.begin() as conn:
        row = {"hash": b"h", "case": case, "seq": first.seq, "to": "x"}
        conn.execute(insert(message_table), row)
        conn.execute(insert(job_table), job | {"requested_at": timestamp(house.street.at)})
        notice_queue.add(conn, "p-1", "mail", "single", due=house.street.at)
    names = ("case-messages", "reports", "notices")
    assert {house.look()[name].outcome for name in names} == {HOLDS}
    house.shift = timedelta(minutes=20)
    found = house.look()
    assert {name: found[name].outcome for name in names} == {
        "case-messages": FAILS, "reports": FAILS, "notices": LOOK
    }  # fmt: skip
    assert found["notices"].found[1].endswith("the first for 20 min, 0 given up")


def test_a_notice_given_up_and_metrics_left_behind_are_to_be_looked_at(house: House) -> None:
    with house.street.database.begin() as conn:
        id_ = notice_queue.add(conn, "p-1", "mail", "single", due=house.street.at)
        message = notice_queue.claim(conn, "mail", "w", at=house.street.at)
        assert message
        assert message.id == id_
        notice_queue.mark_failed(
            conn, message, "w", ("坏了", "broken"), at=house.street.at, for_good=True
        )
    assert house.look()["notices"].outcome == LOOK
    assert house.look()["metrics"].outcome == HOLDS
    house.street.report()
    house.shift = timedelta(hours=4)
    sequence_log(house.street.database, house.settings.keys, at=house.wall())
    assert house.look()["metrics"].outcome == LOOK
    house.work()
    assert house.look()["metrics"].outcome == HOLDS


# --- settings, and the command itself -------------------------------------------------------------


def test_a_channel_configured_by_halves_fails(on_file: House) -> None:
    found = on_file.look(mail_url="smtps://user@mail.example:465")
    assert outcomes(found) == {"settings": FAILS}


@pytest.fixture
def shaoji(on_file: House, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    told = on_file.settings
    monkeypatch.setenv("SHAOJI_DATABASE_URL", told.database_url)
    monkeypatch.setenv("SHAOJI_SECRET_KEY", told.secret_key)
    for name in ("evidence_dir", "vault_url", "vault_key", "field_key", "keys_dir", "reports_dir"):
        monkeypatch.setenv(f"SHAOJI_{name.upper()}", str(getattr(told, name)))
    return lambda *words: CliRunner().invoke(main, ["doctor", *words])


def test_the_command_ends_with_1_where_something_fails(
    on_file: House, shaoji: Callable[..., Any]
) -> None:
    held = shaoji("--json")
    assert held.exit_code == 0, held.output
    told = json.loads(held.stdout)
    assert told["outcome"] in (HOLDS, LOOK)  # the disk of whoever runs this may be nearly full
    on_file.sql("DROP TRIGGER event_no_update")
    failed = shaoji("--json")
    assert failed.exit_code == 1
    (line,) = [one for one in json.loads(failed.stdout)["checks"] if one["outcome"] == FAILS]
    assert line["check"] == "triggers"
    assert "event_no_update" in line["found"]["chinese"]
    assert line["do"]["english"]
    plain = shaoji()
    assert plain.exit_code == 1
    assert "✗ fails triggers" in plain.stdout


def test_settings_that_cannot_be_read_are_its_first_finding(
    shaoji: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHAOJI_PROXIES", "many")
    failed = shaoji("--json")
    assert failed.exit_code == 1
    (line,) = json.loads(failed.stdout)["checks"]
    assert line["check"] == "settings"
    assert "SHAOJI_PROXIES" in line["found"]["english"]


# --- several nodes --------------------------------------------------------------------------------


def test_nodes_are_told_and_one_that_died_too(house: House) -> None:
    stop = Event()
    _, heart = start_heartbeat(
        house.street.database, stop, house.settings, kind="worker", clock=house.wall
    )
    wait_for(lambda: "worker-" in house.look()["nodes"].found[0])
    found = house.look()
    names = ("nodes", "shared-keys", "shared-evidence", "shared-reports")
    assert [found[name].outcome for name in names] == [HOLDS] * 4
    house.shift = timedelta(minutes=5)  # not heard of since: killed
    assert house.look()["nodes"].outcome == LOOK
    house.shift = timedelta()
    stop.set()
    heart.join()
    assert "worker-" not in house.look()["nodes"].found[0]
    assert not list((house.settings.evidence_dir / ".nodes").iterdir())


@pytest.mark.parametrize(
    ("changed", "check", "named"),
    [
        ({"secret_key": "s" * 48}, "shared-keys", "SHAOJI_SECRET_KEY"),
        ({"evidence_dir": "elsewhere"}, "shared-evidence", "SHAOJI_EVIDENCE_DIR"),
        ({"reports_dir": "elsewhere"}, "shared-reports", "SHAOJI_REPORTS_DIR"),
        ({"field_key": "elsewhere"}, "shared-keys", "field.key"),
    ],
)
def test_a_node_that_does_not_share_what_it_must_is_found(
    on_file: House, changed: dict[str, str], check: str, named: str
) -> None:
    here = {name: on_file.folder / told for name, told in changed.items() if told == "elsewhere"}
    if "field_key" in here:
        kept_field_key(here["field_key"])
    other = replace(on_file.settings, **(changed | here))  # type: ignore[arg-type]
    stop = Event()
    _, heart = start_heartbeat(on_file.street.database, stop, other, kind="serve",
                               clock=on_file.wall)  # fmt: skip
    wait_for(lambda: "serve-" in on_file.look()["nodes"].found[0])
    found = on_file.look()[check]
    stop.set()
    heart.join()
    assert found.outcome == FAILS
    assert named in found.found[0]
    assert found.do[0]


def wait_for(true: Callable[[], bool], seconds: float = 20) -> None:
    """Look again and again until it is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
