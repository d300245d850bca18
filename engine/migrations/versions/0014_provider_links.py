"""Accounts that an identity provider vouches for, and answers of it that were taken."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "provider_link",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("linked_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account", "issuer"),
        sa.UniqueConstraint("issuer", "subject"),
    )
    op.create_table(
        "provider_answer",
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("state"),
    )
    op.add_column("session", sa.Column("link", sa.Text(), nullable=True))
    op.add_column("pending_sign_in", sa.Column("link", sa.Text(), nullable=True))
