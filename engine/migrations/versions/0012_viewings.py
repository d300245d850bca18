"""Who looked at which case, by the hour; reports on people, units and of many cases at once."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "viewing",
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("hour", sa.Text(), nullable=False),
        sa.Column("post", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("on_behalf_of", sa.Text(), nullable=True),
        sa.Column("first_at", sa.Text(), nullable=False),
        sa.Column("last_at", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case", "person", "hour"),
    )
    op.add_column(
        "report_job", sa.Column("kind", sa.Text(), server_default="case_report", nullable=False)
    )
    op.add_column("report_job", sa.Column("told", sa.Text(), server_default="{}", nullable=False))
    op.add_column("report_job", sa.Column("done", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "report_job", sa.Column("total", sa.Integer(), server_default="0", nullable=False)
    )
    op.create_table(
        "report_part",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("head", sa.Text(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("chinese", sa.Text(), nullable=True),
        sa.Column("english", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("job", "case"),
    )
