"""A head keeps when its stream began, a leaf and what waits of which month their event is.

PostgreSQL may keep the events by month then (engine.partitions) and is told which it may leave out.
Empty: not kept, every month is looked through.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
SIDE_BY_SIDE = True


def upgrade() -> None:
    for table, column in (("stream_head", "began"), ("outbox", "month"), ("leaf", "month")):
        op.add_column(table, sa.Column(column, sa.Text, nullable=False, server_default=""))
