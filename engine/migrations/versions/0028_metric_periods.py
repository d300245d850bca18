"""Figures are kept of quarters and years, too; the report on a month is one on a period."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
# The program before would take a quarter for a month.
SIDE_BY_SIDE = False

job = sa.table("report_job", sa.column("id"), sa.column("kind"), sa.column("told"))


def upgrade() -> None:
    op.rename_table("metric_month", "metric_period")
    for table in ("metric_period", "metric_list", "metric_figures"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN month TO period")
    # Nothing is told until the worker, at its first turn, has counted all periods.
    op.execute("DELETE FROM metric_basis")
    conn = op.get_bind()
    for id_, told in conn.execute(sa.select(job.c.id, job.c.told).where(job.c.kind == "special")):
        asked = json.loads(told)
        if asked["report"] == "month":
            asked |= {"report": "period", "period": asked.pop("month")}
            conn.execute(sa.update(job).where(job.c.id == id_).values(told=json.dumps(asked)))
