"""Weights adopted, editions computed, objected to, answered and published: all on the record."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from audit import log
from audit.encoding import canonical, instant
from audit.entries import Entry
from audit.note import BadSignature, NotANote
from audit.risk_index.differences import differences
from audit.risk_index.signed import (
    Adoption,
    NotAdopted,
    check_adoption,
    read_adoption,
    sign_adoption,
)
from engine.database import reading
from engine.index_editions import (
    EditionDamaged,
    EditionMoved,
    MonthNotCounted,
    NotYoursToCompute,
    compute_edition,
    edition_figures,
    edition_table,
    trial,
)
from engine.index_objections import (
    AnsweredAlready,
    BadRuling,
    NotYetPublishable,
    NotYourUnit,
    ObjectedAlready,
    ObjectionsOver,
    OwnObjection,
    answer_objection,
    object_to,
    publish_edition,
)
from engine.index_register import Edition, IndexRegister, NoSuchEdition
from engine.index_weights import (
    NobodySigns,
    NoMonth,
    VersionNotRaised,
    WeightsDamaged,
    WeightsMissing,
    WeightsUnfit,
    adopt_weights,
    read_register,
    weights_file,
    weights_for,
    weights_table,
)
from engine.metric_periods import keep_figures
from engine.people import NotAdministrator, grant_post, name_substitute, register_person
from engine.reasons import NoReason
from engine.sequencer import run_sequencer
from engine.verification import verify
from tests.conftest import ORIGIN, ROOT, Street
from tests.engine.hazard_street import hazard
from tests.engine.test_anchoring import KEY
from tests.witnessing import signer
from web.formulas import formulas
from web.quantities import ZONE

SHIPPED = (ROOT / "workflows" / "risk_index" / "weights.toml").read_text(encoding="utf-8")
UNITS = """[communities]
u-tingtao = { households = 1000, stratum = "urban" }
u-other = { households = 2000, stratum = "urban" }

[departments]
u-property = { stratum = "company" }
"""
RECEIPTS = signer(f"{ORIGIN}/receipt")
MARCH = "2026-03"


def file(version: int = 2, **changed: str) -> bytes:
    text = SHIPPED.split("[communities]")[0] + UNITS
    for old, new in {"version = 3": f"version = {version}", **changed}.items():
        text = text.replace(old, new, 1)
    return text.encode()


def adopt(street: Street, toml: bytes | None = None, month: str = MARCH, **more: Any) -> Entry:
    told = {"reason": "街道 2026 年第 3 次主任办公会定", "signer": RECEIPTS} | more
    return street.do(
        adopt_weights, file() if toml is None else toml, month, told["reason"],
        signer=told["signer"], by=told.get("by", street.by("clerk")),
    )  # fmt: skip


def compute(street: Street, month: str = MARCH, reason: str = "", by: str = "watch") -> Entry:
    known = len(register(street).of(month))
    return street.do(
        compute_edition, month, formulas(), reason, known=known, zone=ZONE, by=street.by(by)
    )


def register(street: Street) -> IndexRegister:
    with reading(street.database).begin() as conn:
        return read_register(conn)


def edition(street: Street, seq: int) -> Edition:
    return register(street).edition(seq)


def figures(street: Street, seq: int) -> dict[str, Any]:
    with reading(street.database).begin() as conn:
        return edition_figures(conn, read_register(conn).edition(seq))


def counted(street: Street) -> None:
    run_sequencer(street.database, [KEY], at=street.later(minutes=1))
    keep_figures(street.database, formulas(), zone=ZONE)


@pytest.fixture
def april(street: Street) -> Street:
    """A hazard in March, which is over and counted to its end, and weights in force for it."""
    hazard(street).closed()
    clerk = street.do(register_person, "孙演示", by=None)
    street.person["clerk"] = clerk
    street.do(
        grant_post, clerk, "u-street", "管理员", ["administer"], reason="演示任职", by=None
    )  # fmt: skip
    adopt(street)
    street.later(days=33)
    counted(street)
    return street


def past_objections(street: Street) -> None:
    street.later(days=7)


def refused(kind: type[Exception], act: Callable[..., Any], *args: Any, **more: Any) -> None:
    with pytest.raises(kind) as found:
        act(*args, **more)
    assert found.value.chinese  # type: ignore[attr-defined]


# --- weights --------------------------------------------------------------------------------------


def test_weights_are_adopted_signed_and_in_force_from_a_month_on(april: Street) -> None:
    entry = adopt(april, file(3, ranking="ranking"), "2026-05")
    assert (entry.stream, entry.data["version"], entry.data["from"]) == ("@index", 3, "2026-05")
    note, told = read_adoption(entry.data["note"].encode())
    assert told == Adoption(ORIGIN, 3, "2026-05", entry.data["sha256"])
    assert check_adoption(note, told, [RECEIPTS.key]) == RECEIPTS.key
    with reading(april.database).begin() as conn:
        assert [weights_for(conn, m).version for m in (MARCH, "2026-04", "2026-05")] == [2, 2, 3]
        assert weights_file(conn, 3, entry.data["sha256"]) == file(3)
        with pytest.raises(WeightsMissing):
            weights_for(conn, "2026-02")
    april.check()


def test_what_cannot_be_adopted_is_refused_and_nothing_is_recorded(april: Street) -> None:
    before = register(april)
    refused(VersionNotRaised, adopt, april)
    refused(VersionNotRaised, adopt, april, file(1))
    refused(NoMonth, adopt, april, file(3), "2026-13")
    refused(NoReason, adopt, april, file(3), reason=" ")
    refused(WeightsUnfit, adopt, april, b"version = 3")
    refused(WeightsUnfit, adopt, april, file(3) + b"#" * 200_000)
    refused(NobodySigns, adopt, april, file(3), signer=None)
    refused(NotAdministrator, adopt, april, file(3), by=april.by("watch"))
    assert register(april) == before


def test_a_note_of_another_or_a_changed_one_is_not_believed() -> None:
    told = Adoption(ORIGIN, 2, MARCH, "ab" * 32)
    note = sign_adoption(told, RECEIPTS)
    with pytest.raises(NotAdopted):
        check_adoption(note, told, [signer("else/receipt").key])
    changed = replace(note, text=note.text.replace("2 2026-03", "3 2026-03"))
    with pytest.raises(BadSignature):
        check_adoption(changed, told, [RECEIPTS.key])
    with pytest.raises(ValueError, match="receipt"):
        sign_adoption(told, KEY)
    for wrong in ("v1", "v2"):
        with pytest.raises(NotANote):
            read_adoption(note.data.replace(b"weights/v1", b"weights/" + wrong.encode() + b"x"))
    with pytest.raises(NotAdopted):
        read_adoption(note.data.replace(b"q6urq6ur", b"!6urq6ur"))


def test_a_file_that_was_changed_is_neither_used_nor_passed_over(april: Street) -> None:
    with april.database.begin() as conn:
        conn.execute(update(weights_table).values(bytes=file(9)))
    with reading(april.database).begin() as conn:
        with pytest.raises(WeightsDamaged):
            weights_for(conn, MARCH)
        (problem,) = verify(conn).problems
    assert (problem.case, problem.seq, "changed" in problem.what) == ("@index", 1, True)


# --- editions -------------------------------------------------------------------------------------


def test_an_edition_names_what_it_rests_on_and_keeps_its_figures(april: Street) -> None:
    entry = compute(april)
    told = edition(april, entry.seq)
    with reading(april.database).begin() as conn:
        again = trial(conn, MARCH, weights_for(conn, MARCH), formulas(), zone=ZONE)
    assert figures(april, entry.seq) == again.table
    assert (told.number, told.told["weights"], told.told["size"]) == (1, 2, again.basis.size)
    assert told.told["formulas_sha256"] == formulas().sha256
    assert told.open(april.at)
    assert {one["unit"] for one in again.table["communities"]} == {"u-tingtao", "u-other"}
    april.check()


def test_the_days_for_objections_are_working_days(april: Street) -> None:
    told = edition(april, compute(april).seq)
    # Computed on a Saturday of the holiday 清明, that ends on Monday: three days of work later.
    assert f"{april.at.astimezone(ZONE):%Y-%m-%d}" == "2026-04-04"
    assert f"{told.until.astimezone(ZONE):%Y-%m-%d %H:%M}" == "2026-04-09 18:00"
    assert (told.told["days"], told.told["calendar"]["version"]) == (3, 1)


def test_who_may_not_or_what_is_not_there_yet_is_refused(april: Street) -> None:
    refused(NotYoursToCompute, compute, april, by="leader")
    refused(NotYoursToCompute, compute, april, by="clerk")
    refused(WeightsMissing, compute, april, "2026-01")
    refused(NoMonth, compute, april, "2026-3")
    refused(MonthNotCounted, compute, april, "2026-04")
    refused(MonthNotCounted, compute, april, "2027-04")
    compute(april)
    refused(NoReason, compute, april)
    refused(
        EditionMoved, april.do, compute_edition, MARCH, formulas(), "再算", known=0, zone=ZONE,
        by=april.by("watch"),
    )  # fmt: skip
    assert len(register(april).editions) == 1


def test_who_supervises_one_community_does_not_compute_for_all(april: Street) -> None:
    april.do(grant_post, april.person["other"], "u-other", "社区督查", ["supervise"],
             reason="演示任职", by=april.by("clerk"))  # fmt: skip
    refused(NotYoursToCompute, compute, april, by="other")


def test_a_substitute_computes_for_the_absent(april: Street) -> None:
    april.do(name_substitute, april.person["watch"], april.person["leader"], reason="出差",
             end=april.at + timedelta(days=9), by=april.by("clerk"))  # fmt: skip
    entry = compute(april, by="leader")
    assert entry.actor["on_behalf_of"] == april.person["watch"]
    april.check()


def test_changed_figures_are_not_shown_and_verify_says_so(april: Street) -> None:
    seq = compute(april).seq
    table = figures(april, seq)
    table["communities"][0]["value"] = "100.00"
    with april.database.begin() as conn:
        conn.execute(update(edition_table).values(figures=canonical(table)))
    refused(EditionDamaged, figures, april, seq)
    past_objections(april)
    refused(EditionDamaged, publish, april, seq)
    with reading(april.database).begin() as conn:
        (problem,) = verify(conn).problems
    assert problem.seq == seq
    with april.database.begin() as conn:
        conn.execute(delete(edition_table))
    with reading(april.database).begin() as conn:
        assert [one.seq for one in verify(conn).problems] == [seq]


# --- objections, publication ----------------------------------------------------------------------


def object_(street: Street, seq: int, unit: str = "u-tingtao", by: str = "head") -> Entry:
    return street.do(
        object_to, seq, unit, "户数按去年底算，今年交付了新楼", by=street.by(by)
    )  # fmt: skip


def answer(street: Street, seq: int, ruling: str = "rejected", by: str = "watch") -> Entry:
    return street.do(
        answer_objection, seq, ruling, "户数以年初统计为准", by=street.by(by)
    )  # fmt: skip


def publish(street: Street, seq: int, by: str = "watch") -> Entry:
    return street.do(publish_edition, seq, by=street.by(by))


def test_a_table_is_published_after_the_days_for_objections_and_their_answers(
    april: Street,
) -> None:
    seq = compute(april).seq
    refused(NotYetPublishable, publish, april, seq)
    objection = object_(april, seq)
    assert [one.unit for one in edition(april, seq).waiting] == ["u-tingtao"]
    past_objections(april)
    refused(NotYetPublishable, publish, april, seq)
    answer(april, objection.seq)
    refused(NotYoursToCompute, publish, april, seq, by="leader")
    told = publish(april, seq)
    assert told.data == {"computed": seq, "figures": edition(april, seq).told["figures"]}
    found = register(april).published(MARCH)
    assert found
    assert (found.seq, found.objections[0].upheld) == (seq, False)
    refused(NotYetPublishable, publish, april, seq)
    april.check()


def test_objections_are_raised_by_the_head_of_a_unit_in_time_and_once(april: Street) -> None:
    seq = compute(april).seq
    refused(NotYourUnit, object_, april, seq, by="grid")
    refused(NotYourUnit, object_, april, seq, "u-other")
    refused(NotYourUnit, object_, april, seq, "u-street", "leader")
    refused(NoSuchEdition, object_, april, seq + 1)
    refused(NoReason, april.do, object_to, seq, "u-tingtao", "", by=april.by("head"))
    first = object_(april, seq)
    refused(ObjectedAlready, object_, april, seq)
    object_(april, seq, "u-other", "other")
    answer(april, first.seq)
    object_(april, seq)
    past_objections(april)
    refused(ObjectionsOver, object_, april, seq)
    april.check()


def test_an_objection_is_answered_by_who_keeps_the_index_and_not_by_its_own_side(
    april: Street,
) -> None:
    seq = object_(april, compute(april).seq).seq
    refused(NotYoursToCompute, answer, april, seq, by="leader")
    refused(NoSuchEdition, answer, april, seq + 7)
    refused(BadRuling, answer, april, seq, "perhaps")
    april.do(grant_post, april.person["head"], "u-street", "督查", ["supervise"],
             reason="演示任职", by=april.by("clerk"))  # fmt: skip
    refused(OwnObjection, answer, april, seq, by="head")
    answer(april, seq)
    refused(AnsweredAlready, answer, april, seq)


def test_an_upheld_objection_leads_to_another_edition_with_its_difference(april: Street) -> None:
    seq = compute(april).seq
    answer(april, object_(april, seq).seq, "upheld")
    past_objections(april)
    refused(NotYetPublishable, publish, april, seq)
    households = {"households = 1000": "households = 1200"}
    adopt(april, file(3, **households))
    assert [one.seq for one in register(april).overtaken()] == [seq]
    second = compute(april, reason="听涛社区户数更正").seq
    assert not edition(april, seq).open(april.at)
    refused(NotYetPublishable, publish, april, seq)
    refused(ObjectionsOver, object_, april, seq)
    found = differences(figures(april, seq), figures(april, second))
    assert {(one.unit, one.field) for one in found} == {("u-tingtao", "households")}
    past_objections(april)
    publish(april, second)
    assert register(april).overtaken() == []
    april.check()


def test_a_changed_formula_stands_beside_the_old_months(april: Street) -> None:
    seq = compute(april).seq
    past_objections(april)
    publish(april, seq)
    heavier = {"in_time = 25": "in_time = 30", "overdue = 15": "overdue = 10"}
    adopt(april, file(3, **heavier), "2026-02")
    second = compute(april, reason="权重第 3 版").seq
    kept = register(april)
    assert [one.told["weights"] for one in kept.of(MARCH)] == [2, 3]
    # Until it is published itself, the first stands.
    assert kept.published(MARCH) == kept.editions[seq]
    found = differences(figures(april, seq), figures(april, second))
    weights = [one for one in found if one.field == "weight" and one.unit == "u-tingtao"]
    assert [(one.part, one.old, one.new) for one in weights] == [
        ("in_time", 25, 30), ("overdue", 15, 10),
    ]  # fmt: skip
    assert differences(figures(april, seq), figures(april, seq)) == []
    april.check()


def test_a_unit_that_is_in_one_edition_alone_is_told() -> None:
    one = {"communities": [{"unit": "u-a", "value": "1.00", "parts": []}], "departments": []}
    none: dict[str, Any] = {"communities": [], "departments": []}
    (found,) = differences(none, one)
    assert (found.unit, found.field, found.old, found.new) == ("u-a", "value", None, "1.00")
    assert [(f.old, f.new) for f in differences(one, none)] == [("1.00", None)]


def test_the_register_can_be_read_from_its_entries_alone(april: Street) -> None:
    seq = compute(april).seq
    with reading(april.database).begin() as conn:
        entries = log.read(conn, "@index")
    assert [one.type for one in entries] == ["index.weights_adopted", "index.computed"]
    assert instant(entries[1].data["until"]) == edition(april, seq).until
