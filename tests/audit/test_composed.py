"""Statements of PostgreSQL put together into one, as text."""

from audit.composed import MOST_KEPT, RARE, Sent, composed, cut, native

INSERT = "INSERT INTO event (stream, seq) VALUES (%s::VARCHAR, %s::INTEGER)"
UPDATE = "UPDATE head SET seq=%s::INTEGER WHERE head.stream = %s::VARCHAR"
COPY = "INSERT INTO part (a, b) SELECT %s::VARCHAR AS a, x.b FROM x WHERE x.a = %s::VARCHAR"


def test_parameters_are_numbered_as_postgresql_numbers_them() -> None:
    assert native(UPDATE) == "UPDATE head SET seq=$1::INTEGER WHERE head.stream = $2::VARCHAR"
    assert native(INSERT) == "INSERT INTO event (stream, seq) VALUES ($1::VARCHAR, $2::INTEGER)"
    assert native("SELECT a FROM b WHERE a LIKE %s || '%%'") == (
        "SELECT a FROM b WHERE a LIKE $1 || '%'"
    )


def test_rows_of_values_stand_in_one_part_and_anything_else_in_a_part_each() -> None:
    assert composed([(INSERT, 2), (COPY, 2), (UPDATE, 1)]) == (
        "WITH w0 AS (INSERT INTO event (stream, seq) "
        "VALUES ($1::VARCHAR, $2::INTEGER), ($3::VARCHAR, $4::INTEGER)), "
        "w1 AS (INSERT INTO part (a, b) SELECT $5::VARCHAR AS a, x.b FROM x "
        "WHERE x.a = $6::VARCHAR), "
        "w2 AS (INSERT INTO part (a, b) SELECT $7::VARCHAR AS a, x.b FROM x "
        "WHERE x.a = $8::VARCHAR) "
        "UPDATE head SET seq=$9::INTEGER WHERE head.stream = $10::VARCHAR"
    )


def test_one_alone_stays_what_it_is() -> None:
    assert composed([(UPDATE, 1)]) == native(UPDATE)


def test_what_answers_by_itself_is_no_insert_of_rows() -> None:
    assert cut(INSERT).values
    assert not cut(COPY).values
    assert not cut(f"{INSERT} RETURNING event.seq").values


def test_only_what_is_sent_often_is_worth_preparing() -> None:
    sent = Sent()
    assert all(sent.often("step") for _ in range(RARE))
    assert not sent.often("imported")  # one in 101
    assert sent.often("step")
    assert sent.often("imported")  # two in 103
    assert not any(sent.often(str(n)) for n in range(RARE))


def test_what_was_sent_is_counted_anew_before_it_grows_without_end() -> None:
    sent = Sent()
    told = [sent.often(str(n)) for n in range(MOST_KEPT + 2)]
    assert told.count(True) == RARE + 1
    assert told[-1]
