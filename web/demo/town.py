"""The invented sub-district 听澜街道: its units, its posts and who holds them, its places."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from web.demo.names import MARK

ZONE: Final = ZoneInfo("Asia/Shanghai")
BEGIN: Final = datetime(2025, 11, 1, tzinfo=ZONE)
END: Final = datetime(2026, 10, 31, 18, tzinfo=ZONE)

CITY, DISTRICT, STREET = "u-lanjiang", "u-nanyu", "u-tinglan"
ACCEPTANCE, MUTUAL, ENFORCEMENT = "u-acceptance", "u-mutual", "u-enforcement"
COMMAND: Final = "u-command"
# The log's name when this street stands alone (`shaoji demo`).
ORIGIN: Final = "demo.tinglan.example"
PASSWORD: Final = "tinglan-2026"  # noqa: S105 - announced on purpose, for invented people


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit to be created."""

    id: str
    kind: str
    name: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class Post:
    """A post to be granted; role: how the rest of this package calls whoever holds it."""

    role: str
    unit: str
    title: str
    duties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """A part of the street where hazards turn up; firm: the unit that has to put them right.

    setting: estate, village or site (an exclusive grid). first: number of its first building.
    """

    unit: str
    community: str
    grid: str | None
    estate: str
    setting: str
    firm: str
    first: int = 1


@dataclass(frozen=True, slots=True)
class Town:
    """Everything there is at the beginning of the year, in the order of registration."""

    units: tuple[Unit, ...]
    posts: tuple[Post, ...]
    spots: tuple[Spot, ...]


class Account(NamedTuple):
    """An account of the demonstration: its name, password, the person's name, and what they do."""

    account: str
    password: str
    person: str
    role: str


@dataclass(frozen=True, slots=True)
class Succession:
    """A change of post: whoever holds `role` leaves it, and `successor` takes it over."""

    role: str
    successor: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Leave:
    """An absence with a substitute."""

    role: str
    substitute: str
    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Size:
    """How large a street and how busy a year."""

    grids: int
    micros: int
    firms: int
    sites: int
    hazards: int
    closings: int
    storm: int
    # Beside what docs/demo.md tells of. recused, linked, rated, idle: how often B12, B13, each
    # of three kinds of B15, and B14 are planted among them.
    whistles: int = 0
    complaints: int = 0
    joint: int = 0
    sheets: int = 0
    recused: int = 1
    linked: int = 1
    rated: int = 1
    idle: int = 0


SIZES: Final = {
    "small": Size(
        grids=2, micros=2, firms=5, sites=6, hazards=300, closings=21, storm=12, recused=0, linked=0
    ),
    "full": Size(
        grids=4,
        micros=3,
        firms=9,
        sites=12,
        hazards=900,
        closings=63,
        storm=24,
        recused=0,
        linked=0,
    ),
}

HAZARDS: Final = 6000
WHISTLES, COMPLAINTS, JOINT, SHEETS = 480, 1450, 110, 9000


def scaled(scale: int) -> Size:
    """A year with so many times what a street of this size has."""
    return replace(
        SIZES["full"], hazards=HAZARDS * scale, storm=40, whistles=WHISTLES * scale,
        complaints=COMPLAINTS * scale, joint=JOINT * scale, sheets=SHEETS * scale,
        recused=5 * scale - 1, linked=4 * scale - 1, rated=6 * scale, idle=13 * scale,
    )  # fmt: skip


Block = tuple[str, str, tuple[str, ...]]

COMMUNITIES: Final[tuple[Block, ...]] = (
    ("u-tingtao", "听涛社区", ("听涛苑", "涛声里", "潮音花园", "听涛新村")),
    ("u-yanhe", "沿河社区", ("河畔人家", "柳堤小区", "沿河二村", "沿河路")),
    ("u-wanglan", "望澜社区", ("望澜府", "澜景苑", "澜桥里", "望江街")),
    ("u-songping", "松坪社区", ("松坪一里", "松坪二里", "松涛园", "坪山街")),
    ("u-nanbu", "南埠社区", ("南埠老街", "埠头里", "南岸名苑", "埠口新居")),
    ("u-guanchao", "观潮社区", ("观潮雅苑", "潮头街", "观潮里", "平潮坊")),
    ("u-changting", "长汀社区", ("长汀小区", "汀洲花园", "白沙里", "汀南街")),
)
VILLAGES: Final[tuple[Block, ...]] = (
    ("u-shangyu", "上屿村", ("上屿一组", "上屿二组", "上屿三组", "上屿四组")),
    ("u-xiayu", "下屿村", ("下屿一组", "下屿二组", "下屿三组", "下屿四组")),
)
FIRMS: Final = (
    ("u-lanan", "澜安物业（演示）"),
    ("u-wanghai", "望海物业（演示）"),
    ("u-tingning", "汀宁物业（演示）"),
    ("u-songtao", "松涛物业（演示）"),
    ("u-tinghe", "汀和物业（演示）"),
    ("u-chaosheng", "潮声物业（演示）"),
    ("u-anju", "安居物业（演示）"),
    ("u-baisha", "白沙物业（演示）"),
    ("u-pingan", "平岸物业（演示）"),
)
SITES: Final = (
    ("market", "u-yanhe", "沿河农贸市场"),
    ("school", "u-tingtao", "听涛小学"),
    ("tower", "u-wanglan", "望澜大厦"),
    ("park", "u-songping", "松坪创业园"),
    ("coldstore", "u-nanbu", "南埠冷库"),
    ("mall", "u-guanchao", "观潮商场"),
    ("carehome", "u-changting", "长汀养护院"),
    ("ferry", "u-xiayu", "下屿渡口"),
    ("guesthouses", "u-shangyu", "上屿民宿群"),
    ("college", "u-songping", "松坪中学"),
    ("hotel", "u-guanchao", "观潮宾馆"),
    ("station", "u-nanbu", "南埠客运站"),
)
DEPARTMENTS: Final = (
    ("u-emergency", "南屿区应急管理局"),
    ("u-fire", "南屿区消防救援大队"),
    ("u-housing", "南屿区住房和城乡建设局"),
    ("u-urban", "南屿区城市管理局"),
    ("u-marketwatch", "南屿区市场监督管理局"),
    ("u-police", "南屿区公安分局"),
    ("u-environment", "南屿区生态环境分局"),
    ("u-health", "南屿区卫生健康局"),
    ("u-water", "南屿区水务局"),
    ("u-education", "南屿区教育局"),
    ("u-civil", "南屿区民政局"),
    ("u-transport", "南屿区交通运输局"),
)
UTILITIES: Final = (
    ("u-power", "澜江供电（演示）"),
    ("u-gas", "澜江燃气（演示）"),
    ("u-tapwater", "澜江水务（演示）"),
)
HOTLINE: Final = (
    ("u-hotline", "街道热线办"),
    ("u-inspection", "街道督查核查组"),
    ("u-legal", "听澜司法所"),
    ("u-discipline", "街道纪检监察办"),
)
# Who is told of in docs/demo.md is named by hand; chance names the others.
NAMED: Final = {
    "grid u-tingtao-g1": "王澜",
    "micro u-tingtao-g1-m1": "刘青",
    "head u-tingtao": "周涛",
    "head u-shangyu": "孙屿",
    "grid u-nanbu-g1": "徐勤",
    "review 1": "黄朗",
    "dispatch 1": "李岸",
    "engineer u-lanan": "陈石",
    "accept 1": "林汀",
    "close 1": "何桥",
    "leader 1": "赵远",
    "supervise 1": "郑明",
    "admin 1": "吴港",
    "head u-yanhe": "沈堤",
    "grid u-yanhe-g1": "柳畔",
    "command 1": "程枢",
    "engineer u-fire": "吴焰",
    "engineer u-gas": "郭宁",
    "leader 2": "钱衡",
    "intake 1": "苏听",
    "searcher 1": "骆查",
    "verifier 1": "严实",
    "keeper 1": "沐缄",
    "revisit 1": "温访",
    "discipline 1": "梁正",
}
# role -> account name and what the account is for.
ACCOUNT_OF: Final = {
    "grid u-tingtao-g1": ("grid", "听涛社区听涛苑一般网格长，兼社区设施专干：上报、确认、整改"),
    "head u-tingtao": ("community", "听涛社区总网格长：确认、复查"),
    "review 1": ("review", "街道复看岗：复看、复盘"),
    "dispatch 1": ("dispatch", "街道应急办指派岗：指派、公示、审批暂停"),
    "engineer u-lanan": ("property", "澜安物业工程主管：签收、整改、报进度"),
    "accept 1": ("accept", "街道验收组：验收"),
    "close 1": ("close", "街道平安办：销号"),
    "leader 1": ("leader", "街道分管领导：批方案、裁定异议、审批延期、追认、督办决定"),
    "supervise 1": ("supervise", "街道督查：追溯、催办、督办、重开"),
    "admin 1": ("admin", "系统管理员：单位、人员、岗位、账号；不办案"),
    "grid u-nanbu-g1": ("honest", "南埠社区南埠老街一般网格长：一年里每一步都按时"),
    "head u-shangyu": ("village", "上屿村总网格长：确认、复查，有几件逾期"),
    "head u-yanhe": ("whistle", "沿河社区总网格长：吹哨、出示现场码、评价、接令"),
    "command 1": ("command", "街道指挥调度中心：定部门、定牵头、裁定异议、放行、召集会商"),
    "engineer u-fire": ("fire", "区消防救援大队值班员：签收、报到、办理、看板"),
    "engineer u-gas": ("gas", "澜江燃气（演示）值班员：签收、报到、办理、看板"),
    "grid u-yanhe-g1": ("patrol", "沿河社区河畔人家一般网格长：巡查、零报告"),
    "leader 2": ("director", "街道办事处主任：审核吹哨、发令、会商结论"),
    "intake 1": ("intake", "热线办受理员：受理、代录、答复投诉"),
    "searcher 1": ("investigate", "督查核查组核查员：申明、核查，有一件申请了查看身份"),
    "verifier 1": ("verify", "司法所核实员：核实"),
    "keeper 1": ("custodian", "身份保管员：准或不准查看身份；看不到投诉"),
    "revisit 1": ("revisit", "热线办回访员：回访"),
    "discipline 1": ("discipline", "纪检员：封装移交检举控告、裁定回避"),
}
ACCOUNTS: Final = tuple(
    Account(account, PASSWORD, MARK + NAMED[role], what)
    for role, (account, what) in ACCOUNT_OF.items()
)


def local(year: int, month: int, day: int, hour: int = 9, minute: int = 0) -> datetime:
    """A time of the street's own zone."""
    return datetime(year, month, day, hour, minute, tzinfo=ZONE)


SUCCESSIONS: Final = (
    Succession("head u-wanglan", "head u-wanglan 2", local(2026, 4, 1), "换届后到任"),
    Succession("engineer u-songtao", "engineer u-songtao 2", local(2026, 5, 6), "原主管离职"),
)
# Who patrols in the demonstration; in a year on order everybody does.
PATROLLED: Final = ("u-tingtao-g1", "u-yanhe-g1", "u-wanglan-g1")
LEAVES: Final = (
    Leave(
        "head u-tingtao",
        "grid u-tingtao-g1",
        local(2026, 1, 12, 8),
        local(2026, 1, 24, 8),
        "参加区里集中培训，由听涛苑网格长代理",
    ),
    Leave(
        "dispatch 1",
        "close 2",
        local(2026, 8, 3, 8),
        local(2026, 8, 15, 8),
        "公休假，由平安办代理指派",
    ),
    Leave(
        "works u-shangyu",
        "deputy u-shangyu",
        local(2026, 3, 9, 8),
        local(2026, 3, 21, 8),
        "住院治疗，由副总网格长代理",
    ),
)


def town(size: Size) -> Town:
    """The street of this size; what a larger one has more stands beside, not instead."""
    blocks = [*COMMUNITIES, *VILLAGES]
    grids = [grid for block in blocks for grid in _grids(block, size)]
    units = [*_offices(), *_communities(blocks), *_grid_units(grids, size), *_companies(size)]
    posts = [*_street_posts(), *_community_posts(blocks), *_grid_posts(grids, size)]
    posts += [*_company_posts(size), *_department_posts()]
    # Last: what came later shifts no name and no post of what was there before.
    units.append(Unit(COMMAND, "department", "街道指挥调度中心", STREET))
    posts += _posts_among_cases(blocks)
    if size.sheets:
        walked = [grid.id for grid in grids if grid.id not in PATROLLED]
        posts += [Post(f"grid {id_}", id_, "巡查岗", ("patrol",)) for id_ in walked]
    units += [Unit(id_, "department", name, STREET) for id_, name in HOTLINE]
    posts += _posts_of_the_hotline()
    spots = [*_estates(grids, size), *_sites(size)]
    return Town(tuple(units), tuple(posts), tuple(spots))


@dataclass(frozen=True, slots=True)
class _Grid:
    id: str
    community: str
    estate: str
    firm: str
    village: bool


def _grids(block: Block, size: Size) -> Iterator[_Grid]:
    community, _, estates = block
    village = block in VILLAGES
    number = [*COMMUNITIES, *VILLAGES].index(block)
    count = size.grids // 2 if village else size.grids
    for index, estate in enumerate(estates[:count]):
        firm = community if village else FIRMS[(number + index) % size.firms][0]
        yield _Grid(f"{community}-g{index + 1}", community, estate, firm, village)


def _offices() -> Iterator[Unit]:
    yield Unit(CITY, "city", "澜江市", None)
    yield Unit(DISTRICT, "district", "南屿区", CITY)
    yield Unit(STREET, "street", "听澜街道", DISTRICT)
    yield Unit(ACCEPTANCE, "department", "街道验收组", STREET)
    yield Unit(MUTUAL, "department", "物业行业互查组", STREET)
    yield Unit(ENFORCEMENT, "department", "街道综合行政执法队", STREET)
    for id_, name in DEPARTMENTS:
        yield Unit(id_, "department", name, DISTRICT)
    for id_, name in UTILITIES:
        yield Unit(id_, "company", name, DISTRICT)


def _communities(blocks: list[Block]) -> Iterator[Unit]:
    for id_, name, _ in blocks:
        yield Unit(id_, "community", name, STREET)


def _grid_units(grids: list[_Grid], size: Size) -> Iterator[Unit]:
    for grid in grids:
        yield Unit(grid.id, "general_grid", f"{grid.estate}网格", grid.community)
        for number in range(1, size.micros + 1):
            name = f"{grid.estate}第{'一二三四五'[number - 1]}微网格"
            yield Unit(f"{grid.id}-m{number}", "micro_grid", name, grid.id)
    for key, community, name in SITES[: size.sites]:
        yield Unit(f"u-x-{key}", "exclusive_grid", f"{name}专属网格", community)


def _companies(size: Size) -> Iterator[Unit]:
    for id_, name in FIRMS[: size.firms]:
        yield Unit(id_, "company", name, STREET)
    for key, _, name in SITES[: size.sites]:
        yield Unit(f"u-{key}", "company", f"{name}（演示）", STREET)


def _street_posts() -> Iterator[Post]:
    yield Post("admin 1", STREET, "系统管理员", ("administer",))
    yield Post("admin 2", STREET, "系统管理员（备）", ("administer",))
    yield Post("leader 1", STREET, "分管副主任", ("approve",))
    yield Post("leader 2", STREET, "街道办事处主任", ("approve",))
    yield Post("dispatch 1", STREET, "应急办指派岗", ("dispatch",))
    yield Post("dispatch 2", STREET, "应急办指派岗", ("dispatch",))
    yield Post("review 1", STREET, "复看岗", ("review", "report"))
    yield Post("review 2", STREET, "复看岗", ("review", "report"))
    yield Post("review 3", STREET, "复看岗（兼）", ("review",))
    for number in (1, 2, 3, 4):
        yield Post(f"accept {number}", ACCEPTANCE, "验收员", ("accept",))
    for number in (5, 6):
        yield Post(f"accept {number}", STREET, "重验岗", ("accept",))
    yield Post("close 1", STREET, "平安办销号岗", ("close",))
    yield Post("close 2", STREET, "平安办销号岗", ("close",))
    yield Post("supervise 1", STREET, "督查", ("supervise",))
    yield Post("supervise 2", STREET, "督查", ("supervise",))
    yield Post("enforcer 1", ENFORCEMENT, "执法队员", ("rectify", "report"))
    yield Post("enforcer 2", ENFORCEMENT, "执法队员", ("rectify", "report"))


def _community_posts(blocks: list[Block]) -> Iterator[Post]:
    for id_, _, _ in blocks:
        yield Post(f"head {id_}", id_, "总网格长", ("confirm", "reinspect", "report"))
        yield Post(
            f"deputy {id_}", id_, "副总网格长", ("confirm", "rectify", "reinspect", "report")
        )
        if id_ != "u-tingtao":
            yield Post(f"works {id_}", id_, "设施专干", ("rectify", "report"))


def _grid_posts(grids: list[_Grid], size: Size) -> Iterator[Post]:
    for grid in grids:
        yield Post(f"grid {grid.id}", grid.id, "一般网格长", ("confirm", "report"))
        if grid.id == "u-tingtao-g1":
            # Two posts for one person, as it is in small communities.
            yield Post(f"grid {grid.id}", grid.community, "设施专干", ("rectify",))
        for number in range(1, size.micros + 1):
            unit = f"{grid.id}-m{number}"
            yield Post(f"micro {unit}", unit, "微网格员", ("report",))


def _company_posts(size: Size) -> Iterator[Post]:
    for id_, _ in FIRMS[: size.firms]:
        yield Post(f"engineer {id_}", id_, "工程主管", ("rectify", "report"))
        yield Post(f"fitter {id_}", id_, "工程员", ("rectify",))
    for id_ in ("u-wanghai", "u-tingning"):
        yield Post(f"engineer {id_}", MUTUAL, "行业互查验收员", ("accept",))
    for key, _, _ in SITES[: size.sites]:
        yield Post(f"engineer u-{key}", f"u-{key}", "安全负责人", ("rectify",))
        yield Post(f"engineer u-{key}", f"u-x-{key}", "专属网格长", ("report",))


def _department_posts() -> Iterator[Post]:
    for id_, _ in (*DEPARTMENTS, *UTILITIES):
        yield Post(f"engineer {id_}", id_, "值班员", ("rectify", "report"))


def _posts_of_the_hotline() -> Iterator[Post]:
    """Whoever takes complaints, looks into them, and keeps what is sealed."""
    for number in (1, 2, 3):
        yield Post(f"intake {number}", "u-hotline", "受理员", ("intake",))
    for number in (1, 2):
        yield Post(f"searcher {number}", "u-inspection", "核查员", ("investigate",))
    yield Post("verifier 1", "u-legal", "核实员", ("verify",))
    yield Post("revisit 1", "u-hotline", "回访员", ("revisit",))
    yield Post("publisher 1", "u-hotline", "公开员", ("publish",))
    yield Post("keeper 1", STREET, "身份保管员", ("custody",))
    yield Post("discipline 1", "u-discipline", "纪检员", ("discipline",))


def _posts_among_cases(blocks: list[Block]) -> Iterator[Post]:
    """Whoever blows whistles and comes to them; patrols; gives directives and gets them."""
    yield Post("command 1", COMMAND, "指挥长", ("command",))
    yield Post("command 2", COMMAND, "调度员", ("command",))
    yield Post("district 1", DISTRICT, "区调度员", ("command",))
    yield Post("district 2", DISTRICT, "分管副区长", ("approve",))
    yield Post("leader 2", STREET, "发令岗", ("direct",))
    for id_, _, _ in blocks:
        yield Post(f"head {id_}", id_, "吹哨、接令岗", ("whistle", "receive"))
    for grid in PATROLLED:
        yield Post(f"grid {grid}", grid, "巡查岗", ("patrol",))
    for id_, _ in (*DEPARTMENTS, *UTILITIES):
        yield Post(f"engineer {id_}", id_, "报到岗", ("respond",))
        yield Post(f"deputy {id_}", id_, "副值班员", ("respond",))
        yield Post(f"chief {id_}", id_, "负责人", ("approve",))


def _estates(grids: list[_Grid], size: Size) -> Iterator[Spot]:
    for grid in grids:
        setting = "village" if grid.village else "estate"
        for number in range(size.micros):
            unit = f"{grid.id}-m{number + 1}"
            yield Spot(
                unit, grid.community, grid.id, grid.estate, setting, grid.firm, number * 4 + 1
            )


def _sites(size: Size) -> Iterator[Spot]:
    for key, community, name in SITES[: size.sites]:
        yield Spot(f"u-x-{key}", community, None, name, "site", f"u-{key}")
