"""Cases of a process, a level or a unit are found by indexes, where there are few."""

from alembic import op

revision = "0030"
down_revision = "0029"
SIDE_BY_SIDE = True


def upgrade() -> None:
    indexes = {"process": ["process"], "level": ["level"], "unit": ["unit", "status"]}
    for name, columns in indexes.items():
        op.create_index(
            f"case_register_by_{name}", "case_register", [*columns, "case"], unique=False
        )
