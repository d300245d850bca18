"""The pages of notices: what one was told, what one chooses; the calendar; the administrator."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from icalendar import Calendar

from engine import notice_board, notice_choices, notice_queue
from engine.holding import claim_task, reassign_task
from engine.inbox import held_by
from engine.people import directory
from tests.conftest import Street
from tests.servers import mail_server
from tests.web.conftest import KEY, Visitor
from tests.web.test_notifying import letter
from web.app import create_app
from web.channels import channels
from web.cli import main
from web.config import BadSettings, Settings, read_settings
from web.demonstration import _tell_of_last_days
from web.notifying import send_waiting

SignIn = Callable[[str], Visitor]
TITLE = "车棚飞线充电，从三楼拉下来六根电线，充电器放在木板上，旁边堆着纸箱和旧沙发，居民反映多次"


@pytest.fixture
def settings(web_street: Street, tmp_path: Path) -> Settings:
    return Settings(
        secret_key=KEY,
        database_url=str(web_street.database.url),
        evidence_dir=tmp_path / "evidence",
        cookie_secure=False,
        public_url="https://street.example",
        mail_url="smtp://127.0.0.1:9",
        mail_from="shaoji@street.example",
    )


def post(street: Street) -> None:
    _, stuck = notice_board.tell(street.database, channels(Settings(KEY)).outlets, at=street.at)
    assert not stuck


@pytest.fixture
def case(web_street: Street) -> str:
    """A case whose first step is in the hands of `head`, given by `dispatch`."""
    made = handed_over(web_street, TITLE)
    post(web_street)
    return made


def handed_over(street: Street, title: str) -> str:
    form = {"title": title, "category": "charging", "address": "听涛苑 3 幢",
            "description": "有人从楼上拉线充电"}  # fmt: skip
    made = street.report("hazard", title=title, category="charging", form=form)
    street.do(claim_task, made, "confirm#1", by=street.by("head2"))
    head, by = street.person["head"], street.by("dispatch")
    street.do(reassign_task, made, "confirm#1", head, "出差", by=by)
    return made


# --- one's own page -------------------------------------------------------------------------------


def test_what_one_was_told_is_listed_with_a_link_to_the_step(signed_in: SignIn, case: str) -> None:
    page = signed_in("head").text("/me/notices")
    assert f"交给您办：确认 {TITLE}" in page
    assert f'href="/cases/{case}/tasks/confirm%231"' in page
    assert "还没有通知" in signed_in("head2").text("/me/notices")


def test_ones_own_page_leads_to_notices(signed_in: SignIn) -> None:
    assert 'href="/me/notices"' in signed_in("grid").text("/me")


def test_notices_are_for_whoever_is_signed_in(visitor: Visitor) -> None:
    for path in ("/me/notices", "/admin/notices"):
        assert "/sign-in" in visitor.get(path).headers["Location"]


def test_choices_are_kept_and_only_ones_own_posts_can_be_chosen(
    signed_in: SignIn, web_street: Street
) -> None:
    head = signed_in("head")
    with web_street.database.begin() as conn:
        mine = directory(conn).posts_of(web_street.person["head"], web_street.at)[0].id
        other = directory(conn).posts_of(web_street.person["watch"], web_street.at)[0].id
    told = {"post": [mine, other], "quiet_from": "22:00", "quiet_until": "6：30",
            "how": "digest", "digest_at": "8:05"}  # fmt: skip
    assert head.post("/me/notices", told).status_code == 303
    with web_street.database.begin() as conn:
        kept = notice_choices.read_choice(conn, web_street.person["head"])
    assert kept.posts == {mine}
    assert (kept.quiet_from, kept.quiet_until, kept.digest_at) == ("22:00", "06:30", "08:05")
    page = head.text("/me/notices")
    assert 'value="22:00"' in page
    assert re.search(rf'value="{mine}" checked', page)


@pytest.mark.parametrize("clock", ["", "25:00", "9", "12:60", "noon"])
def test_a_time_that_is_none_is_refused_and_nothing_saved(
    signed_in: SignIn, web_street: Street, clock: str
) -> None:
    answer = signed_in("head").post("/me/notices", {"quiet_from": clock, "quiet_until": "07:30"})
    assert "21:00" in answer.text
    assert answer.status_code in (400, 409, 422)
    with web_street.database.begin() as conn:
        kept = notice_choices.read_choice(conn, web_street.person["head"])
    assert kept.quiet_from == "21:00"


def test_an_address_is_used_once_the_code_that_was_sent_there_comes_back(
    signed_in: SignIn, web_street: Street, settings: Settings
) -> None:
    head = signed_in("head")
    head.post("/me/notices/mail/address", {"address": "head@example.cn"})
    page = head.text("/me/notices")
    assert "还没确认" in page
    assert "h…@example.cn" in page
    assert "head@example.cn" not in page
    with mail_server() as mail:
        told = replace(settings, mail_url=f"smtp://127.0.0.1:{mail.port}")
        assert send_waiting(
            web_street.database, channels(told), "mail", clock=lambda: web_street.at
        )
    sent = letter(mail.letters[0][2])
    code = re.search(r"\d{6}", sent["Subject"])
    assert code
    wrong = f"{(int(code[0]) + 1) % 10**6:06d}"
    assert "确认码不对" in head.post("/me/notices/mail/confirmation", {"code": wrong}).text
    assert "还没确认" in head.text("/me/notices")
    head.post("/me/notices/mail/confirmation", {"code": code[0]})
    assert "已确认" in head.text("/me/notices")


def test_a_code_cannot_be_guessed_nor_used_late_nor_asked_for_at_once(
    signed_in: SignIn, web_street: Street
) -> None:
    head = signed_in("head")
    person = web_street.person["head"]

    def code() -> str:
        with web_street.database.begin() as conn:
            return notice_choices.addresses(conn, person)["mail"].code

    head.post("/me/notices/mail/address", {"address": "head@example.cn"})
    right = code()
    again = head.post("/me/notices/mail/address", {"address": "head@example.cn"})
    assert "等一分钟" in again.text
    for n in range(notice_choices.CODE_TRIES):
        head.post("/me/notices/mail/confirmation", {"code": f"{(int(right) + 1 + n) % 10**6:06d}"})
    assert "确认码不对" in head.post("/me/notices/mail/confirmation", {"code": right}).text
    web_street.later(minutes=2)
    head.post("/me/notices/mail/address", {"address": "head@example.cn"})
    fresh = code()
    web_street.later(minutes=61)
    assert "确认码不对" in head.post("/me/notices/mail/confirmation", {"code": fresh}).text


@pytest.mark.parametrize("address", ["", "head", "head@", "a b@c.cn", "x@y.cn\r\nBcc: z@y.cn"])
def test_an_address_that_is_none_is_refused_in_words(signed_in: SignIn, address: str) -> None:
    answer = signed_in("head").post("/me/notices/mail/address", {"address": address})
    assert "邮箱地址不对" in answer.text


def test_a_channel_that_is_not_configured_takes_no_address_and_no_test(signed_in: SignIn) -> None:
    head = signed_in("head")
    for path in ("/me/notices/sms/address", "/me/notices/nonsense/test"):
        answer = head.post(path, {"address": "000-1234"})
        assert "没有配置这个渠道" in answer.text


def test_a_test_needs_a_confirmed_address(signed_in: SignIn, web_street: Street) -> None:
    head = signed_in("head")
    assert "先填写并确认" in head.post("/me/notices/mail/test").text
    confirm(web_street, "head")
    head.post("/me/notices/mail/test")
    with web_street.database.begin() as conn:
        assert [one.kind for one in notice_queue.listed(conn, ["waiting"])] == ["test"]


def test_a_deleted_address_is_kept_nowhere(signed_in: SignIn, web_street: Street) -> None:
    confirm(web_street, "head")
    signed_in("head").post("/me/notices/mail/removal")
    with web_street.database.begin() as conn:
        assert notice_choices.addresses(conn, web_street.person["head"]) == {}


def confirm(street: Street, name: str) -> None:
    with street.database.begin() as conn:
        person = street.person[name]
        found = notice_choices.set_address(conn, person, "mail", "x@example.cn", at=street.at)
        assert notice_choices.confirm(conn, person, "mail", found.code, at=street.at)


def test_a_page_without_channels_says_that_nothing_is_sent(
    web_street: Street, settings: Settings, tmp_path: Path
) -> None:
    for demo, words in ((True, "这是演示"), (False, "还没有配置邮件")):
        told = replace(settings, mail_url="", mail_from="", demo=demo)
        made = create_app(told, clock=lambda: web_street.at)
        who = Visitor(made.test_client())
        who.sign_in("head")
        assert words in who.text("/me/notices")
        made.extensions["shaoji"].database.dispose()


# --- the calendar ---------------------------------------------------------------------------------


def feed_of(who: Visitor) -> str:
    page = who.post("/me/notices/calendar").text
    found = re.search(r"https://street\.example(/calendar/[\w-]+\.ics)", page)
    assert found
    return found[1]


def test_the_feed_is_read_back_by_a_calendar_with_limit_alarm_and_link(
    signed_in: SignIn, visitor: Visitor, web_street: Street, case: str
) -> None:
    answer = visitor.get(feed_of(signed_in("head")))
    assert answer.content_type == "text/calendar; charset=utf-8"
    read = Calendar.from_ical(answer.data)
    (event,) = read.walk("VEVENT")
    with web_street.database.begin() as conn:
        (row,) = held_by(conn, web_street.person["head"])
    assert event["dtend"].dt == row.due
    assert event["dtstart"].dt == row.due - timedelta(minutes=30)
    assert str(event["summary"]) == f"确认 {TITLE} 到时"
    assert str(event["location"]) == "听涛苑 3 幢"
    assert event["url"] == f"https://street.example/cases/{case}/tasks/confirm%231"
    assert [alarm["trigger"].dt for alarm in event.walk("VALARM")] == [
        timedelta(days=-1), timedelta(hours=-1),
    ]  # fmt: skip
    assert case not in str(event["uid"])
    assert "Set-Cookie" not in answer.headers


def test_the_same_as_tasks_has_due(signed_in: SignIn, visitor: Visitor, case: str) -> None:
    path = feed_of(signed_in("head")).replace(".ics", "/tasks.ics")
    (todo,) = Calendar.from_ical(visitor.get(path).data).walk("VTODO")
    assert todo["due"].dt
    assert todo["status"] == "NEEDS-ACTION"
    assert "dtstart" not in todo


def test_no_line_is_longer_than_75_octets_and_none_is_cut_inside_a_character(
    signed_in: SignIn, visitor: Visitor, case: str
) -> None:
    data = visitor.get(feed_of(signed_in("head"))).data
    assert data.endswith(b"\r\n")
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert any(line.startswith(b" ") for line in lines)  # folded at all
    for line in lines:
        line.decode("utf-8")
    unfolded = data.replace(b"\r\n ", b"").decode()
    # In TEXT a comma is escaped (RFC 5545 §3.3.11); ours are full-width, which are not.
    assert f"SUMMARY:确认 {TITLE} 到时\r\n" in unfolded
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_a_feed_that_has_not_changed_is_not_sent_again(
    signed_in: SignIn, visitor: Visitor, web_street: Street, case: str
) -> None:
    path = feed_of(signed_in("head"))
    first = visitor.get(path)
    assert first.headers["Cache-Control"] == "private, max-age=900"
    web_street.later(minutes=10)
    again = visitor.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""
    with web_street.database.begin() as conn:
        reassign_task(
            conn, case, "confirm#1", web_street.person["head2"], "回来了",
            by=web_street.by("dispatch"), at=web_street.at,
        )  # fmt: skip
    changed = visitor.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert Calendar.from_ical(changed.data).walk("VEVENT") == []


def test_a_renewed_address_ends_the_one_before(signed_in: SignIn, visitor: Visitor) -> None:
    head = signed_in("head")
    old = feed_of(head)
    new = feed_of(head)
    assert visitor.get(old).status_code == 404
    assert "重新生成" in visitor.get(old).text
    assert visitor.get(new).status_code == 200
    head.post("/me/notices/calendar/removal")
    assert visitor.get(new).status_code == 404


def test_the_secret_of_a_feed_is_kept_as_a_hash_and_shown_once(
    signed_in: SignIn, web_street: Street
) -> None:
    head = signed_in("head")
    token = feed_of(head).split("/")[-1].removesuffix(".ics")
    assert token not in head.text("/me/notices")
    with web_street.database.begin() as conn:
        dumped = "".join(str(row) for row in conn.exec_driver_sql("SELECT * FROM calendar_feed"))
    assert token not in dumped


def test_nobody_guesses_a_feed_and_a_disabled_account_has_none(
    signed_in: SignIn, visitor: Visitor, web_street: Street
) -> None:
    assert visitor.get("/calendar/guess.ics").status_code == 404
    path = feed_of(signed_in("head"))
    with web_street.database.begin() as conn:
        conn.exec_driver_sql("UPDATE account SET disabled_at = '2026-03-02T00:00:00.000Z'")
    assert visitor.get(path).status_code == 404


# --- the administrator ----------------------------------------------------------------------------


def test_the_administrator_sees_what_failed_and_why_and_sends_it_again(
    signed_in: SignIn, web_street: Street, settings: Settings
) -> None:
    confirm(web_street, "head")
    with web_street.database.begin() as conn:
        notice_board.try_out(conn, web_street.person["head"], "mail", at=web_street.at)
    with mail_server() as mail:
        mail.codes["RCPT"] = "550 no"
        told = replace(settings, mail_url=f"smtp://127.0.0.1:{mail.port}")
        send_waiting(web_street.database, channels(told), "mail", clock=lambda: web_street.at)
    admin = signed_in("admin")
    page = admin.text("/admin/notices")
    assert "邮件服务器不收这个地址（550）" in page
    assert "head演示" in page
    assert "x@example.cn" not in page
    retry = re.search(r'action="(/admin/notices/[^"]+/retry)"', page)
    assert retry
    assert admin.post(retry[1]).status_code == 303
    assert "没有没发成的" in admin.text("/admin/notices")
    assert "刚被重新发送" in admin.post(retry[1]).text


def test_nobody_but_an_administrator_sees_how_notices_are_sent(signed_in: SignIn) -> None:
    for who in ("head", "watch"):
        assert "只有管理员" in signed_in(who).get("/admin/notices").text
    assert signed_in("head").post("/admin/notices/msg_x/retry").status_code == 403


# --- command line and settings --------------------------------------------------------------------


def run(settings: Settings, *arguments: str, **environ: str) -> Any:
    env = {
        "SHAOJI_DATABASE_URL": settings.database_url,
        "SHAOJI_SECRET_KEY": KEY,
        "SHAOJI_PUBLIC_URL": "https://street.example",
        **environ,
    }
    return CliRunner().invoke(main, list(arguments), env=env)


def test_the_command_line_lists_what_failed_and_tries_a_channel(
    app: Flask, web_street: Street, settings: Settings, case: str
) -> None:
    confirm(web_street, "head")
    with mail_server() as mail:
        told = {
            "SHAOJI_MAIL_URL": f"smtp://127.0.0.1:{mail.port}",
            "SHAOJI_MAIL_FROM": "shaoji@street.example",
        }
        done = run(settings, "notices", "test", "head", "--json", **told)
        assert done.exit_code == 0, done.output
        assert '"state": "sent"' in done.output
        mail.codes["RCPT"] = "550 no"
        assert "given up" in run(settings, "notices", "test", "head", **told).output
    assert len(mail.letters) == 1
    listed = run(settings, "notices", **told)
    assert "550" in listed.output
    machine = run(settings, "notices", "--json", **told)
    assert '"troubled"' in machine.output


def test_trying_a_channel_nobody_can_be_reached_by_is_refused(
    app: Flask, settings: Settings
) -> None:
    done = run(settings, "notices", "test", "head")
    assert done.exit_code == 1
    assert "没有可试的渠道" in done.output


def test_the_worker_once_tells_and_sends(
    app: Flask, web_street: Street, settings: Settings
) -> None:
    done = run(settings, "worker", "--once")
    assert done.exit_code == 0, done.output
    assert "notices" in done.output


def test_a_server_with_a_channel_that_is_half_configured_does_not_start(
    app: Flask, settings: Settings
) -> None:
    done = run(settings, "serve", SHAOJI_MAIL_URL="smtps://mail.example")
    assert done.exit_code == 1
    assert "SHAOJI_MAIL_FROM" in done.output


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "street.example"),
        ("PUBLIC_URL", "https://street.example/?a=b"),
        ("MAIL_URL", "smtp://mail.example:25"),
        ("MAIL_URL", "smtps://user:password@mail.example"),
        ("MAIL_URL", "https://mail.example"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@b.example\r\nBcc: c@d.example"),
        ("SMS_URL", "http://sms.example"),
        ("PORTAL_URL", "ftp://portal.example"),
        ("ROBOTS", ""),
    ],
)
def test_a_setting_of_a_channel_that_cannot_be_used_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name) as refused:
        read_settings({f"SHAOJI_{name}": value, "SHAOJI_SECRET_KEY": KEY})
    assert "password@" not in str(refused.value)


def test_the_demonstration_tells_of_its_last_days_alone(web_street: Street) -> None:
    handed_over(web_street, "旧事")
    web_street.later(days=30)
    new = handed_over(web_street, "新事")
    _tell_of_last_days(web_street.database)
    with web_street.database.begin() as conn:
        told = notice_board.notices_of(conn, web_street.person["head"])
    assert {one.case for one in told} == {new}
