"""Decision tables are proved complete before use, and decide by exactly one row."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.decisions import BadDecision, DecisionFailed, check_table, decide, read_decision
from engine.hardened import BadXml

GRADE = Path(__file__).parents[1] / "golden" / "bpmn" / "workshop" / "grade.dmn"


def table(
    *rows, inputs=(("a.n", "integer", "[0..10]"),), outputs=(("out", "string"),), hit="UNIQUE"
):
    """A DMN file; rows are tuples of cells, inputs first."""

    def escape(text):
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    columns = "".join(
        f'<input label="{text}"><inputExpression typeRef="{kind}"><text>{escape(text)}</text>'
        f"</inputExpression>"
        + (f"<inputValues><text>{escape(allowed)}</text></inputValues>" if allowed else "")
        + "</input>"
        for text, kind, allowed in inputs
    ) + "".join(f'<output name="{name}" typeRef="{kind}"/>' for name, kind in outputs)
    rules = "".join(
        "<rule>"
        + "".join(
            f"<{'in' if at < len(inputs) else 'out'}putEntry><text>{escape(cell)}</text>"
            f"</{'in' if at < len(inputs) else 'out'}putEntry>"
            for at, cell in enumerate(row)
        )
        + "</rule>"
        for row in rows
    )
    return (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" '
        f'namespace="n"><decision id="t" name="表"><decisionTable hitPolicy="{hit}">'
        f"{columns}{rules}</decisionTable></decision></definitions>"
    ).encode()


def read(*rows, **kinds):
    return read_decision(table(*rows, **kinds))


def rules_of(decision):
    return [finding.rule for finding in check_table(decision)]


# --- deciding -------------------------------------------------------------------------------------


def test_the_golden_table_is_complete_and_decides():
    document = GRADE.read_bytes()
    decision = read_decision(document)
    assert decision.sha256 == hashlib.sha256(document).hexdigest()
    assert check_table(decision) == []
    decided = decide(decision, {"prepare": {"kind": "wood", "pieces": 10}})
    assert decided.row == 3
    assert decided.inputs == {"prepare.kind": "wood", "prepare.pieces": 10}
    assert decided.outputs == {"big": True}


@pytest.mark.parametrize(
    ("cell", "inside", "outside"),
    [
        ("5", [5], [4, 6]),
        ("1, 3,5", [1, 3, 5], [0, 2, 4]),
        ("< 3", [0, 2], [3]),
        ("<= 3", [3], [4]),
        ("> 3", [4], [3]),
        (">=3", [3], [2]),
        ("[2..4]", [2, 3, 4], [1, 5]),
        ("[2..4], 9, < 1", [0, 2, 4, 9], [1, 5, 8, 10]),
        ("not(5)", [4, 6], [5]),
        ("not( 1, 2 )", [0, 3], [1, 2]),
        ("-", [0, 10], []),
        ("", [0, 10], []),
    ],
)
def test_cells_of_whole_numbers(cell, inside, outside):
    decision = read((cell, '"yes"'))
    for n in inside:
        assert decide(decision, {"a": {"n": n}}).outputs == {"out": "yes"}
    for n in outside:
        with pytest.raises(DecisionFailed):
            decide(decision, {"a": {"n": n}})


@pytest.mark.parametrize(
    ("cell", "inside", "outside"),
    [
        ('"x"', ["x"], ["y", "z,w"]),
        ('"x","z,w"', ["x", "z,w"], ["y"]),
        ('not("x","y")', ["z,w"], ["x", "y"]),
    ],
)
def test_cells_of_text(cell, inside, outside):
    decision = read(
        (cell, "1"), inputs=[("k", "string", '"x","y","z,w"')], outputs=[("o", "integer")]
    )
    for k in inside:
        assert decide(decision, {"k": k}).outputs == {"o": 1}
    for k in outside:
        with pytest.raises(DecisionFailed):
            decide(decision, {"k": k})


def test_first_takes_the_first_row_and_unique_refuses_two():
    rows = (("< 5", '"low"'), ("< 8", '"middle"'), ("-", '"high"'))
    assert decide(read(*rows, hit="FIRST"), {"a": {"n": 3}}).row == 1
    assert decide(read(*rows, hit="FIRST"), {"a": {"n": 9}}).row == 3
    with pytest.raises(DecisionFailed) as refused:
        decide(read(*rows), {"a": {"n": 3}})
    assert "第 1、2、3 行" in refused.value.chinese


@pytest.mark.parametrize("n", [11, -1, True, "5", [5]])
def test_a_value_the_table_is_not_made_for_is_refused(n):
    with pytest.raises(DecisionFailed):
        decide(read(("-", '"any"')), {"a": {"n": n}})


def test_a_missing_value_meets_a_dash_only():
    two = [("k", "boolean", ""), ("a.n", "integer", "[0..9]")]
    decision = read(
        ("true", "-", '"x"'), ("false", "< 5", '"y"'), ("false", ">= 5", '"z"'), inputs=two
    )
    assert check_table(decision) == []
    assert decide(decision, {"k": True}).row == 1
    with pytest.raises(DecisionFailed) as refused:
        decide(decision, {"k": False})
    assert "缺少“a.n”" in refused.value.chinese


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    ['"x"', "true", "5.0", "[5..2]", "[1..", "not(< 5)", "5,", ",5", "5 6", "< ", "=5", "]1..2[",
     "1..2", "?", "date(1)", "n > 5", "__import__('os')", "not not(5)", "99999999999999999", "'5'"],
)  # fmt: skip
def test_cells_outside_the_language_are_refused(cell):
    with pytest.raises(BadDecision):
        read((cell, '"x"'))


@pytest.mark.parametrize(
    "cell", ["", "-", "x", '"a', "1", "true", '"a", "b"', "upper(x)", '"\\x41"']
)
def test_results_are_literals(cell):
    with pytest.raises(BadDecision):
        read(("-", cell))


@pytest.mark.parametrize(
    "change",
    [
        (b'hitPolicy="UNIQUE"', b'hitPolicy="COLLECT"'),
        (b'hitPolicy="UNIQUE"', b'hitPolicy="UNIQUE" aggregation="SUM"'),
        (b"MODEL/", b"OTHER/"),
        (b"<text>prepare.kind</text>", b"<text>open('x')</text>"),
        (b"<text>prepare.kind</text>", '<text>"种类"</text>'.encode()),
        (b'name="big"', b'name="Big one"'),
        (b'typeRef="boolean"', b'typeRef="date"'),
        (b"<decisionTable ", b"<context/><decisionTable "),
        (b'typeRef="string">', b'typeRef="string" expressionLanguage="groovy">'),
        (b'<inputEntry id="metal_kind"><text>"metal"</text></inputEntry>', b""),
    ],
)
def test_other_kinds_of_dmn_are_refused(change):
    document = GRADE.read_bytes()
    assert change[0] in document
    with pytest.raises(BadDecision):
        read_decision(document.replace(*change))


def test_entities_are_refused():
    document = GRADE.read_bytes().replace(b"?>", b'?><!DOCTYPE x [<!ENTITY a "b">]>', 1)
    with pytest.raises(BadXml):
        read_decision(document)


# --- checking -------------------------------------------------------------------------------------


def test_a_gap_is_found_and_shown():
    (finding,) = check_table(read(("< 5", '"x"'), ("> 5", '"y"')))
    assert finding.rule == "rule_table_incomplete"
    assert "a.n = 5" in finding.chinese


def test_an_overlap_is_found_and_names_the_rows():
    (finding,) = check_table(read(("<= 5", '"x"'), (">= 5", '"y"')))
    assert finding.rule == "rule_table_overlap"
    assert "第 1、2 行" in finding.chinese
    assert "a.n = 5" in finding.english


def test_first_may_overlap_but_has_no_row_that_never_applies():
    assert rules_of(read(("<= 5", '"x"'), ("-", '"y"'), hit="FIRST")) == []
    assert rules_of(read(("-", '"x"'), ("<= 5", '"y"'), hit="FIRST")) == ["rule_table_dead"]


def test_text_inputs_must_list_their_values_and_cells_keep_to_them():
    rows = (('"x"', '"1"'), ('not("x")', '"2"'))
    assert rules_of(read(*rows, inputs=[("k", "string", "")])) == ["rule_table_values"]
    assert rules_of(read(*rows, inputs=[("k", "string", '"x","y"')])) == []
    assert rules_of(read(*rows, inputs=[("k", "string", '"y","z"')])) == ["rule_table_values"] * 2


def test_yes_and_no_are_both_asked_for():
    assert rules_of(read(("true", '"x"'), inputs=[("k", "boolean", "")])) == [
        "rule_table_incomplete"
    ]
    assert rules_of(read(("true", '"x"'), ("false", '"y"'), inputs=[("k", "boolean", "")])) == []


def test_whole_numbers_without_bounds_run_to_the_end():
    free = [("a.n", "integer", "")]
    assert rules_of(read(("< 0", '"x"'), (">= 0", '"y"'), inputs=free)) == []
    assert rules_of(read(("[0..9]", '"x"'), inputs=free)) == ["rule_table_incomplete"] * 2


def test_a_table_too_large_to_check_is_refused():
    inputs = [(f"a.x{n}", "integer", "[0..99]") for n in range(6)]
    rows = [(*[str(n)] * 6, '"x"') for n in range(20)]
    assert rules_of(read(*rows, inputs=inputs)) == ["rule_table_size"]


CELLS = st.one_of(
    st.just("-"),
    st.integers(0, 6).map(str),
    st.tuples(st.sampled_from(["<", "<=", ">", ">="]), st.integers(0, 6)).map(
        lambda c: f"{c[0]} {c[1]}"
    ),
    st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda c: f"[{min(c)}..{max(c)}]"),
    st.lists(st.integers(0, 6), min_size=1, max_size=3).map(
        lambda c: f"not({','.join(map(str, c))})"
    ),
)
KINDS = st.sampled_from(["-", '"x"', '"y","z"', 'not("y")'])


@given(st.lists(st.tuples(CELLS, KINDS, st.just('"r"')), min_size=1, max_size=5))
def test_the_check_agrees_with_trying_every_value(rows):
    decision = read(*rows, inputs=[("n", "integer", "[0..6]"), ("k", "string", '"x","y","z"')])
    refused = False
    for n in range(7):
        for k in "xyz":
            try:
                decide(decision, {"n": n, "k": k})
            except DecisionFailed:
                refused = True
    found = set(rules_of(decision))
    assert bool(found & {"rule_table_incomplete", "rule_table_overlap"}) == refused
