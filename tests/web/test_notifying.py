"""Notices on the wire: real local servers, retries in the database, nothing lost or blocked."""

import email
import email.policy
import json
import logging
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import update
from standardwebhooks import Webhook, WebhookVerificationError

from engine import notice_choices, notice_queue
from engine.accounts import account_table, create_account, hash_password
from engine.notice_board import tell, try_out
from engine.oversight import urge
from engine.turns import raise_objection
from tests.conftest import Street
from tests.engine.complaint_street import Complaint
from tests.engine.complaint_street import complaint as complaint  # a fixture
from tests.engine.hazard_street import Hazard, hazard
from tests.servers import certificate, hook_server, mail_server
from web import robots
from web.channels import Channels, channels
from web.config import BadSettings, Settings
from web.letters import NotTakenError, Outgoing
from web.notifying import send_waiting

KEY = "k" * 48
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PASSWORD_HASH = hash_password("correct horse battery")
SETTINGS = Settings(KEY, public_url="https://street.example")


@pytest.fixture
def h(street: Street) -> Iterator[Hazard]:
    made = hazard(street)
    settle(street)
    yield made
    street.check()


def settle(street: Street) -> None:
    tell(street.database, Channels().outlets, at=street.at)


def account(street: Street, name: str, locale: str = "zh") -> None:
    told = (name, street.person[name], PASSWORD_HASH)
    street.do(create_account, *told, locale=locale, by=None)


def reachable(street: Street, name: str, channel: str = "mail", locale: str = "zh") -> None:
    """Somebody with an account, and an address that is confirmed."""
    account(street, name, locale)
    person = street.person[name]
    text = f"{name}@example.cn" if channel == "mail" else "000-1234"
    with street.database.begin() as conn:
        if channel == "portal":
            notice_choices.use_portal(conn, person, at=street.at)
            return
        found = notice_choices.set_address(conn, person, channel, text, at=street.at)
        assert notice_choices.confirm(conn, person, channel, found.code, at=street.at)


@contextmanager
def mailing(street: Street) -> Iterator[tuple[Any, Channels]]:
    with mail_server() as mail:
        url = f"smtp://127.0.0.1:{mail.port}"
        yield mail, channels(replace(SETTINGS, mail_url=url, mail_from="shaoji@street.example"))


def secret(folder: Path, text: str = SECRET) -> Path:
    path = folder / "secret.txt"
    path.write_text(text)
    path.chmod(0o600)
    return path


def post(street: Street, made: Channels, channel: str = "mail") -> int:
    """The worker looks once: works out whom to tell, sends what is due."""
    _, stuck = tell(street.database, made.outlets, at=street.at)
    assert not stuck, stuck
    return send_waiting(street.database, made, channel, clock=lambda: street.at)


def letter(raw: bytes) -> Any:
    return email.message_from_bytes(raw, policy=email.policy.default)


def queue(street: Street, *states: str) -> list[Any]:
    with street.database.begin() as conn:
        return list(notice_queue.listed(conn, states or ("waiting", "sending", "sent", "given up")))


# --- e-mail ---------------------------------------------------------------------------------------


def test_a_letter_has_verb_title_place_limit_and_link_and_nothing_else(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.assigned()
    with mailing(h.street) as (mail, made):
        assert post(h.street, made) == 1
    ((sender, receivers, raw),) = mail.letters
    told = letter(raw)
    assert (sender, receivers) == ("<shaoji@street.example>", ["owner@example.cn"])
    assert told["Subject"] == "交给您办：签收 车棚飞线充电"
    assert told["Auto-Submitted"] == "auto-generated"
    assert told["Message-ID"] == f"<{queue(h.street)[0].id}@street.example>"
    lines = told.get_content().strip().splitlines()
    assert lines[0] == "交给您办：签收 车棚飞线充电"
    assert lines[1] == "地点：听涛苑 3 幢"
    assert lines[2].startswith("时限：3月")
    assert lines[3] == f"https://street.example/cases/{h.case}/tasks/sign_in%231"
    assert len(lines) == 4
    for name in ("assigner演示", "confirmer演示", "reporter演示", "演示依据", "现场属实"):
        assert name not in told.get_content()


def test_a_letter_is_in_the_language_of_the_account(h: Hazard) -> None:
    reachable(h.street, "owner", locale="en")
    h.assigned()
    with mailing(h.street) as (mail, made):
        post(h.street, made)
    told = letter(mail.letters[0][2])
    assert told["Subject"].startswith("Handed to you: ")
    assert "Due: " in told.get_content()
    assert told["Content-Language"] == "en"


def test_a_confidential_case_is_told_without_number_title_place_or_link_to_it(
    complaint: Complaint,
) -> None:
    street = complaint.street
    reachable(street, "searcher")
    complaint.report().held("searcher")
    settle(street)
    with mailing(street) as (mail, made):
        # The hour before the limit, as the worker would record it.
        with street.database.begin() as conn:
            from engine.notice_board import _send
            from engine.notice_choices import Choice
            from engine.notices import Notice

            notice = Notice(
                street.person["searcher"], "overdue", complaint.case, "decide#1", 3, street.at
            )
            from engine.notice_board import _row, notice_table

            conn.execute(notice_table.insert(), _row(notice))
            _send(conn, notice, Choice(notice.person), made.outlets, street.at)
        assert post(street, made) == 1
    told = letter(mail.letters[0][2])
    assert told["Subject"] == "您有一件待办，请登录查看"
    lines = told.get_content().strip().splitlines()
    assert lines[0] == "您有一件待办，请登录查看"
    assert all(line.startswith("时限：") for line in lines[1:-1])
    assert lines[-1] == "https://street.example/inbox"
    whole = mail.letters[0][2].decode() + told.get_content()
    for word in (complaint.case, "complaint", "投诉", "u-tingtao", "听涛社区", "decide"):
        assert word not in whole


def test_mail_goes_encrypted_and_signed_in(
    h: Hazard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate(tmp_path)))
    reachable(h.street, "owner")
    h.assigned()
    settle(h.street)
    for tls, scheme in (("starttls", "smtp+starttls"), ("smtps", "smtps")):
        with mail_server(tls, tmp_path) as mail:
            mail.password = "correct"
            told = replace(
                SETTINGS,
                mail_url=f"{scheme}://us%40er@127.0.0.1:{mail.port}",
                mail_from="shaoji@street.example",
                mail_password=secret(tmp_path, "correct"),
            )
            with h.street.database.begin() as conn:
                try_out(conn, h.street.person["owner"], "mail", at=h.street.at)
            assert post(h.street, channels(told)) == 1
        assert mail.encrypted == [True]
        assert mail.users == ["us@er"]


def test_a_mail_server_with_a_certificate_nobody_vouches_for_gets_nothing(
    h: Hazard, tmp_path: Path
) -> None:
    reachable(h.street, "owner")
    h.assigned()
    with mail_server("smtps", tmp_path) as mail:
        url = f"smtps://127.0.0.1:{mail.port}"
        told = replace(SETTINGS, mail_url=url, mail_from="shaoji@street.example")
        assert post(h.street, channels(told)) == 0
    assert mail.letters == []
    assert "SSLCertVerificationError" in queue(h.street)[0].chinese


def test_an_address_the_server_does_not_know_is_given_up_at_once_in_words(
    h: Hazard, caplog: pytest.LogCaptureFixture
) -> None:
    reachable(h.street, "owner")
    h.assigned()
    with mailing(h.street) as (mail, made):
        mail.codes["RCPT"] = "550 no such user"
        post(h.street, made)
    (one,) = queue(h.street)
    assert one.state == "given up"
    assert one.chinese == "邮件服务器不收这个地址（550）"
    assert "已放弃" in caplog.text
    assert "owner@example.cn" not in caplog.text


# --- retries, crashes, many workers ---------------------------------------------------------------


def test_a_channel_that_is_down_is_tried_again_later_and_later_for_a_day(
    h: Hazard, caplog: pytest.LogCaptureFixture
) -> None:
    reachable(h.street, "owner")
    h.assigned()
    with mailing(h.street) as (mail, made):
        mail.codes["MAIL"] = "451 later"
        post(h.street, made)
        # Nobody's act waits for it, and what that gives is tried on its own.
        h.street.do(urge, h.case, "请尽快", by=h.street.by("assigner"))
        waits = []
        while queue(h.street)[0].state == "waiting":
            due = queue(h.street)[0].due
            waits.append(due - h.street.at)
            h.street.at = due
            post(h.street, made)
        assert waits[:5] == [timedelta(minutes=n) for n in (1, 5, 15, 30, 60)]
        assert set(waits[5:]) == {timedelta(hours=1)}
    first = queue(h.street)[0]
    assert first.state == "given up"
    assert h.street.at - first.since >= timedelta(days=1)
    assert first.chinese == "邮件服务器没有收下（451）"
    assert first.id in caplog.text


def test_what_was_given_up_can_be_sent_again_once_the_channel_is_mended(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.assigned()
    with mailing(h.street) as (mail, made):
        mail.codes["RCPT"] = "550 no such user"
        post(h.street, made)
        mail.codes.clear()
        (one,) = queue(h.street)
        with h.street.database.begin() as conn:
            notice_queue.try_again(conn, one.id, at=h.street.at)
        assert post(h.street, made) == 1
        with pytest.raises(notice_queue.NotGivenUp), h.street.database.begin() as conn:
            notice_queue.try_again(conn, one.id, at=h.street.at)
    assert queue(h.street)[0].state == "sent"


def test_a_server_that_dies_after_the_letter_gets_it_again_under_the_same_id(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.assigned()
    with mailing(h.street) as (mail, made):
        mail.die = True
        assert post(h.street, made) == 0
        mail.die = False
        h.street.later(minutes=2)
        assert post(h.street, made) == 1
    ids = [letter(raw)["Message-ID"] for _, _, raw in mail.letters]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_a_worker_that_dies_between_sending_and_marking_loses_nothing(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.assigned()

    class Killed(BaseException):
        """A worker that is no more."""

    with mailing(h.street) as (mail, made):

        def and_die(outgoing: Outgoing) -> None:
            made.senders["mail"](outgoing)
            raise Killed

        dying = replace(made, senders={"mail": and_die})
        tell(h.street.database, made.outlets, at=h.street.at)
        with pytest.raises(Killed):
            send_waiting(h.street.database, dying, "mail", clock=lambda: h.street.at)
        assert queue(h.street)[0].state == "sending"
        assert post(h.street, made) == 0  # its lease still runs
        h.street.later(minutes=3)
        assert post(h.street, made) == 1
        assert post(h.street, made) == 0
    ids = [letter(raw)["Message-ID"] for _, _, raw in mail.letters]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_a_worker_that_lost_its_lease_marks_nothing(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.assigned()
    with mailing(h.street) as (_, made):
        tell(h.street.database, made.outlets, at=h.street.at)
        with h.street.database.begin() as conn:
            slow = notice_queue.claim(conn, "mail", "slow", at=h.street.at)
        h.street.later(minutes=3)
        assert post(h.street, made) == 1
    assert slow
    with pytest.raises(notice_queue.LeaseLost), h.street.database.begin() as conn:
        notice_queue.mark_failed(conn, slow, "slow", ("迟", "late"), at=h.street.at)
    assert queue(h.street)[0].state == "sent"


def test_two_workers_send_each_message_once(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.assigned()
    with h.street.database.begin() as conn:
        for _ in range(12):
            try_out(conn, h.street.person["owner"], "mail", at=h.street.at)
    with mailing(h.street) as (mail, made):
        ready = Barrier(3)
        errors: list[BaseException] = []

        def work() -> None:
            ready.wait()
            try:
                send_waiting(h.street.database, made, "mail", clock=lambda: h.street.at)
            except Exception as error:
                errors.append(error)

        threads = [Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    ids = [letter(raw)["Message-ID"] for _, _, raw in mail.letters]
    assert len(ids) == len(set(ids)) == 12


def test_a_fault_of_ours_is_told_in_words_and_tried_again(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.assigned()

    def broken(outgoing: Outgoing) -> None:
        raise KeyError("secret@example.cn")

    made = Channels({"mail": broken}, {}, "https://street.example")
    assert post(h.street, made) == 0
    (one,) = queue(h.street)
    assert one.state == "waiting"
    assert one.chinese == "程序出错（KeyError），请看服务器日志"


def test_a_step_done_while_its_notice_waited_is_not_written_about(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.assigned()
    with mailing(h.street) as (mail, made):
        tell(h.street.database, made.outlets, at=h.street.at)
        form = {"proposed_unit": "u-heat", "legal_basis": "职责清单", "reason": "归供热"}
        h.act(raise_objection, h.task("sign_in").key, form, by="owner")
        post(h.street, made)
    assert mail.letters == []
    assert [one.state for one in queue(h.street, "needless")] == ["needless"]


def test_an_account_that_is_disabled_or_an_address_that_is_gone_gets_nothing(h: Hazard) -> None:
    reachable(h.street, "owner")
    with mailing(h.street) as (mail, made):
        h.assigned()
        tell(h.street.database, made.outlets, at=h.street.at)
        with h.street.database.begin() as conn:
            conn.execute(update(account_table).values(disabled_at="2026-03-02T00:00:00.000Z"))
        post(h.street, made)
        with h.street.database.begin() as conn:
            conn.execute(update(account_table).values(disabled_at=None))
        h.act(urge, "请尽快", by="assigner")
        tell(h.street.database, made.outlets, at=h.street.at)
        with h.street.database.begin() as conn:
            notice_choices.forget_address(conn, h.street.person["owner"], "mail")
        post(h.street, made)
    assert mail.letters == []
    assert len(queue(h.street, "needless")) == 2


def test_a_digest_is_one_letter_with_a_line_for_each(h: Hazard) -> None:
    reachable(h.street, "owner")
    with h.street.database.begin() as conn:
        notice_choices.choose(
            conn, h.street.person["owner"], posts=(), quiet_from="21:00", quiet_until="07:30",
            digest_at="17:00",
        )  # fmt: skip
    with mailing(h.street) as (mail, made):
        h.assigned()
        assert post(h.street, made) == 0
        h.act(urge, "请尽快", by="assigner")
        assert post(h.street, made) == 0
        h.street.at = queue(h.street)[0].due
        assert post(h.street, made) == 1
    told = letter(mail.letters[0][2])
    assert told["Subject"] == "今天有 2 件事要您知道"
    lines = told.get_content().strip().splitlines()
    assert lines[1].startswith("交给您办：签收 车棚飞线充电 · 地点：听涛苑 3 幢 · 时限：")
    assert lines[2].startswith("催办：签收 车棚飞线充电")
    assert lines[-1] == "https://street.example/inbox"


# --- webhooks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "to"), [("sms", "000-1234"), ("portal", "owner")], ids=["sms", "portal"]
)
def test_a_webhook_is_signed_as_standard_webhooks_verify(
    h: Hazard, tmp_path: Path, channel: str, to: str
) -> None:
    reachable(h.street, "owner", channel)
    h.assigned()
    with hook_server() as hook:
        told = replace(
            SETTINGS, **{f"{channel}_url": hook.url, f"{channel}_secret": secret(tmp_path)}
        )
        made = channels(told)
        tell(h.street.database, made.outlets, at=h.street.at)
        # A receiver refuses what was signed long ago: this attempt is made now.
        assert send_waiting(h.street.database, made, channel, clock=lambda: datetime.now(UTC)) == 1
    ((headers, body),) = hook.told
    payload = Webhook(SECRET).verify(body, headers)
    assert headers["webhook-id"] == queue(h.street)[0].id
    assert payload["type"] == f"shaoji.notice.{channel}"
    assert payload["data"]["to"] == to
    assert payload["data"]["subject"] == "交给您办：签收 车棚飞线充电"
    assert payload["data"]["link"].endswith("/tasks/sign_in%231")
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"owner", b"other") + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + b64encode(b"x" * 24).decode()).verify(body, headers)


def test_the_signature_is_that_of_the_published_vector() -> None:
    """From the specification's reference implementations: id, timestamp, body, signature."""
    at = datetime.fromtimestamp(1614265330, UTC)
    signed = Webhook(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(("status", "state"), [(500, "waiting"), (410, "given up")])
def test_a_receiver_that_does_not_take_it_is_asked_again_unless_it_is_gone(
    h: Hazard, tmp_path: Path, status: int, state: str
) -> None:
    reachable(h.street, "owner", "sms")
    h.assigned()
    with hook_server() as hook:
        hook.status = status
        made = channels(replace(SETTINGS, sms_url=hook.url, sms_secret=secret(tmp_path)))
        assert post(h.street, made, "sms") == 0
    (one,) = queue(h.street)
    assert (one.state, one.chinese) == (state, f"对方没有收下（{status}）")


def test_a_receiver_that_is_not_there_is_named_without_its_address(
    h: Hazard, tmp_path: Path
) -> None:
    reachable(h.street, "owner", "sms")
    h.assigned()
    with hook_server() as hook:
        url = hook.url
    made = channels(replace(SETTINGS, sms_url=url, sms_secret=secret(tmp_path)))
    assert post(h.street, made, "sms") == 0
    assert queue(h.street)[0].chinese == "对方没有回应（ConnectionRefusedError）"


# --- groups ---------------------------------------------------------------------------------------

WECOM = "wecombot://693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa"
DINGTALK = "dingtalk://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"
FEISHU = "feishu://" + "a" * 36


def robot_file(folder: Path, *lines: str) -> Path:
    path = folder / "robots.txt"
    path.write_text("# groups\n" + "\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("address", "plugin", "said"),
    [
        (WECOM, "wecombot.NotifyWeComBot.key", lambda told: told["text"]["content"]),
        (DINGTALK, "dingtalk.NotifyDingTalk.token", lambda told: told["text"]["content"]),
        (FEISHU, "feishu.NotifyFeishu.token", lambda told: told["content"]["text"]),
    ],
    ids=["wecom", "dingtalk", "feishu"],
)
def test_a_groups_robot_is_told_in_its_own_format(
    h: Hazard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    plugin: str,
    said: Callable[[Any], str],
) -> None:
    """apprise knows these services' addresses by heart: only the host is another one here."""
    with hook_server() as hook:
        hook.status = 200
        hook.answer = b'{"errcode": 0, "errmsg": "ok", "code": 0, "StatusCode": 0}'
        service, _, slot = plugin.rpartition(".")
        monkeypatch.setattr(f"apprise.plugins.{service}.notify_url", f"{hook.url}&it={{{slot}}}")
        robots_ = robot_file(tmp_path, f"应急群 u-emergency {address}")
        made = channels(replace(SETTINGS, robots=robots_))
        assert made.outlets.groups == {"应急群": "u-emergency"}
        h.report().do("confirm")
        assert post(h.street, made, "group:应急群") == 1
    told = json.loads(hook.told[0][1])
    assert "可以认领：指派 车棚飞线充电" in said(told)
    assert f"https://street.example/cases/{h.case}/tasks/assign%231" in said(told)


def test_a_robot_that_refuses_is_asked_again(
    h: Hazard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hook_server() as hook:
        hook.status = 500
        monkeypatch.setattr(
            "apprise.plugins.wecombot.NotifyWeComBot.notify_url", hook.url + "&key={key}"
        )
        made = channels(replace(SETTINGS, robots=robot_file(tmp_path, f"群 u-emergency {WECOM}")))
        h.report().do("confirm")
        assert post(h.street, made, "group:群") == 0
    assert queue(h.street)[0].chinese == "群机器人没有收下"


# --- settings -------------------------------------------------------------------------------------


def test_without_channels_nothing_is_sent_and_nothing_waits(h: Hazard) -> None:
    reachable(h.street, "owner")
    h.assigned()
    made = channels(SETTINGS)
    assert made.senders == {}
    tell(h.street.database, made.outlets, at=h.street.at)
    assert queue(h.street) == []


def test_a_robot_without_apprise_is_refused_at_the_start_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(BadSettings, match=r"shaoji\[notify\]"):
        list(robots.robot_senders(robot_file(tmp_path, f"群 u-street {WECOM}")))


@pytest.mark.parametrize("line", ["群 u-street", "群 u-street nonsense://", "群 u-street x y"])
def test_a_line_that_names_no_robot_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadSettings, match="第 2 行"):
        channels(replace(SETTINGS, robots=robot_file(tmp_path, line)))


def test_a_channel_that_is_half_configured_is_refused_in_words(tmp_path: Path) -> None:
    mail = replace(SETTINGS, mail_url="smtps://us@mail.example:465")
    with pytest.raises(BadSettings, match="SHAOJI_MAIL_FROM"):
        channels(mail)
    with pytest.raises(BadSettings, match="SHAOJI_MAIL_PASSWORD"):
        channels(replace(mail, mail_from="a@b.example"))
    with pytest.raises(BadSettings, match="SHAOJI_SMS_SECRET"):
        channels(replace(SETTINGS, sms_url="https://sms.example"))
    good = replace(SETTINGS, sms_url="https://sms.example", sms_secret=secret(tmp_path))
    with pytest.raises(BadSettings, match="SHAOJI_PUBLIC_URL"):
        channels(replace(good, public_url=""))
    channels(good)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "这不是密钥"])
def test_a_webhook_secret_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    told = replace(SETTINGS, sms_url="https://sms.example", sms_secret=secret(tmp_path, text))
    with pytest.raises(BadSettings, match="whsec_"):
        channels(told)


def test_secrets_that_others_can_read_or_that_are_not_there_are_refused(tmp_path: Path) -> None:
    path = secret(tmp_path)
    path.chmod(0o644)
    told = replace(SETTINGS, sms_url="https://sms.example", sms_secret=path)
    with pytest.raises(BadSettings, match="chmod 600"):
        channels(told)
    path.unlink()
    with pytest.raises(BadSettings, match="FileNotFoundError"):
        channels(told)


def test_no_secret_gets_into_the_log_file(
    h: Hazard, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reachable(h.street, "owner", "sms")
    h.assigned()
    with hook_server() as hook:
        hook.status = 410
        made = channels(replace(SETTINGS, sms_url=hook.url, sms_secret=secret(tmp_path)))
        post(h.street, made, "sms")
    assert "given up" in caplog.text
    for word in (SECRET, SECRET[6:], hook.url, "000-1234", "车棚飞线充电"):
        assert word not in caplog.text


def test_not_taken_says_why_in_both_languages() -> None:
    error = NotTakenError("没有收下", "not taken")
    assert error.why == ("没有收下", "not taken")
    assert not error.for_good
