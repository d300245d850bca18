"""A request sent again is answered as before, and a key is good for one request."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from engine.idempotency import Answer, KeyReused, remember, remembered

MONDAY = datetime(2026, 3, 9, 2, tzinfo=UTC)
CREATED = Answer(201, b'{"case":"hazard-2026-00001"}')


def test_an_answer_is_given_again_to_the_same_request_alone(bare: Engine) -> None:
    with bare.begin() as conn:
        assert remembered(conn, "p-li:1", "aa") is None
        remember(conn, "p-li:1", "aa", CREATED, at=MONDAY)
    with bare.begin() as conn:
        assert remembered(conn, "p-li:1", "aa") == CREATED
        assert remembered(conn, "p-li:2", "aa") is None
        with pytest.raises(KeyReused):
            remembered(conn, "p-li:1", "bb")


def test_a_key_has_one_answer_and_a_second_one_undoes_its_transaction(bare: Engine) -> None:
    with bare.begin() as conn:
        remember(conn, "p-li:1", "aa", CREATED, at=MONDAY)
    with pytest.raises(IntegrityError), bare.begin() as conn:
        remember(conn, "p-li:1", "aa", Answer(200, b"{}"), at=MONDAY)
    with bare.begin() as conn:
        assert remembered(conn, "p-li:1", "aa") == CREATED
