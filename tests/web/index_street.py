"""The demonstration street with the shipped weights adopted and one edition of a month computed."""

from sqlalchemy import Connection, Engine, select

from engine.accounts import account_table
from engine.index_editions import compute_edition
from engine.index_weights import adopt_weights
from engine.people import By
from tests.witnessing import signer
from web.demo import END, ORIGIN
from web.formulas import formulas
from web.index_weights import shipped_file
from web.quantities import ZONE

MONTH = "2026-09"


def computed(database: Engine) -> int:
    """The number of the edition's entry; the figures of the month have to be kept."""
    with database.begin() as conn:
        adopt_weights(
            conn, shipped_file(), "2025-11", "先按软件自带的算（演示）",
            signer=signer(f"{ORIGIN}/receipt"), by=_by(conn, "admin"), at=END,
        )  # fmt: skip
        entry = compute_edition(
            conn, MONTH, formulas(), known=0, zone=ZONE, by=_by(conn, "supervise"), at=END
        )
    return entry.seq


def _by(conn: Connection, account: str) -> By:
    query = select(account_table.c.person).where(account_table.c.name == account)
    return By(str(conn.execute(query).scalar_one()))
