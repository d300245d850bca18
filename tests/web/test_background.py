"""What the worker's loop does beside clocks and messages."""

import time
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import delete, update

from engine import evidence
from engine.case_texts import case_text_table
from engine.register import register_table
from engine.text_search import all_listed
from tests.conftest import Street
from tests.engine.test_evidence import keep, photo
from web import background
from web.background import Chores, run_copies, run_worker


def test_the_worker_takes_cases_of_an_older_release_into_the_index_of_texts(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        street.report()
    with street.database.begin() as conn:
        conn.execute(delete(case_text_table))
        conn.execute(update(register_table).values(texts_listed=0))
    monkeypatch.setattr(background, "LISTED_AT_ONCE", 1)
    stop = Event()
    worker = Thread(
        target=run_worker,
        args=(street.database, stop),
        kwargs={"clock": lambda: street.at, "chores": Chores()},
    )
    worker.start()
    listed, until = False, time.monotonic() + 20
    while not listed and time.monotonic() < until:
        with street.database.begin() as conn:
            listed = all_listed(conn)
        time.sleep(0.02)
    stop.set()
    worker.join()
    assert listed
    street.check()


def test_the_worker_makes_copies_of_photos_while_it_runs(tmp_path: Path) -> None:
    stop = Event()
    worker = Thread(target=run_copies, args=(stop, tmp_path))
    kept = keep(tmp_path, photo())
    worker.start()
    made, until = False, time.monotonic() + 20
    while not made and time.monotonic() < until:
        made = len(list((tmp_path / "served").rglob(f"{kept.sha256}-*.jpg"))) == 2
        time.sleep(0.02)
    stop.set()
    worker.join()
    assert made
    assert evidence.is_there(tmp_path, kept.sha256)
