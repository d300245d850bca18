"""Cases of a process, a level or a unit are found by indexes, where there are few."""

from alembic import op

revision = "0030"
down_revision = "0029"
SIDE_BY_SIDE = True


def upgrade() -> None:
    for column in ("process", "level", "unit"):
        op.create_index(
            f"case_register_by_{column}", "case_register", [column, "case"], unique=False
        )
