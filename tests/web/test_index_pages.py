"""The index on pages: weights, a month's table, objections, publication, and who sees what."""

import re
from collections.abc import Callable
from html import unescape
from io import BytesIO

import pytest
from flask import Flask

from audit.risk_index.signed import check_adoption, read_adoption
from audit.risk_index.table import figures_hash
from engine.index_register import Edition
from engine.keys import Keys, make_keys, open_keys
from tests.conftest import ORIGIN, Street
from tests.engine.test_index_editions import adopt, file, register
from tests.web.api_client import program
from tests.web.conftest import Visitor
from tests.web.paths import closed
from tests.web.test_metric_pages import counted
from web.config import Settings

Enter = Callable[[str], Visitor]
MARCH = "/index?month=2026-03"
EDITION = "/index/editions/2"


@pytest.fixture
def april(web_street: Street) -> Street:
    """March is over and counted to its end, with a hazard closed in it; weights are in force."""
    closed(web_street)
    web_street.person["clerk"] = web_street.person["admin"]
    adopt(web_street)
    web_street.later(days=33)
    counted(web_street)
    return web_street


@pytest.fixture
def keys(settings: Settings, web_street: Street) -> Keys:
    make_keys(settings.keys, ORIGIN, "听澜街道（演示）", at=web_street.at)
    return open_keys(settings.keys, ORIGIN)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def unit(page: str, id_: str) -> str:
    found = re.search(rf'<article class="index" id="{id_}">(.*?)</article>', page, re.DOTALL)
    assert found, page
    return found[1]


def last(street: Street) -> Edition:
    return list(register(street).editions.values())[-1]


def computed(watch: Visitor, **more: str) -> None:
    told = {"month": "2026-03", "known": "0"} | more
    answer = watch.post("/index/editions", told)
    assert answer.status_code == 303, answer.text


# --- weights --------------------------------------------------------------------------------------


def test_an_administrator_looks_at_what_changes_and_adopts_it_signed(
    signed_in: Enter, april: Street, keys: Keys
) -> None:
    admin = signed_in("admin")
    toml = file(3, **{"households = 1000": "households = 1200", "in_time = 25": "in_time = 30",
                      "overdue = 15": "overdue = 10"})  # fmt: skip
    sent = admin.post("/admin/index-weights/files", {"file": (BytesIO(toml), "w.toml")})
    shown = words(admin.text(sent.location))
    assert "听涛社区 1000 户，城区 → 1200 户，城区" in shown
    assert "块·按期整改 25 → 30" in shown
    assert "条·" not in shown
    told = {"month": "2026-02", "reason": "街道主任办公会通过"}
    assert admin.post(sent.location, told).location == "/admin/index-weights"
    listed = admin.text("/admin/index-weights")
    assert "第 3 版" in listed
    assert "2026-02" in listed
    assert admin.get("/admin/index-weights/3.toml").get_data() == toml
    note, adoption = read_adoption(admin.get("/admin/index-weights/3.note").get_data())
    assert keys.receipt
    assert check_adoption(note, adoption, [keys.receipt.key])
    assert admin.get("/admin/index-weights/9.toml").status_code == 404
    assert admin.get(sent.location).status_code == 404
    april.check()


def test_the_shipped_file_can_be_adopted_and_its_strange_units_are_named(
    signed_in: Enter, web_street: Street, keys: Keys
) -> None:
    admin = signed_in("admin")
    sent = admin.post("/admin/index-weights/files", {"shipped": "1"})
    assert "文件里有本街道没有的单位" in admin.text(sent.location)
    told = {"month": "2026-03", "reason": "先按自带的算"}
    assert admin.post(sent.location, told).status_code == 303
    assert "软件自带的第" not in admin.text("/admin/index-weights")


def test_what_is_no_file_of_weights_or_cannot_be_signed_is_refused(
    signed_in: Enter, april: Street
) -> None:
    admin = signed_in("admin")
    bad = admin.post("/admin/index-weights/files", {"file": (BytesIO(b"?"), "w.toml")})
    assert (bad.status_code, "不能用" in bad.text) == (400, True)
    assert admin.post("/admin/index-weights/files", {}).status_code == 400
    sent = admin.post("/admin/index-weights/files", {"file": (BytesIO(file(3)), "w.toml")})
    answer = admin.post(sent.location, {"month": "2026-03", "reason": "试"})
    assert "shaoji keys init" in answer.text
    assert len(register(april).adopted) == 1
    assert signed_in("watch").get("/admin/index-weights").status_code == 403


# --- a table --------------------------------------------------------------------------------------


def test_the_table_tells_band_interval_and_every_part_with_its_cases(
    signed_in: Enter, april: Street
) -> None:
    watch = signed_in("watch")
    page = watch.text(MARCH)
    assert "试算，不是发布" in page
    own = unit(page, "u-tingtao")
    assert re.search(r'class="band band--(blue|yellow|orange|red)">[蓝黄橙红]<', own)
    assert '<rect class="wilson__span"' in own
    assert "95% 区间" in words(own)
    assert "自查发现 样本不足" in words(own)
    # The hazard found by its own grid worker: 1 of 1; rectified by a company, so not its own.
    assert "1 / 1" in own
    addresses = [unescape(one) for one in re.findall(r'href="([^"]+)"', own)]
    (in_time,) = [one for one in addresses if one.startswith("/metrics/in_time")]
    assert "own=1" in in_time
    assert "没有案件算进这个数" in watch.text(in_time)
    without = watch.text(in_time.replace("&own=1", "").replace("own=1&", ""))
    assert "/cases/hazard-2026-00001" in without
    (found,) = [one for one in addresses if "found_by_others" in one]
    assert "/cases/hazard-2026-00001" in watch.text(found)
    firm = unit(page, "u-property")
    (line,) = [unescape(one) for one in re.findall(r'href="([^"]+)"', firm) if "/in_time" in one]
    assert "own=1" not in line
    assert "/cases/hazard-2026-00001" in watch.text(line)
    assert words(page).index("块：社区") < words(page).index("条：部门")


def test_complaints_lead_to_no_list(signed_in: Enter, april: Street) -> None:
    page = signed_in("watch").text(MARCH)
    assert "/metrics/solved" not in page
    assert "/metrics/found_true" not in page


def test_a_month_that_runs_is_a_trial_and_cannot_become_an_edition(
    signed_in: Enter, april: Street
) -> None:
    watch = signed_in("watch")
    page = watch.text("/index?month=2026-04")
    assert "还没有过完" in page
    assert 'action="/index/editions"' not in page
    answer = watch.post("/index/editions", {"month": "2026-04", "known": "0"})
    assert answer.status_code == 409
    assert 'action="/index/editions"' in watch.text(MARCH)


def test_without_adopted_weights_the_trial_says_so(signed_in: Enter, web_street: Street) -> None:
    closed(web_street)
    web_street.later(days=33)
    counted(web_street)
    page = signed_in("watch").text(MARCH)
    # The shipped file names communities this street does not have: nobody overlooks them all.
    assert "试算" not in page
    assert "还没有发布过" in page


# --- from computing to publishing -----------------------------------------------------------------


def test_an_edition_goes_its_way_on_pages(signed_in: Enter, april: Street) -> None:
    watch, head, grid = signed_in("watch"), signed_in("head"), signed_in("grid")
    computed(watch)
    assert watch.post("/index/editions", {"month": "2026-03", "known": "0"}).status_code == 409
    page = head.text(EDITION)
    assert "代表听涛社区" in page
    # Whoever heads a unit sees the table and no list of cases.
    assert "/metrics/" not in unit(page, "u-tingtao")
    assert grid.get(EDITION).status_code == 403
    assert "还没有发布过" in grid.text("/index")
    told = {"unit": "u-tingtao", "reason": "今年交付了新楼"}
    assert head.post(f"{EDITION}/objections", told).location == EDITION
    assert "提出异议</summary>" not in head.text(EDITION)
    assert "今年交付了新楼" in watch.text(EDITION)
    (seq,) = re.findall(r"/index/objections/(\d+)/answer", watch.text(EDITION))
    wrong = watch.post(f"/index/objections/{seq}/answer", {"ruling": "", "reason": "x"})
    assert wrong.status_code == 400
    ruled = {"ruling": "upheld", "reason": "核过，属实"}
    assert watch.post(f"/index/objections/{seq}/answer", ruled).location == EDITION
    assert "核过，属实" in head.text(EDITION)
    assert "有异议成立" in watch.text(EDITION)
    adopt(april, file(3, **{"households = 1000": "households = 1200"}))
    assert "权重改了，这些月份还是按旧的算的" in watch.text(MARCH)
    computed(watch, known="1", reason="户数更正")
    second = f"/index/editions/{last(april).seq}"
    shown = words(watch.text(second))
    assert "权重从第 2 版到第 3 版" in shown
    assert "超期存量·户数：1000 → 1200" in shown
    assert "没有发布，后来另算了一期" in watch.text(MARCH)
    assert watch.post(f"{second}/publication").status_code == 409
    april.later(days=7)
    watch, grid = signed_in("watch"), signed_in("grid")
    assert watch.post(f"{second}/publication").location == second
    assert "已发布" in grid.text(second)
    assert "以第 2 期为准" in words(grid.text("/index"))
    assert grid.get(EDITION).status_code == 403
    assert grid.get(f"{second}/weights.toml").get_data() == file(
        3, **{"households = 1000": "households = 1200"}
    )
    april.check()


def test_an_edition_that_is_none_is_not_found(signed_in: Enter, april: Street) -> None:
    watch = signed_in("watch")
    for path in (EDITION, f"{EDITION}/weights.toml"):
        assert watch.get(path).status_code == 404
    assert watch.post(f"{EDITION}/publication").status_code == 404


def test_what_a_program_reads_is_what_the_hash_is_of(
    app: Flask, april: Street, signed_in: Enter
) -> None:
    computed(signed_in("watch"))
    watch, grid = (program(app, april, name) for name in ("watch", "grid"))
    told = watch.read("/index/editions/2")
    table = {kind: told[kind] for kind in ("communities", "departments")}
    assert figures_hash(table) == told["edition"]["figures"]
    assert watch.read("/index/editions", query_string={"month": "2026-02"})["items"] == []
    assert grid.read("/index/editions")["items"] == []
    assert grid.get("/index/editions/2").status_code == 403


def test_ranks_stand_on_the_page_only_where_the_street_wants_them(
    signed_in: Enter, april: Street
) -> None:
    computed(signed_in("watch"))
    page = signed_in("watch").text(EDITION)
    assert "不排名，不到人" in page
    assert "档内第" not in page
    adopt(april, file(3, **{"ranking = false": "ranking = true"}))
    page = signed_in("watch").text(MARCH)
    assert "位次只在同一档里" in page
    # One hazard is no ground for a rank.
    assert "档内第" not in page
