"""How PostgreSQL is asked for what is looked for, not for what is written."""

from typing import Any

from psycopg import Cursor


class PlannedAnew(Cursor[Any]):
    """Prepares nothing by itself: each question is planned for what it asks for.

    Prepared, a question is planned without its values from its eleventh time on if that looks as
    cheap, and a search has no typical values: of a million cases, the acts of thirty days were then
    read as if they might be those of all time, ten times as long. What is written by key
    (audit.statements) is prepared and does not come this way.
    """

    def execute(self, query: Any, params: Any = None, **how: Any) -> "PlannedAnew":
        """Execute once; what the caller says of `prepare` holds."""
        return super().execute(query, params, **({"prepare": False} | how))
