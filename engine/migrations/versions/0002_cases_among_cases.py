"""What cases tell each other, which opened which, and the codes shown on the spot.

Stored states gained fields: those of an older release are marked so that they are made again from
the log (engine.schema does so after upgrading).
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "case_message",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("case_message_by_case", "case_message", ["case", "seq"], unique=False)
    op.create_table(
        "case_link",
        sa.Column("child", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("child"),
    )
    op.create_index("case_link_by_parent", "case_link", ["parent", "seq"], unique=True)
    op.create_table(
        "site_code",
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("case"),
    )
    op.add_column(
        "case_register",
        sa.Column("confidential", sa.Integer(), nullable=False, server_default="0"),
    )
    op.execute(sa.text("UPDATE case_register SET kernel = ''"))
