"""What is found, in the words of those who find it, and how often in which month."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Matter:
    """One kind of finding: title (behind the place), what was seen, on what, and what was done.

    only: the settings it belongs to (web.demo.town.Spot), "" for all.
    """

    what: str
    seen: str
    thing: str
    done: str
    only: str = ""


CHARGING = (
    Matter(
        "有人从楼上拉线充电",
        "从二楼窗口拉下插线板给电动车充电，线上没有漏电保护。",
        "窗口到车位的私拉电线",
        "拆除私拉电线，收走插线板，在楼道口张贴告示。",
        only="estate",
    ),
    Matter(
        "楼道里停电动车过夜充电",
        "一楼楼道停了三辆电动车，其中一辆正在充电，楼道门关着。",
        "一楼楼道内的电动车",
        "车辆全部移到车棚，楼道插座断电封闭。",
        only="estate",
    ),
    Matter(
        "车棚充电口外壳破损",
        "车棚里两个充电口外壳裂开，能看到铜片。",
        "车棚充电口",
        "更换充电口两个，逐个试过漏电保护。",
    ),
    Matter(
        "门口拉线给三轮车充电",
        "从门里拉出一根插线板，给货运三轮车充电，电线在地上拖着。",
        "门口的插线板",
        "收走插线板，改到集中充电点。",
    ),
    Matter(
        "地下车库飞线充电",
        "车库角落从照明线接出一根插线板，给电动三轮车充电。",
        "地下车库照明回路的接线",
        "拆除接线，恢复照明回路，角落改为禁停区。",
        only="estate",
    ),
)
CORRIDOR = (
    Matter(
        "楼道堆放纸箱，挡住消防栓",
        "楼道转角堆了半人高的纸箱，消防栓门打不开。",
        "楼道转角的纸箱",
        "与住户一起清走纸箱，消防栓门试开两次。",
    ),
    Matter(
        "疏散门前堆放旧家具",
        "疏散门前放着旧沙发和木板，门只能开一半。",
        "疏散门前的旧家具",
        "旧家具清运，疏散门能全开。",
    ),
    Matter(
        "楼梯间放煤气罐和杂物",
        "楼梯间平台上有一个旧煤气罐和几袋杂物。",
        "楼梯间平台",
        "煤气罐交专业公司回收，杂物清走。",
    ),
    Matter(
        "屋顶平台通道被花架挡住",
        "上屋顶的通道摆满花架，人要侧身才能过。",
        "屋顶通道",
        "花架移到不挡路的一侧，通道净宽量过。",
    ),
)
FIRE_EQUIPMENT = (
    Matter(
        "灭火器压力不足、过期",
        "四具灭火器指针都在红区，检验日期已过。",
        "公共部位灭火器",
        "更换灭火器四具，逐具登记日期。",
    ),
    Matter(
        "消火栓没有水",
        "打开消火栓没有水，水带接口生锈。",
        "室内消火栓",
        "检修阀门，试水正常，接口换新。",
    ),
    Matter(
        "应急灯不亮",
        "断电试了一下，三盏应急灯都不亮。",
        "楼梯间应急灯",
        "更换应急灯三盏，断电试过。",
    ),
    Matter(
        "常闭防火门被砖头顶开",
        "防火门用砖头顶着，闭门器已坏。",
        "楼层防火门",
        "更换闭门器，搬走砖头，试关三次。",
    ),
)
FIRE_LANE = (
    Matter(
        "消防车通道停满车",
        "登高场地上停了六辆车，消防车进不来。",
        "消防车通道",
        "劝离车辆，重新划线，装禁停牌。",
    ),
    Matter(
        "消防通道口新装石墩",
        "通道口装了三个固定石墩，间距不到两米。",
        "通道口石墩",
        "石墩拆除，改装可移动的柱子。",
    ),
    Matter(
        "通道上搭了遮阳棚", "消防通道上空搭了遮阳棚，净高不够。", "通道上空的遮阳棚", "遮阳棚拆除。"
    ),
)
ELECTRICITY = (
    Matter(
        "配电箱没有门，线头外露",
        "公共配电箱箱门掉了，线头露在外面，小孩够得着。",
        "公共配电箱",
        "装好箱门并上锁，线头包扎，漏保试过。",
    ),
    Matter(
        "出租房线路老化，插线板发烫",
        "群租房里一个插线板带了五个电器，摸上去发烫。",
        "出租房室内线路",
        "更换老化线路，加装漏电保护，拆除插线板。",
        only="estate village",
    ),
    Matter(
        "老屋电线老化",
        "电线外皮开裂，用胶布缠着，下面是木梁。",
        "老屋照明线路",
        "照明线路整体换新并穿管。",
        only="village",
    ),
    Matter(
        "路灯杆漏电",
        "雨后有人碰到路灯杆发麻，灯杆检修口敞着。",
        "路灯杆",
        "修复绝缘，检修口封闭，测过电。",
        only="estate village",
    ),
)
GAS = (
    Matter(
        "燃气软管老化开裂",
        "灶具软管有裂纹，用肥皂水试有小气泡，已关阀。",
        "厨房燃气软管",
        "更换金属软管，检漏合格。",
    ),
    Matter(
        "没有装燃气报警器",
        "后厨用瓶装气，没有报警器，气瓶放在灶边。",
        "后厨用气",
        "装报警器，气瓶移到室外间，检测合格。",
        only="site",
    ),
    Matter(
        "楼道里有燃气味",
        "二楼楼道能闻到燃气味，找到表前阀渗漏。",
        "表前阀",
        "更换阀门，检漏合格。",
        only="estate",
    ),
)
FALLING = (
    Matter(
        "外墙瓷砖空鼓脱落",
        "北面外墙掉下两块瓷砖，下面是人行道。",
        "北面外墙",
        "敲除空鼓瓷砖，围挡，挂防护网。",
    ),
    Matter("广告牌松动", "门头广告牌一角翘起，风大时晃动。", "门头广告牌", "拆除旧牌，重新固定。"),
    Matter(
        "阳台外摆花盆",
        "五楼阳台外沿放了七盆花，没有护栏。",
        "阳台外沿花盆",
        "花盆搬进阳台，告知住户。",
        only="estate",
    ),
)
ROAD = (
    Matter("井盖破损", "井盖裂成两半，有一角悬空。", "雨水井盖", "更换井盖，装防坠网。"),
    Matter(
        "路面塌陷", "路面塌下去一块，约半米宽，下面是空的。", "路面", "围挡，回填压实，恢复路面。"
    ),
    Matter(
        "下水口堵住积水",
        "下雨后积水没过脚面，下水口被落叶和泥堵住。",
        "下水口",
        "清掏下水口，疏通十二米。",
    ),
)
ILLEGAL = (
    Matter(
        "一楼院子搭建砖房",
        "院子里新砌了一间砖房，挡住后窗和逃生路。",
        "院内砖房",
        "砖房拆除，清运建筑垃圾。",
    ),
    Matter(
        "屋顶加盖彩钢房",
        "屋顶加盖了彩钢房，里面住人，夹芯是泡沫。",
        "屋顶彩钢房",
        "人员搬出，彩钢房拆除。",
    ),
    Matter(
        "通道上违规设摊棚",
        "通道一侧搭了铁皮摊棚，占去一半路面。",
        "铁皮摊棚",
        "摊棚拆除，恢复通道。",
    ),
)
FACILITY = (
    Matter(
        "健身器材螺栓外露",
        "健身器材底座螺栓高出地面，踏板松。",
        "健身器材",
        "螺栓切平加帽，踏板换新。",
    ),
    Matter("栏杆松动", "台阶边的栏杆一推就晃，焊点开了。", "台阶栏杆", "重新焊接，刷漆。"),
    Matter("地砖松动", "门口几块地砖松动翘起，老人容易绊倒。", "门口地砖", "重铺地砖六块。"),
    Matter(
        "电梯困人后没有公示检修",
        "电梯昨天困人，今天仍在用，没有检修记录。",
        "电梯",
        "停用检修，检验合格后恢复。",
        only="estate site",
    ),
)
FOOD = (
    Matter(
        "熟食没有加盖", "熟食摊没有防蝇罩，生熟放在一起。", "熟食摊位", "加装防蝇罩，生熟分开。"
    ),
    Matter(
        "冷柜温度过高",
        "冷柜显示零上九度，冻品已经变软。",
        "冷柜",
        "变质品下架，冷柜修好，留有温度记录。",
    ),
)
OTHER = (
    Matter("河边救生圈缺失", "护栏上的救生圈架子是空的。", "河边救生设施", "补齐救生圈两个。"),
    Matter("树枝压在电线上", "大风后一根粗枝压在电线上，还没断。", "行道树", "修枝，检查线路。"),
    Matter(
        "库房烟花没有清走", "库房里还有两箱没卖完的烟花。", "库房", "烟花由专业单位运走，库房复查。"
    ),
)
MATTERS: Final[Mapping[str, tuple[Matter, ...]]] = {
    "charging": CHARGING,
    "corridor": CORRIDOR,
    "fire_equipment": FIRE_EQUIPMENT,
    "fire_lane": FIRE_LANE,
    "electricity": ELECTRICITY,
    "gas": GAS,
    "falling": FALLING,
    "road": ROAD,
    "illegal_building": ILLEGAL,
    "facility": FACILITY,
    "food": FOOD,
    "other": OTHER,
}
# Acceptance of these goes by records, not by photos (workflows/hazard/texts.toml).
WITHOUT_PHOTOS: Final = frozenset({"gas", "food", "other"})

USUAL: Final[Mapping[str, Mapping[str, int]]] = {
    "estate": {
        "charging": 22, "corridor": 20, "fire_equipment": 10, "fire_lane": 8, "electricity": 8,
        "gas": 7, "falling": 7, "road": 5, "illegal_building": 4, "facility": 8, "other": 1,
    },
    "village": {
        "charging": 10, "fire_equipment": 10, "electricity": 22, "gas": 12, "road": 14,
        "illegal_building": 12, "facility": 12, "other": 8,
    },
    "site": {
        "fire_equipment": 22, "fire_lane": 14, "electricity": 18, "gas": 10, "corridor": 12,
        "falling": 6, "food": 12, "facility": 6,
    },
}  # fmt: skip
# Seasons: gas in the cold months, wires under heating, falling things and water in the wet ones.
SEASONS: Final[Mapping[int, Mapping[str, int]]] = {
    11: {"gas": 3, "electricity": 2},
    12: {"gas": 3, "electricity": 2},
    1: {"gas": 3, "electricity": 2},
    2: {"gas": 2, "other": 6, "fire_lane": 2},
    6: {"falling": 2, "road": 3},
    7: {"falling": 3, "road": 3},
    8: {"falling": 3, "road": 3},
}
# How many of a thousand reports fall into each month.
MONTHS: Final[Mapping[tuple[int, int], int]] = {
    (2025, 11): 82, (2025, 12): 88, (2026, 1): 94, (2026, 2): 70, (2026, 3): 80, (2026, 4): 76,
    (2026, 5): 76, (2026, 6): 92, (2026, 7): 96, (2026, 8): 92, (2026, 9): 78, (2026, 10): 76,
}  # fmt: skip
WHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "village": ("祠堂旁", "村道口", "晒谷场边", "老仓库", "村部门口", "渡口路 12 号", "后山脚"),
    "site": ("东门", "一层", "地下车库", "配电间", "二层走廊", "卸货区"),
}
# Where a category turns up there and nowhere else.
ONLY_AT: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("site", "food"): ("后厨", "卸货区"),
    ("site", "gas"): ("后厨",),
    ("site", "electricity"): ("配电间", "一层", "二层走廊"),
    ("site", "fire_lane"): ("东门", "卸货区"),
    ("site", "falling"): ("东门", "卸货区"),
    ("site", "corridor"): ("一层", "二层走廊"),
    ("village", "electricity"): ("渡口路 12 号", "渡口路 31 号", "祠堂旁", "老仓库"),
    ("village", "illegal_building"): ("渡口路 12 号", "后山脚"),
    ("village", "gas"): ("渡口路 8 号", "村部门口"),
}
