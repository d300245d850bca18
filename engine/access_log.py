"""The stream of who signed in, confirmed, looked people up and left: written to by everybody."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from audit import log
from audit.encoding import instant

ACCESS: Final = "@access"
# Comparing a password and waiting for one's turn to write may take so long; and the clocks of
# several nodes never quite agree.
OVERTAKEN: Final = timedelta(seconds=30)


def take_access(conn: Connection, at: datetime) -> tuple[log.Head, datetime]:
    """Lock the end of the stream; returns it, and the instant of what is recorded behind it.

    at: the instant of the request. Whoever came later may have been recorded first, while this
    password was compared or this transaction waited; then it is the instant of what they did, the
    earliest the order of entries allows. A clock that stands further back is not excused: writing
    then raises audit.log.ClockBehind.
    """
    head = log.take(conn, ACCESS)
    last = instant(head.at) if head.seq else at
    return head, last if timedelta() < last - at <= OVERTAKEN else at
