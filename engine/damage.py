"""Whether a database says that what it stores is damaged, and the refusal that follows."""

from sqlite3 import SQLITE_CORRUPT, SQLITE_NOTADB
from typing import Final

from sqlalchemy.exc import DBAPIError

from engine.errors import Refusal

# The low byte is the primary result code: https://sqlite.org/rescode.html
_SQLITE: Final = (SQLITE_CORRUPT, SQLITE_NOTADB)
# data_corrupted, index_corrupted: PostgreSQL, Appendix A, class XX.
_POSTGRESQL: Final = ("XX001", "XX002")


class StorageDamaged(Refusal):
    """The database cannot read its own pages; nothing may be concluded from what it still gives."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"数据库文件已损坏（{said}）。请停止写入，保留这个文件，"
            "用 shaoji restore 恢复上一份完好的备份，再用 shaoji verify 核对缺了哪些。",
            f"The database is damaged ({said}). Stop writing, keep the file, put the last whole "
            "backup back with `shaoji restore`, and let `shaoji verify` say what is missing.",
        )


def damage(error: DBAPIError) -> StorageDamaged | None:
    """The refusal for an error by which a database says that it is damaged; None for others."""
    said = error.orig
    primary = (getattr(said, "sqlite_errorcode", None) or 0) & 0xFF
    if primary in _SQLITE or getattr(said, "sqlstate", None) in _POSTGRESQL:
        return StorageDamaged(str(said).splitlines()[0])
    return None
