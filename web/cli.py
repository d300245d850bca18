"""The command line: what operators and scripts do, over the same functions as the pages.

Whoever may run it may read and write the database file itself; what it does in somebody's name is
therefore recorded with channel "cli" and that account, and asks no password.
"""

import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import DBAPIError

from engine.damage import damage
from engine.database import open_database
from engine.errors import Refusal
from engine.schema import check_schema
from web import (
    cli_backup,
    cli_doctor,
    cli_early_warning,
    cli_evidence,
    cli_foreign,
    cli_hotline,
    cli_index,
    cli_keys,
    cli_metrics,
    cli_mining,
    cli_notices,
    cli_partition,
    cli_photos,
    cli_sign_ins,
    cli_signals,
    cli_spans,
    cli_witness,
    founding,
    listing,
    telemetry,
)
from web.channels import channels
from web.config import MOST_PROCESSES, BadSettings, Settings, read_settings
from web.shell import (
    Shell,
    json_option,
    new_binary_file,
    now_utc,
    print_json,
    progress_bar,
)


class Lines(click.Group):
    """A group whose refusals are sentences and exit status 1, never a traceback."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None:
            cli_spans.note_name(ctx, name, command, rest)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        with cli_spans.told(ctx):
            return self._invoke(ctx)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(f"{refusal.chinese}\n{refusal.english}") from refusal
        except BadSettings as bad:
            raise click.ClickException(str(bad)) from bad
        except DBAPIError as error:
            told = damage(error)
            if told is None:
                raise
            raise click.ClickException(f"{told.chinese}\n{told.english}") from error


@click.group(cls=Lines, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--database", help="SHAOJI_DATABASE_URL 之外另指定数据库 / another database URL")
@click.version_option(package_name="shaoji")
@click.pass_context
def main(ctx: click.Context, database: str | None) -> None:
    """哨迹：可问责的隐患处置流程引擎 / the workflow engine for accountable hazard handling."""
    try:
        settings = read_settings(os.environ)
    except BadSettings as bad:
        if ctx.invoked_subcommand != "doctor":
            raise
        ctx.obj = bad  # the one command that is asked what is wrong
        return
    if ctx.invoked_subcommand != "doctor":
        telemetry.check(settings)
    ctx.obj = Shell(replace(settings, database_url=database) if database else settings)
    ctx.call_on_close(ctx.obj.close)


@main.command()
@click.option("--street", default="本街道", help="街道名称 / name of the street")
@click.option("--administrator", default="admin", help="首个管理员账号 / first account")
@click.option("--name", default="管理员", help="首个管理员姓名 / the first administrator's name")
@json_option
@click.pass_obj
def init(shell: Shell, street: str, administrator: str, name: str, as_json: bool) -> None:
    """建库、发布日历、部署流程、开首个管理员账号 / found a street."""
    engine = open_database(shell.settings.database_url)
    made = founding.found(
        engine, shell.settings.origin, street=street, account=administrator, name=name,
        keys=shell.settings.keys, at=now_utc(),
    )  # fmt: skip
    engine.dispose()
    if as_json:
        print_json(made)
    for sentence in founding.sentences(made) if not as_json else ():
        click.echo(sentence)
    # The first head leaves the house with the street's first events.
    cli_evidence.sign_and_anchor(shell)


@main.command()
@click.option("--port", default=8000, show_default=True)
@click.option("--no-serve", is_flag=True, help="只准备数据 / stop before serving")
@click.option("--small", is_flag=True, help="小数据集 / the quick set")
@click.pass_obj
def demo(shell: Shell, port: int, no_serve: bool, small: bool) -> None:
    """演示街道：准备数据并打开服务 / the demonstration street, served."""
    from web import demonstration

    size = "small" if small else "full"
    settings, built = demonstration.prepare(
        shell.settings, size=size, progress=progress_bar("演示街道 / street")
    )
    prepared = Shell(settings)
    cli_evidence.sign_and_anchor(prepared)
    prepared.close()
    for sentence in demonstration.sentences(settings, built, port):
        click.echo(sentence)
    if not no_serve:
        _serve(shell, settings, "127.0.0.1", port, with_worker=True)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option(
    "--no-worker", is_flag=True, help="时钟由另外的 shaoji worker 记录 / clocks elsewhere"
)
@click.option(
    "--processes",
    type=click.IntRange(1, MOST_PROCESSES),
    help="用几个进程，默认按处理器核数，至多 4 / by default the cores, at most 4",
)
@click.pass_obj
def serve(shell: Shell, host: str, port: int, no_worker: bool, processes: int | None) -> None:
    """打开网页服务 / serve the pages."""
    check_schema(shell.engine)
    settings = replace(shell.settings, processes=processes) if processes else shell.settings
    _serve(shell, settings, host, port, with_worker=not no_worker)


def _serve(shell: Shell, settings: Settings, host: str, port: int, *, with_worker: bool) -> None:
    from web.serving import serve as serve_pages

    shell.close()  # the processes of the server open connections of their own
    shell.stays = True
    status = serve_pages(settings, host, port, with_worker=with_worker)
    if status:
        sys.exit(status)


@main.command()
@click.option("--once", is_flag=True, help="记录到期的时钟后退出 / ring what is due, then stop")
@click.pass_obj
def worker(shell: Shell, once: bool) -> None:
    """到期的时钟、案件间的消息、保存期满的密封内容 / clocks, messages, what is kept long enough."""
    if once:
        _work_once(shell)
    else:
        from web.working import work

        shell.stays = True
        work(shell)


def _work_once(shell: Shell) -> None:
    """Do what is due now, and say how much it was."""
    from engine.delivery import deliver
    from engine.early_warning import raise_warnings
    from engine.flow_months import keep_flows
    from engine.metric_periods import keep_figures
    from engine.photo_copies import make_copies
    from engine.retention import destroy_due
    from engine.signals import look_at_photos, refresh
    from engine.text_search import list_some
    from engine.worker import ring_due
    from web import hazard_publication
    from web.background import LISTED_AT_ONCE
    from web.formulas import formulas
    from web.press import make_waiting
    from web.quantities import ZONE
    from web.signal_rules import signal_rules
    from web.warning_thresholds import thresholds

    recorded, refused = ring_due(shell.engine, at=shell.now(), limit=1_000_000)
    delivered, stuck = deliver(shell.engine, at=shell.now(), vault=shell.vault)
    after = timedelta(days=shell.settings.retention_days)
    destroyed = destroy_due(shell.engine, shell.vault, at=shell.now(), after=after)
    signed = cli_evidence.sign_and_anchor(shell)
    made = make_waiting(shell.engine, shell.settings, clock=shell.now)
    listed = 0
    while more := list_some(shell.engine, LISTED_AT_ONCE):
        listed += more
    copied = make_copies(shell.settings.evidence_dir)
    looked = refresh(shell.engine, signal_rules(), lambda _: None)
    look_at_photos(shell.engine, shell.settings.evidence_dir, signal_rules())
    months = keep_figures(shell.engine, formulas(), zone=ZONE)
    flows = keep_flows(shell.engine, zone=ZONE, at=shell.now())
    published = hazard_publication.keep(shell.engine, shell.now())
    outlets = channels(shell.settings).outlets
    raised = raise_warnings(shell.engine, thresholds(), formulas(), outlets, at=shell.now())
    told, sent, untold = cli_notices.tell_and_send(shell)
    for sentence in (*refused, *stuck, *signed["failed"], *untold):
        click.echo(sentence, err=True)
    click.echo(f"{recorded} 个时钟到时，已记录 / {recorded} clocks recorded")
    click.echo(f"{delivered} 条案件间消息已送达 / {delivered} messages delivered")
    click.echo(f"{destroyed} 份密封内容保存期满，已销毁 / {destroyed} sealed contents destroyed")
    click.echo(f"{made} 份报告 / {made} reports")
    click.echo(f"{listed} 件旧案编入检索 / {listed} older cases listed for searches")
    click.echo(f"{copied} 张照片做好了小图 / copies made of {copied} photos")
    click.echo(f"{looked} 件案子重新找过线索 / {looked} cases looked at for signals")
    click.echo(f"{months} 个月的指标重新算过 / {months} months of metrics counted")
    click.echo(f"{flows} 个月的流程走向重新算过 / {flows} months of how cases went")
    if published:
        click.echo("这个月的公示数字算好了 / what is published this month was worked out")
    click.echo(f"{raised} 条预警 / {raised} early warnings")
    click.echo(f"{told} 条通知，发出 {sent} 条 / {told} notices, {sent} messages sent")
    click.echo(f"{signed['integrated']} 条记录编入树 / {signed['integrated']} taken into the tree")


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--by", "account", help="管理员账号，只有一个时可省 / an administrator's account")
@json_option
@click.pass_obj
def deploy(shell: Shell, folder: Path, account: str | None, as_json: bool) -> None:
    """检查并部署一套流程定义 / check and deploy a folder of BPMN, DMN and forms."""
    from engine.definition_sets import deploy as deploy_set
    from engine.definitions import read_folder

    with shell.engine.begin() as conn:
        by = listing.administrator(conn, account, shell.now())
        done = deploy_set(conn, read_folder(folder), by=by, at=shell.now())
    told = {"key": done.key, "version": done.version, "sha256": done.digest, "new": done.new}
    if as_json:
        print_json(told)
        return
    state = "已部署 / deployed" if done.new else "内容未变 / unchanged"
    click.echo(f"{done.key} 第 {done.version} 版 {state}  {done.digest}")


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@json_option
def lint(files: tuple[Path, ...], as_json: bool) -> None:
    """检查流程定义，不部署 / check definitions without deploying them."""
    findings = [row for path in files for row in listing.lint_path(path)]
    if as_json:
        print_json(findings)
    else:
        for row in findings:
            click.echo(f"{row['file']} [{row['element']}] {row['chinese']}\n    {row['english']}")
        if not findings:
            click.echo("没有发现问题 / nothing found")
    if findings:
        sys.exit(1)


@main.command()
@click.option("--status", help="open 或结束节点 / open, or an end event")
@click.option("--limit", default=10_000, show_default=True)
@json_option
@click.pass_obj
def cases(shell: Shell, status: str | None, limit: int, as_json: bool) -> None:
    """案件清单 / the list of cases."""
    with shell.reader.begin() as conn:
        rows = listing.cases(conn, status=status, limit=limit)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['case']}  {row['number']}  {row['status']}  {row['title']}")


@main.command("case")
@click.argument("case_id")
@json_option
@click.pass_obj
def one_case(shell: Shell, case_id: str, as_json: bool) -> None:
    """一件案子的记录 / the record of one case."""
    with shell.reader.begin() as conn:
        told = listing.one_case(conn, case_id)
    if as_json:
        print_json(told)
        return
    click.echo(f"{told['number']}  {told['title']}  {told['status']}")
    for event in told["events"]:
        actor = event["actor"]
        who = actor.get("person", "engine")
        click.echo(f"  #{event['seq']:<4} {event['at']}  {event['type']:<22} {who}")


@main.command()
@click.argument("account")
@json_option
@click.pass_obj
def inbox(shell: Shell, account: str, as_json: bool) -> None:
    """一个账号的待办 / what an account has to do."""
    with shell.reader.begin() as conn:
        told = listing.inbox(conn, account, shell.now())
    if as_json:
        print_json(told)
        return
    for part, title in (("mine", "我的待办 / mine"), ("claimable", "可认领 / claimable")):
        click.echo(title)
        for row in told[part]:
            click.echo(f"  {row['case']}  {row['task']}  {row['due'] or '-'}  {row['title']}")


@main.command()
@click.pass_obj
def rebuild(shell: Shell) -> None:
    """从记录重建清单和待办 / rebuild register and inbox from the log."""
    from engine.rebuild import rebuild as rebuild_all

    total = listing.stream_count(shell.engine)
    with progress_bar("重建 / rebuild")(total) as step, shell.engine.begin() as conn:
        cases = rebuild_all(conn, lambda _: step(1))
    click.echo(f"已从记录重建 {cases} 件案子 / rebuilt from the log")


@main.group()
def report() -> None:
    """出具报告 / make reports."""


@report.command("case")
@click.argument("case_id")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--by", "account", help="以谁的名义，默认为服务器管理者 / in whose name")
@click.option("--purpose", default="命令行出具", show_default=True, help="用途 / what for")
@json_option
@click.pass_obj
def report_case(
    shell: Shell, case_id: str, output: Path, account: str | None, purpose: str, as_json: bool
) -> None:
    """一件案子的责任报告 PDF / the accountability report of one case."""
    from web.exporting import export_case_report
    from web.press import means

    with shell.reader.begin() as conn:
        by = listing.acting(conn, account) if account else None
    # The file is begun first: nothing is exported on the record that has nowhere to go.
    with new_binary_file(output) as out:
        pdf = export_case_report(
            shell.engine, case_id, by=by, clock=shell.now, purpose=purpose,
            means=means(shell.settings),
        )  # fmt: skip
        out.write(pdf.content)
    if as_json:
        print_json({"file": str(output), "sha256": pdf.sha256, "pages": pdf.pages})
    else:
        click.echo(f"{output}  {pdf.pages} 页  SHA-256 {pdf.sha256}")


@main.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--map", "map_file", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--by", "account", help="以谁的名义，默认为服务器管理者 / in whose name")
@click.option("--unit", help="落在哪个单位，默认为本街道 / the unit the cases belong to")
@click.option(
    "--rejects", type=click.Path(dir_okay=False, path_type=Path), help="退回的行 / rejects"
)
@json_option
@click.pass_obj
def import_cases(
    shell: Shell,
    file: Path,
    map_file: Path,
    account: str | None,
    unit: str | None,
    rejects: Path | None,
    as_json: bool,
) -> None:
    """从别的系统导入案件 / bring in cases from another system."""
    from web.importing import import_file

    reject_file = rejects or file.with_name(f"{file.name}.rejects.csv")
    with shell.reader.begin() as conn:
        by = listing.acting(conn, account) if account else None
    told = import_file(
        shell.engine, file, map_file, reject_file, unit=unit, by=by, now=shell.now,
        progress=progress_bar("导入 / import"),
    )  # fmt: skip
    if as_json:
        print_json(told)
        return
    click.echo(
        f"导入 {told['imported']}，退回 {told['rejected']}，已有 {told['skipped']}"
        f" / imported, rejected, skipped"
    )
    if told["rejected"]:
        click.echo(f"退回的行和原因 / rejected rows and why: {reject_file}")


@main.group()
def user() -> None:
    """账号 / accounts."""


@user.command("add")
@click.argument("account")
@click.option("--name", required=True, help="姓名 / the person's name")
@click.option("--unit", required=True, help="单位编号 / id of the unit")
@click.option("--title", required=True, help="岗位 / title of the post")
@click.option("--duty", "duties", multiple=True, required=True, help="职责，可多个 / duties")
@click.option("--by", "by_account", help="管理员账号，只有一个时可省 / an administrator's account")
@json_option
@click.pass_obj
def user_add(
    shell: Shell,
    account: str,
    name: str,
    unit: str,
    title: str,
    duties: tuple[str, ...],
    by_account: str | None,
    as_json: bool,
) -> None:
    """登记人员、岗位和账号 / register a person with a post and an account."""
    with shell.engine.begin() as conn:
        by = listing.administrator(conn, by_account, shell.now())
        told = founding.add_user(
            conn, account, name=name, unit=unit, title=title, duties=duties, by=by, at=shell.now()
        )
    if as_json:
        print_json(told)
    else:
        click.echo(f"账号 {account}，初始密码 {told['password']}，请本人登录后修改。")


user.add_command(cli_sign_ins.reset_second_factor)
user.add_command(cli_sign_ins.unlock)
main.add_command(cli_backup.backup)
main.add_command(cli_backup.put_back)
main.add_command(cli_doctor.doctor)
main.add_command(cli_evidence.checkpoint)
main.add_command(cli_evidence.verify)
main.add_command(cli_evidence.export)
main.add_command(cli_signals.signals)
main.add_command(cli_signals.scenario)
main.add_command(cli_hotline.vault)
main.add_command(cli_hotline.receivers)
main.add_command(cli_hotline.public)
main.add_command(cli_keys.keys)
main.add_command(cli_foreign.foreign)
main.add_command(cli_metrics.metrics)
main.add_command(cli_index.index)
main.add_command(cli_mining.mining)
main.add_command(cli_notices.notices)
main.add_command(cli_partition.partition)
main.add_command(cli_photos.photos)
main.add_command(cli_early_warning.warnings)
main.add_command(cli_witness.witness)
main.add_command(cli_witness.anchors)
