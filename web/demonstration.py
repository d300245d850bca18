"""The demonstration street on disk: built once, whole or not at all, and then served.

Its clock goes on from its last record: the year it tells ends in October 2026, and by any later
wall clock every deadline in it would have passed long ago.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from audit import log
from engine import news, notice_board
from engine.database import open_database, reading
from engine.errors import Conflict
from engine.keys import make_keys
from engine.notice_board import Outlets
from engine.schema import create_schema
from engine.vault import close_vault
from engine.vault_key import open_kept
from web.config import Settings
from web.demo import ACCOUNTS, BEGIN, ORIGIN, build_street, codes, door_codes
from web.demo.chance import seeded
from web.demo.town import SIZES, Size
from web.quantities import ZONE

# On its seal: whoever sees one of its reports knows that everything in it is invented.
ORGANISATION = "听澜街道（演示）"
# So long before its end things are still news in the demonstration.
NEWS_DAYS = timedelta(days=7)
Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]


class NotTheDemonstration(Conflict):
    """The database holds another street; the demonstration must not get into it."""


def prepare(settings: Settings, *, size: str, progress: Progress) -> tuple[Settings, bool]:
    """Make the demonstration street in the settings' database, unless it is there already.

    Returns the settings to serve it with, and whether it was built now. A SQLite database is built
    under another name and renamed when whole, so that an interrupted build leaves nothing behind.
    Raises NotTheDemonstration for a database that holds something else.
    """
    demo = replace(settings, origin=ORIGIN, demo=True, cookie_secure=False)
    # Nobody who tries the demonstration may call a real one.
    demo = replace(demo, emergency=settings.emergency or "000-0119（演示）")
    there = _is_there(settings.database_url)
    # Real keys, drawn here: what they sign is invented, how it is checked is not.
    make_keys(settings.keys, ORIGIN, ORGANISATION, at=BEGIN)
    if there:
        return demo, False
    _build_whole(settings, SIZES[size], progress)
    return demo, True


def live(settings: Settings, *, size: Size, seed: str, progress: Progress) -> Settings:
    """Live a year drawn from this seed in the settings' database, which has to be empty.

    Returns the settings to serve it with. Raises NotTheDemonstration where anything is there.
    """
    if _is_there(settings.database_url):
        raise NotTheDemonstration(
            "数据库里已经有一个街道；请指定一个空的数据库（SHAOJI_DATABASE_URL）。",
            "There is a street in this database; name an empty one (SHAOJI_DATABASE_URL).",
        )
    make_keys(settings.keys, ORIGIN, ORGANISATION, at=BEGIN)
    with seeded(seed):
        _build_whole(settings, size, progress)
    return replace(settings, origin=ORIGIN, demo=True, cookie_secure=False)


def sentences(settings: Settings, built: bool, port: int) -> list[str]:
    """What to tell whoever started the demonstration."""
    state = "已建好演示街道" if built else "演示街道已在，直接使用"
    english = "built" if built else "there already"
    accounts = [f"  {one.account:<12}{one.password:<18}{one.role}" for one in ACCOUNTS]
    return [
        f"{state}（{settings.database_url}）/ the demonstration street, {english}",
        "演示账号（人名、电话、地点均为虚构）/ accounts, everybody invented:",
        *accounts,
        "演示回执码，在“信箱”里输入 / receipt codes, for the mailbox:",
        *(f"  {one.code}  {one.what}" for one in codes()),
        "网格码，像居民扫码那样打开 / codes on doors, opened as by scanning:",
        *(f"  http://127.0.0.1:{port}/q/{one.code}  {one.what}" for one in door_codes()),
        f"网址 / address: http://127.0.0.1:{port}",
    ]


def clock_of(engine: Engine, wall: Callable[[], datetime]) -> Callable[[], datetime]:
    """The clock for this database: the wall's, or the demonstration's where it holds that."""
    with reading(engine).begin() as conn:
        try:
            held = log.origin(conn) == ORIGIN
        except LookupError:
            held = False
        last = log.last_at(conn) if held else None
    if last is None:
        return wall
    behind = last - wall()
    return lambda: wall() + behind


def _tell_of_last_days(engine: Engine) -> None:
    """Notices as if the worker had run to the end; of the year before there is no news left."""
    with engine.begin() as conn:
        last = log.last_at(conn) or BEGIN
        news.forget(conn, before=last - NEWS_DAYS)
    notice_board.tell(engine, Outlets(zone=ZONE), at=last)


def _is_there(url: str) -> bool:
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").exists():
        return False
    engine = open_database(url)
    try:
        create_schema(engine)
        with engine.begin() as conn:
            found = log.origin(conn)
    except LookupError:
        return False
    finally:
        engine.dispose()
    if found != ORIGIN:
        raise NotTheDemonstration(
            f"数据库 {url} 里是别的街道（{found}），演示不能写进去。请用 --database 另指定一个。",
            f"{url} holds another street ({found}); name another database with --database.",
        )
    return True


def _build_whole(settings: Settings, size: Size, progress: Progress) -> None:
    address = make_url(settings.database_url)
    if address.get_backend_name() != "sqlite" or not address.database:
        _build(settings.database_url, settings, size, progress)
        return
    final = Path(address.database)
    building = final.with_name(f"{final.name}.building")
    for leftover in (building, *final.parent.glob(f"{building.name}-*")):
        leftover.unlink(missing_ok=True)
    _build(f"sqlite:///{building}", settings, size, progress)
    building.replace(final)


def _build(url: str, settings: Settings, size: Size, progress: Progress) -> None:
    # What an interrupted build left in the vault is forgotten as its numbers are given out again.
    engine, vault = open_database(url), open_kept(*settings.vault)
    try:
        create_schema(engine)
        with progress(1000) as step:
            shown = 0

            def tell(done: int, total: int, _: str) -> None:
                nonlocal shown
                now = done * 1000 // max(1, total)
                step(now - shown)
                shown = now

            build_street(
                engine, settings.evidence_dir, size=size, origin=ORIGIN, progress=tell, vault=vault
            )
        _tell_of_last_days(engine)
    finally:
        engine.dispose()
        close_vault(vault)
