"""What each metric counts, and what stands beside a figure, in words."""

from collections.abc import Mapping
from typing import Final

from web.texts import later

# The rows of the page: a heading and its metrics, in the order of docs/metrics.md.
SECTIONS: Final = (
    (
        later("隐患整改"),
        ("rectified_of_due", "rectified_of_found", "in_time", "in_original_time",
         "until_accepted", "overdue", "second_looks", "extended", "refuted", "refuted_by_lot",
         "reopened", "rated_satisfied", "found_by_others", "suppressed"),
    ),
    (later("巡查"), ("conforming", "walked", "objects", "found", "rechecked_items")),
    (later("部门响应"), ("responded", "arrived_in_time", "first_contact", "first_arrival",
                       "until_arrival", "evaluated")),
    (later("派件、异议、督办"), ("objected", "upheld", "dodged", "ordered", "listed")),
    (later("事故"), ("accidents",)),
    (
        later("投诉处理"),
        ("solved", "satisfied", "reached", "repeated", "reopened_complaints", "found_true",
         "three_rates"),
    ),
)  # fmt: skip

COUNTS: Final[Mapping[str, str]] = {
    "rectified_of_due": later("依法时限在本期到期的隐患里，到期末已经验收的。"),
    "rectified_of_found": later("本期确认的隐患里，到期末已经验收的。"),
    "in_time": later("依法时限在本期到期的隐患里，按时交出、这一次通过验收的。"),
    "in_original_time": later("最初时限在本期到期的隐患里，按最初时限交出、这一次通过验收的。"),
    "until_accepted": later("本期确认的隐患，从确认到验收的自然时间；没有验收的算作更长。"),
    "overdue": later("到期末过了依法时限、还没有验收的隐患；合计是超期整天数乘等级权重。"),
    "second_looks": later("本期复看过的结论里，被改判的。"),
    "extended": later("最初时限在本期到期的隐患里，批准过延期的。"),
    "refuted": later("本期第一次复查的销号里，查出没有改好的；抽查、重大、有争议的都算。"),
    "refuted_by_lot": later("只算抽查和重大隐患的复查，查出没有改好的。"),
    "reopened": later("本期的销号里，到期末被督查重开的。"),
    "rated_satisfied": later("本期销号、上报人评价过的，评为满意的。"),
    "found_by_others": later("本期确认的隐患里，不是本社区和网格自己发现的。"),
    "suppressed": later("说成没有隐患，本期经人核实是瞒报的（线索 B7 属实）。"),
    "conforming": later("本期巡查看过的检查项里，没有登记问题的。"),
    "walked": later("本期应走的巡查里，到期末走过的。"),
    "objects": later("本期应查的地点里，至少查过一次的。"),
    "found": later("本期走过的巡查里，查出问题的。"),
    "rechecked_items": later("本期别的社区抽签复核的检查项里，和巡查结论不一样的。"),
    "responded": later("本期被叫到的部门里，在时限内签收、并联系了吹哨方或到了场的。"),
    "arrived_in_time": later("本期被叫到的部门里，到场在时限内的；没有应的也算在分母里。"),
    "first_arrival": later("从叫部门，到第一个部门到场；没有部门到场的算作更长。"),
    "first_contact": later("从被叫到，到联系吹哨方或者到场，每个部门分别算；没有的算作更长。"),
    "until_arrival": later("从被叫到，到到场，每个部门分别算；没有到的算作更长。"),
    "evaluated": later("本期启封的吹哨方评价里，对部门满意的；基本满意另列。"),
    "objected": later("本期派出的里面，到期末被提出异议的。"),
    "upheld": later("本期提出的异议里，裁定成立的。"),
    "dodged": later("本期派出的里面，有推诿线索、经人核实属实的。"),
    "ordered": later("本期发出的督办。"),
    "listed": later("到期末还挂着账的步骤。"),
    "accidents": later("本期认定过的事故；认定社区该做没做到的，按等级另列。"),
    "solved": later("本期起应回访、问到了的投诉里，投诉人说解决了的。"),
    "satisfied": later("本期起应回访、问到了的投诉里，投诉人说满意的。"),
    "reached": later("本期起应回访的投诉里，问到了投诉人的。"),
    "repeated": later("本期受理的投诉里，同一件事 {days} 天内办结过的。"),
    "reopened_complaints": later("本期答复的投诉里，到期末重新办理的。"),
    "found_true": later("本期开始计入查实数的投诉，和公示的口径一样。"),
    "three_rates": later("响应率、解决率、满意率按权重合成；有一个样本不足就不合成。"),
}

# What is excluded or told apart, and what stands beside.
NOTES: Final[Mapping[str, str]] = {
    "paused": later("暂停"),
    "extended": later("延期"),
    "merged": later("并案"),
    "void": later("不作隐患或移送"),
    "imported": later("外部导入"),
    "not_rated": later("没有评价"),
    "mostly": later("基本满意"),
    "not_all_entered": later("问题没有登记完"),
    "no_verdict": later("巡查没有看的项"),
    "released": later("已放行"),
    "withdrawn": later("哨已撤销"),
    "finished": later("到场前已办结"),
    "pending": later("时限未到或还没裁定"),
    "overtaken": later("不再需要裁定"),
    "answered": later("已答复"),
    "unanswered": later("还没答复"),
    "not_reached": later("没有问到"),
    "partly": later("部分"),
    "corrected": later("后来更正"),
    "general_answerable": later("一般，社区有责"),
    "larger_answerable": later("较大，社区有责"),
    "major_answerable": later("重大，社区有责"),
    "extreme_answerable": later("特别重大，社区有责"),
}

# The lists behind the numbers of a figure.
PARTS: Final[Mapping[str, str]] = {
    "hits": later("分子"),
    "others": later("其余"),
    "ended": later("已完成"),
    "censored": later("未完成"),
    "counted": later("算在内"),
}

BY: Final[Mapping[str, str]] = {
    "": later("不分"),
    "community": later("按社区"),
    "grid": later("按网格"),
    "unit": later("按单位"),
    "class": later("按类别"),
}
# What belongs to no group.
NO_GROUP: Final[Mapping[str, str]] = {
    "community": later("不在社区里"),
    "grid": later("不在网格里"),
    "unit": later("没有单位"),
    "class": later("没有类别"),
}
