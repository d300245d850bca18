"""Cases alike at the same address are found by an index, however many cases there are."""

from alembic import op

revision = "0029"
down_revision = "0028"
SIDE_BY_SIDE = True


def upgrade() -> None:
    columns = ["address", "category", "community", "opened_at"]
    op.create_index("case_register_alike_there", "case_register", columns, unique=False)
