"""Acts and parts say of their case what never changes; the register says who gave which order.

The state of a case stands last in its row of the register.

The tables are made anew: engine.schema rebuilds the projections after upgrading.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    _acts()
    _parts()
    _register()


def _register() -> None:
    # Open steps name their case; they are made anew with it.
    op.execute(sa.text("DELETE FROM open_task"))
    sqlite = op.get_bind().dialect.name == "sqlite"
    if not sqlite:  # SQLite's own has no name to be dropped by
        op.drop_constraint("open_task_case_fkey", "open_task")
    op.drop_table("case_register")
    op.create_table(
        "case_register",
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kernel", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("community", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("last_at", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.Column("alarm", sa.Text(), nullable=True),
        sa.Column("confidential", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("orders", sa.Text(), nullable=True),
        sa.Column("kept_out", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("case"),
        sa.UniqueConstraint("number"),
    )
    for name, columns in (
        ("case_register_by_alarm", ["alarm"]),
        ("case_register_by_time", ["opened_at"]),
        ("case_register_by_community", ["community", "status", "opened_at"]),
        ("case_register_by_receipt", ["receipt"]),
        ("case_register_alike", ["category", "unit", "opened_at"]),
    ):
        op.create_index(name, "case_register", columns, unique=False)
    ordered = sa.text("orders IS NOT NULL")
    op.create_index(
        "case_register_ordered", "case_register", ["case"], unique=False,
        sqlite_where=ordered, postgresql_where=ordered,
    )  # fmt: skip
    if sqlite:
        columns = ["opened_at", "case", "number", "title", "address", "receipt"]
        op.create_index("case_register_searched", "case_register", columns, unique=False)
    else:
        op.create_foreign_key(
            "open_task_case_fkey", "open_task", "case_register", ["case"], ["case"]
        )


def _parts() -> None:
    op.drop_table("part")
    op.create_table(
        "part",
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("reported", sa.Integer(), nullable=False),
        sa.Column("did", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("case", "person"),
    )
    op.create_index(
        "part_by_person", "part", ["person", "opened_at", "case", "reported", "did"], unique=False
    )


def _acts() -> None:
    op.drop_table("act")
    op.create_table(
        "act",
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("confidential", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("element", sa.Text(), nullable=True),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), nullable=True),
        sa.Column("post", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("capacity", sa.Text(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=True),
        sa.Column("allowed", sa.Integer(), nullable=True),
        sa.Column("late", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("case", "seq"),
    )
    op.create_index("act_by_time", "act", ["at", "case", "seq"], unique=False)
    op.create_index("act_by_person", "act", ["person", "at"], unique=False)
    op.create_index("act_by_absent", "act", ["on_behalf_of", "at"], unique=False)
    op.create_index("act_by_unit", "act", ["unit", "at"], unique=False)
    measured = sa.text("type = 'task.completed' AND allowed > 0")
    op.create_index(
        "act_by_limit", "act",
        ["at", "unit", "used", "allowed", "place", "process", "confidential"], unique=False,
        sqlite_where=measured, postgresql_where=measured,
    )  # fmt: skip
