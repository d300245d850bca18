"""A street's register from a sheet: sent, looked at row by row, confirmed; and what was refused."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, render_template
from werkzeug.wrappers import Response as AnyResponse

from engine.accounts import hash_password
from engine.awaiting import Awaiting
from engine.directory import DUTIES, KINDS
from engine.register_import import (
    Act,
    Outcome,
    confirm,
    new_accounts,
    preview,
    stamp,
)
from engine.register_rows import HEADINGS, MOST_ROWS, Rows, read_rows
from engine.spreadsheets import read_sheets, write_csv, write_xlsx
from web.admin_pages import clerk, pages, typed
from web.confirming import confirmed
from web.frame import duties, moment
from web.quantities import ZONE
from web.sent_files import keep_file, kept_file, one_file
from web.texts import either, later, refusal, say
from web.visit import at, database, see_other, writes

PURPOSE: Final = "register"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KINDS_TOLD: Final = ("refused", "new", "changed", "unchanged")


@dataclass(frozen=True, slots=True)
class Line:
    """What becomes of one row, in a sentence."""

    where: str
    subject: str
    said: str
    kind: str


@pages.get("/imports")
def imports() -> str:
    """How to bring a register in: the template, and where the file is sent."""
    return render_template(
        "admin_import.html",
        most=MOST_ROWS,
        duties=[words[0] for words in DUTIES.values()],
        kinds=[words[0] for words in KINDS.values()],
    )


@pages.get("/imports/template.xlsx")
def import_template() -> Response:
    """The sheets to fill in, with one line each to show how, and the words that may be used."""
    people = [
        [HEADINGS[c] for c in ("name", "unit", "title", "duties", "account", "start")],
        ["演示甲", "听涛社区/第一网格", "一般网格员", "上报、整改", "yanshijia", "2026-03-01"],
    ]
    units = [
        [HEADINGS[c] for c in ("unit", "kind", "parent")],
        ["听涛社区", "社区", "听澜街道"],
        ["第一网格", "一般网格", "听涛社区"],
    ]
    return _file(
        write_xlsx([("单位", units), ("人员", people), ("说明", _explained())]),
        XLSX, "register-template.xlsx",
    )  # fmt: skip


@pages.get("/imports/template.csv")
def import_template_csv() -> Response:
    """The combined sheet alone."""
    told = ("name", "unit", "title", "duties", "account", "start")
    return _file(write_csv([[HEADINGS[c] for c in told]]), "text/csv", "register-template.csv")


@pages.post("/imports")
def send_register() -> AnyResponse:
    """Read the file; what can be read waits to be confirmed."""
    name, data = one_file()
    read_rows(read_sheets(data, most_lines=MOST_ROWS))
    return see_other("admin.import_preview", file=keep_file(PURPOSE, name, data))


@pages.get("/imports/<file>")
def import_preview(file: str) -> str:
    """What every row would do, in sentences."""
    kept = kept_file(PURPOSE, file)
    rows = _rows(kept)
    with _trying() as conn:
        seen = stamp(conn, kept.sha256, at=at(), zone=ZONE)
        outcomes = preview(conn, rows.rows, by=clerk(), at=at(), zone=ZONE)
    return _page("admin_import_preview.html", kept, rows, outcomes, seen=seen)


@pages.post("/imports/<file>")
@confirmed(later("导入名册，开设账号"))
def confirm_import(file: str) -> str:
    """Take in what was looked at, all in one transaction; the new passwords are shown once."""
    kept = kept_file(PURPOSE, file)
    rows = _rows(kept)
    passwords = _passwords(rows)
    # A tenth of a second each: not while others wait for the one writer.
    hashes = {account: hash_password(password) for account, password in passwords.items()}
    with writes() as conn:
        outcomes = confirm(
            conn, rows.rows, hashes,
            file_sha256=kept.sha256, seen=typed("seen"), by=clerk(), at=at(), zone=ZONE,
        )  # fmt: skip
    slips = [(name, account, passwords[account]) for account, name in new_accounts(outcomes)]
    return _page("admin_imported.html", kept, rows, outcomes, slips=slips)


@pages.get("/imports/<file>/refused.<ending>")
def refused_rows(file: str, ending: str) -> Response:
    """The rows that are refused, with their reasons before them, to be mended and sent again."""
    kept = kept_file(PURPOSE, file)
    rows = _rows(kept)
    with _trying() as conn:
        outcomes = preview(conn, rows.rows, by=clerk(), at=at(), zone=ZONE)
    tables = _refused(outcomes)
    if ending == "csv":
        told = [row for _, table in tables for row in table]
        return _file(write_csv(told), "text/csv", "refused.csv")
    return _file(write_xlsx(tables or [("-", [])]), XLSX, "refused.xlsx")


# --- trying -------------------------------------------------------------------------------------


def _trying() -> Any:
    """A writing transaction: a preview does what it tells of, and takes it back itself."""
    return database().begin()


def _rows(kept: Awaiting) -> Rows:
    return read_rows(read_sheets(kept.data, most_lines=MOST_ROWS))


def _passwords(rows: Rows) -> dict[str, str]:
    with _trying() as conn:
        foreseen = preview(conn, rows.rows, by=clerk(), at=at(), zone=ZONE)
    return {account: secrets.token_urlsafe(9) for account, _ in new_accounts(foreseen)}


# --- telling ------------------------------------------------------------------------------------


def _page(
    template: str, kept: Awaiting, rows: Rows, outcomes: Sequence[Outcome], **more: Any
) -> str:
    lines = [_line(one) for one in outcomes]
    return render_template(
        template,
        file=kept.id,
        name=kept.name,
        unused=rows.unused,
        passed=rows.passed,
        groups=[(kind, [line for line in lines if line.kind == kind]) for kind in KINDS_TOLD],
        counts={kind: sum(line.kind == kind for line in lines) for kind in KINDS_TOLD},
        **more,
    )


def _line(one: Outcome) -> Line:
    row = one.row
    where = say("第 {line} 行", line=row.line)
    if row.sheet:
        where = say("{sheet} 第 {line} 行", sheet=row.sheet, line=row.line)
    subject = row.told.get("unit" if row.is_unit else "name", "")
    if one.refusal is not None:
        return Line(where, subject, refusal(one.refusal), one.kind)
    said = say("；").join(_act(act) for act in one.acts) or say("已登记，没有变化")
    return Line(where, subject, said, one.kind)


def _act(act: Act) -> str:
    return _TOLD[act.kind](act.said)


def _unit(said: Any) -> str:
    kind = either(*KINDS[said["kind"]][:2])
    if not said["above"]:
        return say("设立{kind}", kind=kind)
    return say("设立{kind}，上级{above}", kind=kind, above=said["above"])


def _renamed(said: Any) -> str:
    return say("由{was}改名", was=said["was"])


def _registered(_said: Any) -> str:
    return say("登记为新人员")


def _appointed(said: Any) -> str:
    told = say(
        "任{unit}·{title}，职责：{duties}",
        unit=said["unit"], title=said["title"], duties=duties(said["duties"]),
    )  # fmt: skip
    told += say("，从 {moment} 起", moment=moment(said["start"])) if said["start"] else ""
    if said["noted"]:
        told += say("，从现在起算（名册所记 {day} 写进任职原因）", day=said["noted"])
    return told + _ends(said)


def _duties(said: Any) -> str:
    told = say(
        "{unit}·{title} 的职责由{was}改为{now}，原岗位到现在为止",
        unit=said["unit"], title=said["title"],
        was=duties(said["was"]) or say("无"), now=duties(said["duties"]),
    )  # fmt: skip
    return told + _ends(said)


def _ended(said: Any) -> str:
    return say(
        "{unit}·{title} 到 {moment} 为止",
        unit=said["unit"], title=said["title"], moment=moment(said["end"]),
    )  # fmt: skip


def _account(said: Any) -> str:
    return say("开账号 {account}", account=said["made"])


def _ends(said: Any) -> str:
    return say("，到 {moment} 为止", moment=moment(said["end"])) if said["end"] else ""


_TOLD: Final = {
    "unit": _unit,
    "renamed": _renamed,
    "person": _registered,
    "post": _appointed,
    "duties": _duties,
    "ends": _ended,
    "account": _account,
}


def _refused(outcomes: Iterable[Outcome]) -> list[tuple[str, list[list[str]]]]:
    """One table for each sheet: its headings with 行 and 原因 before them, its refused rows."""
    tables: dict[tuple[str, tuple[str, ...]], list[list[str]]] = {}
    for one in outcomes:
        if one.refusal is None:
            continue
        key = (one.row.sheet, one.row.headings)
        rows = tables.setdefault(key, [["行", "原因", *one.row.headings]])
        rows.append([str(one.row.line), refusal(one.refusal), *one.row.cells])
    return [(sheet or "名册", rows) for (sheet, _), rows in tables.items()]


def _explained() -> list[list[str]]:
    return [
        ["怎样填写"],
        ["单位：先填上级再填下级；类别只用：" + "、".join(w[0] for w in KINDS.values())],
        ["人员：一个岗位一行，一人多岗就写多行。职责用顿号隔开，只用："],
        ["、".join(w[0] for w in DUTIES.values())],
        ["同名的单位连上级一起写，如 听涛社区/第一网格。"],
        ["同名的人，加一列“编号”写 p-0001 这样的编号；又一位同名的人写“新”。"],
        ["起始日期可不填。早于今天的，从导入时起算，原日期写进任职原因。"],
        ["还可以加：结束日期、单位编号。其他列不读。"],
    ]


def _file(data: bytes, mimetype: str, name: str) -> Response:
    response = Response(data, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
