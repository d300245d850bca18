"""The index of acts done for somebody else holds those alone: smaller, and of use when asked."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
SIDE_BY_SIDE = False


def upgrade() -> None:
    absent = sa.text("on_behalf_of IS NOT NULL")
    op.drop_index("act_by_absent", table_name="act")
    op.create_index(
        "act_by_absent", "act", ["on_behalf_of", "at"], unique=False,
        sqlite_where=absent, postgresql_where=absent,
    )  # fmt: skip
