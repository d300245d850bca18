"""Acts of a step that hardly anybody did are found by an index."""

from alembic import op

revision = "0033"
down_revision = "0032"
SIDE_BY_SIDE = True


def upgrade() -> None:
    op.create_index("act_by_element", "act", ["element", "case"])
