"""Helping somebody sign in again from the command line: a lost telephone, a lock-out.

Without `--by` it is done by whoever operates the server, and the log says so: the way out for an
administrator who is the only one.
"""

from collections.abc import Callable
from typing import Any

import click

from engine import factor_keeping
from web import listing
from web.shell import Shell

Act = Callable[..., None]


@click.command("reset-second-factor")
@click.argument("account")
@click.option("--reason", required=True, help="为什么，写进记录 / why; it is recorded")
@click.option("--by", "by_account", help="管理员账号，默认为服务器管理者 / an administrator")
@click.pass_obj
def reset_second_factor(shell: Shell, account: str, reason: str, by_account: str | None) -> None:
    """手机丢了：重设第二步验证，下次登录重新绑定 / a lost telephone: enrol anew."""
    _do(shell, factor_keeping.reset_second_factor, account, reason, by_account)
    click.echo(f"已重设 {account} 的第二步验证，各处登录都已退出 / reset, all sessions ended")


@click.command()
@click.argument("account")
@click.option("--reason", required=True, help="为什么，写进记录 / why; it is recorded")
@click.option("--by", "by_account", help="管理员账号，默认为服务器管理者 / an administrator")
@click.pass_obj
def unlock(shell: Shell, account: str, reason: str, by_account: str | None) -> None:
    """输错 5 次锁住了：马上解除 / let somebody who is locked out try again now."""
    _do(shell, factor_keeping.unlock_account, account, reason, by_account)
    click.echo(f"已解除 {account} 的锁定 / unlocked")


def _do(shell: Shell, act: Act, account: str, reason: str, by_account: str | None) -> Any:
    with shell.engine.begin() as conn:
        by = listing.acting(conn, by_account) if by_account else None
        act(conn, account, reason=reason, by=by, at=shell.now())
