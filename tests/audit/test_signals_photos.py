"""B5 on cases made by hand: one file or one telephone in two places, and what looks like it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from audit.signals.among_cases import signals
from audit.signals.facts import Begun, Brief, Photo
from audit.signals.kept import from_json, to_json
from audit.signals.rules import read_rules
from tests.conftest import ROOT

RULES = read_rules((ROOT / "workflows/signals/rules.toml").read_bytes())
BEGUN = Begun(datetime(2026, 3, 1, 1, tzinfo=UTC), None, by_staff=True, ended=None)
SECOND = "2026-03-02T10:00:07+08:00"


def case(name: str, address: str, *photos: Photo) -> Brief:
    return Brief(
        case=name, number=name, process="hazard", thing=("u-tingtao", "charging", address),
        title="飞线充电", alone=(), confirmed=(), dismissed=(), accepted=(), closed=(), refuted=(),
        pairs=(), photos=photos, merge=None, judged=(), begun=BEGUN, plans=False, complaint=None,
        whistle=None, calls=(),
    )  # fmt: skip


def photo(sha256: str, who: str = "p-1", role: str = "rectify", seq: int = 9) -> Photo:
    return Photo(sha256, seq, role, (who, "某型号", SECOND))


def found(
    *cases: Brief, alike: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, tuple[int, ...]]]:
    told = [from_json(to_json(one)) for one in cases]
    assert told == list(cases)
    return [(one.case, one.events) for one in signals(told, RULES, alike) if one.rule == "B5"]


def test_one_file_for_two_places_is_told_of_both() -> None:
    told = found(case("a", "1 幢", photo("f", "p-1")), case("b", "2 幢", photo("f", "p-2")))
    assert told == [("a", (9,)), ("b", (9,))]


def test_one_wall_in_two_cases_about_it_is_not() -> None:
    assert found(case("a", "1 幢", photo("f")), case("b", "1 幢", photo("f"))) == []


def test_one_person_cannot_take_two_photos_in_two_places_in_one_second() -> None:
    told = found(case("a", "1 幢", photo("f")), case("b", "2 幢", photo("g")))
    assert told == [("a", (9,)), ("b", (9,))]


def test_telephones_of_one_model_in_two_hands_are_two() -> None:
    assert found(case("a", "1 幢", photo("f", "p-1")), case("b", "2 幢", photo("g", "p-2"))) == []


def test_the_acceptors_photo_is_not_the_rectifiers_file() -> None:
    own = photo("f", "p-1"), photo("f", "p-2", "accept", 14)
    assert found(case("a", "1 幢", *own)) == [("a", (9, 14))]


def test_look_alikes_for_two_places_are_told_of_both_whoever_handed_them_in() -> None:
    cases = case("a", "1 幢", photo("f", "p-1")), case("b", "2 幢", photo("g", "p-2"))
    told = [one for one in signals(cases, RULES, [("g", "f")]) if one.rule == "B5"]
    assert [(one.case, one.events, one.others) for one in told] == [
        ("a", (9,), (("b", 9),)),
        ("b", (9,), (("a", 9),)),
    ]


def test_two_honest_photos_of_one_place_may_look_alike() -> None:
    cases = case("a", "1 幢", photo("f", "p-1")), case("b", "1 幢", photo("g", "p-2"))
    assert found(*cases, alike=[("f", "g")]) == []
    both = photo("f", "p-1"), photo("g", "p-2", "accept", 14)
    assert found(case("a", "1 幢", *both), alike=[("f", "g")]) == []


def test_where_files_were_not_looked_at_look_alikes_are_not_told() -> None:
    cases = case("a", "1 幢", photo("f", "p-1")), case("b", "2 幢", photo("g", "p-2"))
    assert found(*cases, alike=()) == []


def test_a_look_alike_that_no_case_uses_is_nothing() -> None:
    assert found(case("a", "1 幢", photo("f")), alike=[("f", "h"), ("x", "y")]) == []
