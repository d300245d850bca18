"""An index of the cases of a unit, for those who see few."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
SIDE_BY_SIDE = True


def upgrade() -> None:
    openly = sa.text("confidential = 0")
    op.create_index(
        "case_register_by_unit", "case_register", ["unit", "opened_at", "confidential"],
        unique=False, sqlite_where=openly, postgresql_where=openly,
    )  # fmt: skip
