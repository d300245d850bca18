"""Every command of the registers: people, units, codes, imports, weights, what leaves the house."""

from pathlib import Path
from zoneinfo import ZoneInfo

from engine import register_import, report_jobs
from engine.batches import finish_batch, keep_part, request_batch
from engine.conduct import record_conduct_export, record_lookup
from engine.definition_sets import deploy
from engine.definitions import read_folder
from engine.early_warning import answer_warning
from engine.exports import Content, record_log_export
from engine.foreign import examine, import_foreign
from engine.inquiries import record_acts_export, record_search
from engine.key_rotation import rotate_checkpoint_key
from engine.keys import Places, make_keys
from engine.log_export import Exported
from engine.people import (
    By,
    close_unit,
    correct_name,
    create_unit,
    directory,
    end_post,
    end_substitute,
    grant_post,
    name_substitute,
    register_person,
    rename_unit,
)
from engine.place_codes import issue, note_printed, renew
from engine.special_reports import PUBLICATION, Left, record_special_export
from tests.conftest import NOON, ORIGIN, ROOT, Street
from tests.engine.hazard_street import Hazard, hazard
from tests.engine.test_conduct import about
from tests.engine.test_early_warning import warned
from tests.engine.test_foreign import LEDGER, MAP
from tests.engine.test_index_editions import adopt, answer, compute, counted, object_, publish
from tests.engine.test_register_import import sheet
from tests.engine.test_report_jobs import ask, claimed, made

ZONE = ZoneInfo("Asia/Shanghai")
CONTENT = Content("ab" * 32, 1, 7, "cd" * 32)
FILE = "ef" * 32


def play(street: Street, folder: Path) -> None:
    """Live through it; keys and foreign logs lie in the folder."""
    hazard(street)
    registers(street)
    administered(street, folder)
    left_the_house(street)
    indexed(street)


def registers(street: Street) -> None:
    do = street.do
    do(deploy, read_folder(ROOT / "workflows/directive"), by=None)
    do(create_unit, "u-new", "department", "新办", parent="u-street", by=None)
    do(rename_unit, "u-new", "新办公室", by=None)
    person = do(register_person, "新人演示", by=None)
    do(correct_name, person, "新仁演示", by=None)
    post = do(grant_post, person, "u-new", "岗", ["accept"], reason="到任", by=None)
    end = street.at.replace(day=20)
    stand_in = do(
        name_substitute, person, street.person["accept"], end=end, reason="休假", by=By(person)
    )
    street.later(hours=1)
    do(end_substitute, stand_in.id, reason="提前回来", by=By(person))
    do(end_post, post.id, reason="离任", by=None)
    do(close_unit, "u-new", reason="并入", by=None)
    do(issue, "u-grid-1", by=street.by("head"))
    do(renew, "u-grid-1", "污损", by=street.by("head"))
    do(note_printed, ["u-grid-1"], by=street.by("head"))


def administered(street: Street, folder: Path) -> None:
    do = street.do
    admin = By(do(register_person, "管演示", by=None))
    street.person["admin"] = admin.person
    do(grant_post, admin.person, "u-street", "管理员", ["administer"], reason="建库", by=None)
    rows = sheet("甲演示,听涛社区,网格员,上报、整改,,2020-05-01")
    do(register_import.preview, rows, by=admin, zone=ZONE)
    with street.database.begin() as conn:
        seen = register_import.stamp(conn, FILE, at=street.at, zone=ZONE)
    do(register_import.confirm, rows, {}, file_sha256=FILE, seen=seen, by=admin, zone=ZONE)
    more = sheet("乙演示,听涛社区,网格员,上报,,2020-05-01")
    do(register_import.bring, more, lambda _: "", by=admin, zone=ZONE)
    with street.database.begin() as conn:
        told = examine(conn, file=LEDGER, map_=MAP, at=street.at)
    do(import_foreign, folder / "foreign", told, name="old", by=admin)


def rotated(street: Street, folder: Path) -> None:
    places = Places(folder / "keys")
    make_keys(places, ORIGIN, "听澜街道", at=NOON)
    street.do(rotate_checkpoint_key, places, reason="例行", by=None)


def left_the_house(street: Street) -> None:
    do, watch = street.do, street.by("watch")
    case = street.report()
    street.later(minutes=1)
    do(record_search, street.person["head"], by=watch)
    do(record_acts_export, rows=2, sha256=FILE, purpose="督查", person=None, by=watch)
    wanted = about(street, "head")
    do(record_lookup, wanted, "初核", by=watch)
    do(record_conduct_export, wanted, cases=0, sha256=FILE, pages=3, content=CONTENT,
       purpose="季度", by=watch)  # fmt: skip
    do(record_log_export, Exported(1, 9, 9, "ab" * 32), unit=None, purpose="年度")
    ask(street, case)
    do(report_jobs.finish, claimed(street), "one", made(street, case))
    do(request_batch, [case], purpose="例会", locale="zh", by=watch, key="batch")
    job = claimed(street)
    do(keep_part, job, case, "one", made(street, case))
    do(finish_batch, job, "one", FILE)
    with street.database.begin() as conn:
        (held, *_) = directory(conn).capacities(watch.person, street.at)
    left = Left(PUBLICATION, {"until": "2026-03-02T01:00:00.000Z"}, 1, 0, CONTENT, FILE, 3)
    do(record_special_export, left, purpose="例会", held=held, by=watch)


def indexed(street: Street) -> None:
    Hazard(street).closed()
    street.person["clerk"] = street.person["admin"]
    adopt(street)
    street.later(days=33)
    counted(street)
    seq = compute(street).seq
    objection = object_(street, seq)
    street.later(days=7)
    answer(street, objection.seq)
    publish(street, seq)


def warned_of(street: Street) -> None:
    found = warned(street)
    street.do(answer_warning, found.seq, "周三去看", by=street.by("watch"))
