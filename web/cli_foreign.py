"""The command line of foreign logs: taken in, listed, and told of – each time as what they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from audit.encoding import timestamp
from audit.foreign.facts import facts_of, places_of
from audit.foreign.found import found_in
from audit.foreign.heard import Heard, heard
from audit.foreign.metric_needs import Lacking, had, lacking
from audit.foreign.rule_needs import Able, able
from audit.metrics.catalogue import COMPOSITE, METRICS
from audit.metrics.plain import metrics_json
from audit.metrics.results import BY, results
from audit.signals.facts import Signal
from audit.signals.rules import Rules
from engine.errors import BadInput
from engine.foreign import LARGEST_FILE, Imported, examine, import_foreign, imported, opened
from engine.foreign_drawings import Held, held
from engine.foreign_rows import Read
from engine.imports import reject_file
from web import listing
from web.cli_metrics import period_of, results_json, show_figures, show_formulas
from web.formulas import formulas
from web.quantities import ZONE
from web.shell import NotWritten, Shell, json_option, print_json
from web.signal_rules import signal_rules

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
NOTICE: Final = "外来记录，未经本系统核验"
NOTICE_EN: Final = "from another system, not verified here"


class NoSuchGroups(BadInput):
    """The log does not tell by what its figures should be grouped."""


@click.group()
def foreign() -> None:
    """别的系统的事件日志：单独存放，不是本系统的记录 / event logs of other systems, kept apart."""


@foreign.command("import")
@click.argument("file", type=FILE)
@click.option("--map", "map_file", required=True, type=FILE, help="映射文件 / the map (TOML)")
@click.option("--as", "name", help="取什么名字，默认用文件名 / its name, else that of the file")
@click.option("--by", "account", help="以哪个管理员的名义 / in which administrator's name")
@click.option(
    "--rejects", type=click.Path(dir_okay=False, path_type=Path), help="退回的行 / rejects"
)
@json_option
@click.pass_obj
def import_(
    shell: Shell,
    file: Path,
    map_file: Path,
    name: str | None,
    account: str | None,
    rejects: Path | None,
    as_json: bool,
) -> None:
    """收下一份日志，和映射一起原样保存 / take a log in, kept whole with its map."""
    called = file.name.partition(".")[0].lower() if name is None else name
    at = shell.now()
    # A large log takes seconds to read: nobody else's writing waits for that.
    with shell.reader.begin() as conn:
        by = listing.administrator(conn, account, at)
        given = examine(conn, file=_bytes(file), map_=_bytes(map_file), at=at)
    read, where = given.read, rejects or file.with_name(f"{file.name}.rejects.csv")
    _write_rejects(read, where)
    with shell.engine.begin() as conn:
        told = import_foreign(conn, shell.settings.foreign, given, name=called, by=by, at=at)
    if as_json:
        print_json(_plain(told) | {"notice": _NOTICES, "not_mapped": read.unmapped})
        return
    _show_log(told)
    for what, count in sorted(read.unmapped.items(), key=lambda pair: -pair[1]):
        click.echo(f"  没有对应 / not mapped  {what}  {count}")
    if read.rejected:
        click.echo(f"退回的行和原因 / rejected rows and why: {where}")


def _bytes(path: Path) -> bytes:
    """What is in a file, and no more than shows that it is too large."""
    with path.open("rb") as file:
        return file.read(LARGEST_FILE + 1)


def _write_rejects(read: Read, where: Path) -> None:
    """Before anything is recorded: a disk that is full loses nothing. Raises NotWritten."""
    if not read.rejected:
        return
    try:
        with reject_file(where) as write:
            for one in read.rejected:
                write(one)
    except OSError as error:
        raise NotWritten(
            f"退回的行写不进 {where}（{error.strerror}），没有导入。"
            "请检查磁盘，或用 --rejects 换一处。",
            f"The rejected rows could not be written to {where} ({error.strerror}); nothing was "
            "imported. Look at the disk, or name another place (--rejects).",
        ) from error


@foreign.command("list")
@json_option
@click.pass_obj
def list_(shell: Shell, as_json: bool) -> None:
    """收下过哪些日志 / the logs that were taken in."""
    with shell.reader.begin() as conn:
        found = imported(conn)
    if as_json:
        print_json([_plain(one) | {"notice": _NOTICES} for one in found])
        return
    for one in found:
        _show_log(one)


@foreign.command("metrics")
@click.argument("name")
@click.option("--from", "since", required=True, help="从这一天零点起 / from this day on")
@click.option("--to", "until", required=True, help="到这一天零点为止 / up to, not including")
@click.option("--by", type=click.Choice(BY), help="按什么分开算 / grouped by")
@json_option
@click.pass_obj
def metrics(shell: Shell, name: str, since: str, until: str, by: str | None, as_json: bool) -> None:
    """用同一口径算一份外来日志 / the metrics of a foreign log, by the same formulas."""
    period = period_of(since, until)
    log, read = _opened(shell, name)
    known = places_of(read.cases)
    if by in _KINDS and _KINDS[by] not in known.kinds.values():
        raise NoSuchGroups(
            "映射里没有说哪一列是社区或网格，不能这样分。请去掉 --by，或改映射后另取名字导入。",
            "The map names no column for this; leave --by out, or import it with another map.",
        )
    told = heard(read.cases)
    missing = lacking(formulas(), told)
    facts = [facts_of(case, formulas()) for case in read.cases]
    found = results(facts, formulas(), known, period, by=by or "", zone=ZONE)
    rows = [_as_heard(one, told) for one in metrics_json(found, known) if one["id"] not in missing]
    if as_json:
        about, figures = _about(log, told), results_json(found)
        print_json(about | figures | {"metrics": rows, "not_computed": _refused(missing)})
        return
    _show_about(log, told)
    show_formulas()
    show_figures(rows)
    _show_refused(_refused(missing))
    _mark()


def _as_heard(row: dict[str, Any], told: Mapping[str, Heard]) -> dict[str, Any]:
    """Without the shares beside a figure that the log tells nothing of."""
    known = had(told, row["process"], formulas())
    figures = [
        one | {"beside": {name: n for name, n in one["beside"].items() if name in known}}
        if one.get("beside") else one
        for one in row["figures"]
    ]  # fmt: skip
    return row | {"figures": figures}


def _refused(missing: Mapping[str, tuple[Lacking, ...]]) -> list[dict[str, str]]:
    names = {one: metric.name for one, metric in METRICS.items()} | {COMPOSITE: "三率综合"}
    return [
        {
            "id": one,
            "name": names[one],
            "reason": "；".join(lack.chinese for lack in lacks),
            "reason_en": "; ".join(lack.english for lack in lacks),
        }
        for one, lacks in missing.items()
    ]


@foreign.command("signals")
@click.argument("name")
@json_option
@click.pass_obj
def signals(shell: Shell, name: str, as_json: bool) -> None:
    """用同一份规则看一份外来日志，找到的不入案 / what our rules find in a foreign log."""
    rules = signal_rules()
    log, read = _opened(shell, name)
    told = heard(read.cases)
    looked = able(rules, told)
    lines = {case.id: [one.line for one in case.happenings] for case in read.cases}
    found = [_signal(one, lines) for one in found_in(read.cases, rules, looked)]
    if as_json:
        print_json(
            _about(log, told)
            | {
                "rules": {"version": rules.version, "sha256": rules.sha256},
                "signals": found,
                "not_computed": [_lacking(one, rules) for one in looked if not one.able],
                "in_part": [_lacking(one, rules) for one in looked if one.able and one.lacking],
            }
        )
        return
    _show_about(log, told)
    click.echo(f"规则第 {rules.version} 版 {rules.sha256} / rules")
    for row in found:
        rule = rules[row["rule"]]
        where = "、".join(map(str, row["lines"]))
        click.echo(f"{rule.id} {rule.name} / {rule.name_en}  {row['case']}  行 / lines {where}")
    click.echo(f"{len(found)} 条，要由人去看 / signals, for people to look into")
    _show_refused([_lacking(one, rules) for one in looked if not one.able])
    click.echo("\n只能看一部分的 / looked for in part, without")
    _show_lacking([_lacking(one, rules) for one in looked if one.able and one.lacking])
    _mark()


def _signal(one: Signal, lines: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """By lines of the file: a foreign log has no entries that could be named."""
    others = [{"case": case, "line": lines[case][seq - 1]} for case, seq in one.others]
    found = [lines[one.case][seq - 1] for seq in one.events]
    return {"rule": one.rule, "case": one.case, "lines": found, "others": others}


def _lacking(one: Able, rules: Rules) -> dict[str, str]:
    return {
        "id": one.rule,
        "name": rules[one.rule].name,
        "reason": "；".join(lack.chinese for lack in one.lacking),
        "reason_en": "; ".join(lack.english for lack in one.lacking),
    }


@foreign.command("conformance")
@click.argument("name")
@json_option
@click.pass_obj
def conformance(shell: Shell, name: str, as_json: bool) -> None:
    """一份外来日志走的路，流程图上有没有 / whether its paths are drawn in our diagrams."""
    log, read = _opened(shell, name)
    told = heard(read.cases)
    with shell.reader.begin() as conn:
        rows = held(conn, read.cases)
    if as_json:
        print_json(_about(log, told) | {"processes": [_fit_json(one) for one in rows]})
        return
    _show_about(log, told)
    for one in rows:
        _show_fit(one)
    _mark()


def _fit_json(one: Held) -> dict[str, Any]:
    if one.fit is None:
        return {"process": one.process, "cases": one.cases, "not_computed": _NOT_DEPLOYED}
    return asdict(one.fit) | {"share": one.fit.share}


_NOT_DEPLOYED: Final = {"chinese": "没有部署这个流程", "english": "no such process is deployed"}


def _show_fit(one: Held) -> None:
    fit = one.fit
    if fit is None:
        words = f"{_NOT_DEPLOYED['chinese']} / {_NOT_DEPLOYED['english']}"
        click.echo(f"\n{one.process or '-'}  {one.cases} 件，算不出 / cannot be computed: {words}")
        return
    click.echo(
        f"\n{one.process}  {fit.fitting}/{fit.cases} 件 / cases  {fit.share / 10:.1f}%  "
        f"{fit.fitting_steps}/{fit.steps} 步 / steps"
    )
    if fit.silent:
        silent = "、".join(_called(one, element) for element in fit.silent)
        click.echo(f"  日志里没有的环节 / steps it never tells: {silent}")
    for wrong in fit.deviations:
        after = _called(one, wrong.after) if wrong.after else "开始 / the beginning"
        click.echo(f"  {wrong.count:>5}  {after} → {_called(one, wrong.element)}")
        click.echo(f"         例 / such as {'、'.join(wrong.examples)}")


def _called(one: Held, element: str) -> str:
    return f"{one.names.get(element, '')}（{element}）"


_KINDS: Final = {"community": "community", "grid": "general_grid"}


def _opened(shell: Shell, name: str) -> tuple[Imported, Read]:
    with shell.reader.begin() as conn:
        return opened(conn, shell.settings.foreign, name)


# --- told as what it is ---------------------------------------------------------------------------

_NOTICES: Final = {"chinese": NOTICE, "english": NOTICE_EN}


def _plain(one: Imported) -> dict[str, Any]:
    return asdict(one) | {"at": timestamp(one.at)}


def _about(log: Imported, told: Mapping[str, Heard]) -> dict[str, Any]:
    steps = sum(one.steps for one in told.values())
    inferred = sum(one.inferred for one in told.values())
    return {
        "notice": _NOTICES,
        "foreign": _plain(log),
        "openings": {"steps": steps, "inferred": inferred},
        "limits": _limits(told.values()),
    }


def _limits(told: Iterable[Heard]) -> dict[str, int]:
    """Of the steps that have a limit anywhere: how many there are, and how many have none."""
    of = [(one, element) for one in told for element in one.limited]
    return {
        "steps": sum(one.rounds[element] for one, element in of),
        "without": sum(one.unlimited[element] for one, element in of),
    }


def _mark() -> None:
    click.echo(f"\n※ {NOTICE} / {NOTICE_EN} ※")


def _show_log(one: Imported) -> None:
    click.echo(f"{one.name}  {timestamp(one.at)}  ※ {NOTICE} / {NOTICE_EN} ※")
    click.echo(f"  文件 / file  {one.file_sha256}")
    click.echo(f"  映射 / map   {one.map_sha256}")
    click.echo(
        f"  {one.cases} 件，{one.events} 个事件；{one.rows} 行里退回 {one.rejected} 行，"
        f"因此不算的 {one.left_out} 件，没有对应的 {one.unmapped} 处"
        " / cases, events; of rows rejected, cases left out for it, not mapped"
    )


def _show_about(log: Imported, told: Mapping[str, Heard]) -> None:
    _mark()
    _show_log(log)
    about = _about(log, told)
    steps, limits = about["openings"], about["limits"]
    click.echo(
        f"  {steps['steps']} 步里有 {steps['inferred']} 步没写什么时候开始，按上一步结束时算"
        " / steps; of so many the opening is taken from the step before"
    )
    click.echo(
        f"  有时限的环节 {limits['steps']} 步，{limits['without']} 步没写，不进按期的指标"
        " / steps with limits; so many without, which no rate by limits counts"
    )


def _show_refused(refused: list[dict[str, str]]) -> None:
    click.echo("\n算不出的 / cannot be computed")
    _show_lacking(refused)


def _show_lacking(rows: list[dict[str, str]]) -> None:
    for one in rows:
        click.echo(f"  {one['name']}（{one['id']}）：{one['reason']} / {one['reason_en']}")
