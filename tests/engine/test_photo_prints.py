"""Look-alikes are kept up to date from the files: each pair is compared once, and nothing stays."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from audit.signals.rules import read_rules
from engine import photo_prints
from engine.cases import Place
from engine.evidence import Evidence
from engine.photo_prints import keep_up, not_compared, pairs, print_table
from engine.register import register_table
from engine.signals import all_signals, files_of_open_cases, look_at_photos, refresh
from tests.conftest import ROOT, Street, photo
from tests.engine.hazard_street import STEPS, Hazard, hazard
from tests.engine.test_alike_photos import kept, put
from tests.pictures import jpeg, scaled, scene

RULES = read_rules((ROOT / "workflows/signals/rules.toml").read_bytes())


def known(database: Engine) -> set[str]:
    with database.connect() as conn:
        return set(conn.execute(select(print_table.c.sha256)).scalars())


def alike(database: Engine) -> set[frozenset[str]]:
    with database.connect() as conn:
        return {frozenset(both) for both in pairs(conn)}


@pytest.fixture
def both(tmp_path: Path) -> list[str]:
    """A photo and its smaller copy."""
    after = scene("kept")
    return [kept(tmp_path, jpeg(one)).sha256 for one in (after, scaled(after, 60))]


def test_a_copy_is_found_whether_it_came_with_the_photo_or_later(
    street: Street, tmp_path: Path, both: list[str]
) -> None:
    other = kept(tmp_path, jpeg(scene("other"))).sha256
    looked: list[int] = []
    assert not keep_up(street.database, tmp_path, [both[0], other], seen=looked.append)
    assert keep_up(street.database, tmp_path, [*both, other], seen=looked.append)
    assert alike(street.database) == {frozenset(both)}
    assert looked == [2, 1]
    assert not keep_up(street.database, tmp_path, [*both, other], seen=looked.append)
    assert looked == [2, 1]


def test_what_was_compared_is_not_compared_again(
    street: Street, tmp_path: Path, both: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    compare = photo_prints.alike_pairs
    monkeypatch.setattr(
        photo_prints,
        "alike_pairs",
        lambda prints, since: asked.append(since) or compare(prints, since=since),
    )
    keep_up(street.database, tmp_path, both)
    later = kept(tmp_path, jpeg(scene("later"))).sha256
    keep_up(street.database, tmp_path, [*both, later])
    keep_up(street.database, tmp_path, [*both, later])
    assert asked == [0, 2]


def test_the_picture_goes_with_its_file_and_with_its_last_open_case(
    street: Street, tmp_path: Path, both: list[str]
) -> None:
    keep_up(street.database, tmp_path, both)
    assert keep_up(street.database, tmp_path, both[:1])
    assert known(street.database) == {both[0]}
    assert alike(street.database) == set()
    assert keep_up(street.database, tmp_path, both)
    (tmp_path / both[0][:2] / both[0][2:4] / both[0]).unlink()
    assert keep_up(street.database, tmp_path, both)
    assert known(street.database) == {both[1]}
    assert alike(street.database) == set()


def test_what_cannot_be_read_is_told_and_tried_again_and_what_is_no_picture_is_not(
    street: Street, tmp_path: Path
) -> None:
    paper = put(tmp_path, b"%PDF-1.4\n")
    missing = photo().sha256
    looked: list[int] = []
    keep_up(street.database, tmp_path, [paper, missing], seen=looked.append)
    with street.database.connect() as conn:
        assert not_compared(conn) == {missing: "missing"}
    keep_up(street.database, tmp_path, [paper, missing], seen=looked.append)
    assert looked == [2, 1]


def test_who_is_told_to_stop_keeps_what_is_done(
    street: Street, tmp_path: Path, both: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_prints, "BATCH", 1)
    asked = iter([False, True])
    keep_up(street.database, tmp_path, both, stopped=lambda: next(asked))
    assert len(known(street.database)) == 1
    assert alike(street.database) == set()
    keep_up(street.database, tmp_path, both)
    assert alike(street.database) == {frozenset(both)}


def rectified(h: Hazard, address: str, after: Evidence) -> str:
    """A case about this address, put right with this photo."""
    told = {"title": "车棚飞线充电", "category": "charging", "address": address}
    form = {**told, "description": "有人从楼上拉线充电"}
    place = Place("u-micro-1", address)
    h.case = h.street.report("hazard", "reporter", place=place, form=form, category="charging")
    h.do("confirm").do("assign").do("sign_in")
    h.street.later(minutes=1)
    task, given = h.task("rectify").key, [photo("before", address), after]
    h.street.complete(h.case, task, "owner", STEPS["rectify"][1], evidence=given)
    return h.case


def reused(street: Street, root: Path) -> set[str]:
    refresh(street.database, RULES, lambda _: None)
    look_at_photos(street.database, root, RULES)
    return found(street)


def found(street: Street) -> set[str]:
    with street.database.begin() as conn:
        return {one.signal.case for one in all_signals(conn) if one.signal.rule == "B5"}


def test_one_photo_for_two_places_is_a_signal_by_its_looks_as_long_as_the_file_is_there(
    street: Street, tmp_path: Path
) -> None:
    h, after = hazard(street), scene("after")
    files = [kept(tmp_path, jpeg(one)) for one in (after, scaled(after, 60))]
    first = rectified(h, "听涛苑 3 幢", files[0])
    assert files[0].sha256 in wanted(street)
    assert reused(street, tmp_path) == set()
    second = rectified(h, "听涛苑 7 幢", files[1])
    refresh(street.database, RULES, lambda _: None)
    assert found(street) == set()
    assert reused(street, tmp_path) == reused(street, tmp_path) == {first, second}
    honest = rectified(h, "听涛苑 9 幢", kept(tmp_path, jpeg(scene("honest"))))
    assert honest not in reused(street, tmp_path)
    (tmp_path / files[1].sha256[:2] / files[1].sha256[2:4] / files[1].sha256).unlink()
    assert reused(street, tmp_path) == set()
    street.check()


def wanted(street: Street) -> set[str]:
    refresh(street.database, RULES, lambda _: None)
    with street.database.connect() as conn:
        return files_of_open_cases(conn)


def test_files_of_a_confidential_case_are_not_compared(street: Street, tmp_path: Path) -> None:
    h, given = hazard(street), kept(tmp_path, jpeg(scene("secret")))
    case = rectified(h, "听涛苑 3 幢", given)
    assert given.sha256 in wanted(street)
    with street.database.begin() as conn:
        row = register_table.c
        conn.execute(update(register_table).where(row.case == case).values(confidential=1))
    assert given.sha256 not in wanted(street)
