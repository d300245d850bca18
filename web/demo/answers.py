"""What people write into the forms of the hazard process, and which photos they add."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from engine.evidence import Evidence
from engine.state import CaseState, OpenTask
from web.demo.chance import Chance
from web.demo.life import World
from web.demo.matters import WITHOUT_PHOTOS
from web.demo.pictures import Photo
from web.demo.story import Report, Story, number
from web.demo.town import ENFORCEMENT, ZONE, local

RULES: Final = "《听澜街道隐患排查治理办法（演示）》"
AUTHORITIES: Final = {
    "road": "南屿区城市管理局（区管道路）",
    "gas": "南屿区住房和城乡建设局（燃气）",
    "food": "南屿区市场监督管理局",
    "facility": "南屿区住房和城乡建设局",
    "falling": "南屿区住房和城乡建设局（外墙）",
    "illegal_building": "南屿区城市管理局",
}
SHARED_DAY: Final = local(2026, 4, 1, 8, 40)
# What decides a step in the end: the form and the files that go with it.
Answer = tuple[dict[str, Any], tuple[Evidence, ...]]


@dataclass(frozen=True, slots=True)
class Scene:
    """One step about to be done: the world, the case and what is to become of it, and by whom."""

    world: World
    story: Story
    case: CaseState
    task: OpenTask
    person: str

    @property
    def round(self) -> int:
        """How often the step has been open in this case, this time included."""
        return int(self.task.key.rpartition("#")[2])

    def chance(self, what: str) -> Chance:
        """Chance for one answer of this step."""
        return Chance(what, self.story.key, self.task.key)

    def say(self, *choices: str) -> str:
        """What the story tells at this step, else one of these."""
        return self.story.tale.get(self.task.element) or self.chance("say").pick(choices)

    def ago(self, first: int, last: int) -> str:
        """A time so many minutes ago, as people write it into a form."""
        return written(self.world.now - timedelta(minutes=self.chance("ago").between(first, last)))


def answer(scene: Scene) -> Answer:
    """The form and the files with which this step is completed."""
    return _ANSWERS[scene.task.element](scene)


def written(at: datetime) -> str:
    """An instant as a form holds it, in local time to the second."""
    return at.astimezone(ZONE).isoformat(timespec="seconds")


def in_charge(unit: str) -> str:
    """The role that answers for a unit's rectifications."""
    if unit == ENFORCEMENT:
        return "enforcer 1"
    if unit == "u-tingtao":
        return "grid u-tingtao-g1"
    return f"works {unit}" if unit in _COMMUNITIES else f"engineer {unit}"


def colleague(unit: str) -> str:
    """Another role in the same unit that may rectify."""
    if unit == ENFORCEMENT:
        return "enforcer 2"
    return f"deputy {unit}" if unit in _COMMUNITIES else f"fitter {unit}"


_COMMUNITIES: Final = frozenset(
    f"u-{name}"
    for name in (
        "tingtao", "yanhe", "wanglan", "songping", "nanbu", "guanchao", "changting", "shangyu",
        "xiayu",
    )
)  # fmt: skip


# --- confirming -----------------------------------------------------------------------------------


def _confirm(scene: Scene) -> Answer:
    story = scene.story
    if story.verdict == "hazard":
        return _is_hazard(scene), ()
    form: dict[str, Any] = {"verdict": story.verdict}
    if story.verdict == "duplicate":
        form["duplicate_of"] = number(scene.world.ids[story.same_as or story.key])
        form["reason"] = scene.say("与该案是同一处、同一件事，居民又报了一次。")
        return form, ()
    if story.verdict == "other_authority":
        form["authority"] = AUTHORITIES.get(story.report.category, "南屿区应急管理局")
        form["reason"] = scene.say("查过权属和职责清单，不归街道管，已告知对方值班台 000-3110。")
        return form, ()
    form["reason"] = scene.say(
        "到现场看过，物品当天搬家临时放置，已全部搬走，通道畅通。",
        "到现场看过，是检修人员临时接线，检修完已拆。",
        "看到的是旧照片里的情况，上周已经改好。",
    )
    return form, (scene.world.photo(story, "site", cured=True, turned=True, by=scene.person),)


def _is_hazard(scene: Scene) -> dict[str, Any]:
    story = scene.story
    return {
        "verdict": "hazard",
        "level": story.level,
        "danger_now": story.report.danger,
        "object": f"{story.report.address}，{story.report.matter.thing}"[:200],
        "proposed_unit": story.unit,
        "reason": scene.say(
            "到现场看过，情况与上报一致。",
            "现场核实属实，已当场提醒，还需要整改。",
            "看了现场和照片，情况属实，短时间内不会自己好。",
        ),
    }


def _second_look(scene: Scene) -> Answer:
    story = scene.story
    if story.disputes_verdict and scene.round > 1:
        reason = "与社区看的不是同一个时间，上报人补充的情况属实，按隐患办理。"
        form = {"decision": "override", "verdict": "hazard", "level": "general"}
        return form | {"reason": reason}, ()
    if story.override:
        return {
            "decision": "override",
            "verdict": "hazard",
            "level": story.override,
            "reason": scene.say("不影响主体结构，能在一周内改好，按一般隐患办理。"),
        }, ()
    return {
        "decision": "agree",
        "reason": scene.say(
            "看过现场照片和社区的说明，同意社区的结论。", "与社区通了电话并看了照片，同意。"
        ),
    }, ()


def _first_response(scene: Scene) -> Answer:
    minutes = scene.chance("arrived").between(1, 4)
    return {
        "action": scene.say(
            "断电、拉起警戒线，劝离围观居民，留人看守。",
            "关阀、开窗通风，劝离同层住户，通知专业单位。",
            "围挡，夜间放警示灯，留人看守到整改单位到场。",
        ),
        "ordered_by": "社区总网格长电话指令",
        "arrived_at": written(scene.world.now - timedelta(minutes=minutes)),
        "people_moved": scene.chance("moved").below(12),
        "danger_over": True,
    }, ()


def _ratify(scene: Scene) -> Answer:
    reason = scene.say("情况紧急，措施得当，予以追认。", "先断后报符合规定，予以追认。")
    return {"decision": "ratified", "reason": reason}, ()


# --- assigning ------------------------------------------------------------------------------------


def _assign(scene: Scene) -> Answer:
    story, world = scene.story, scene.world
    unit = story.first_unit if story.first_unit and scene.round == 1 else story.unit
    acceptors = _acceptors(story, scene.round)
    form = {
        "unit": unit,
        "acceptor": world.person[world.current(acceptors[0])],
        "term": story.term,
        "legal_basis": f"{RULES}第{scene.chance('rule').between(6, 18)}条",
        "five_measures": story.plan,
        "interim_measures": scene.say(
            "整改完成前每天看一次，放警示牌。", "整改完成前停用，物业值班每两小时看一次。"
        ),
    }
    if story.term != "graded":
        form["term_reason"] = "临近检查，要求一周内改好。"
    if story.named:
        form["person"] = world.person[world.current(in_charge(unit))]
    if story.major:
        form["second_acceptor"] = world.person[world.current(acceptors[1])]
    return form, ()


def _acceptors(story: Story, round_: int) -> tuple[str, str]:
    """Two acceptors; what was not accepted rightly is not given to the same one again."""
    if round_ == 1:
        return story.acceptor, story.second_acceptor
    told = (story.acceptor, story.second_acceptor)
    third = next(f"accept {n}" for n in (1, 2, 3, 4) if f"accept {n}" not in told)
    return story.second_acceptor, third


def _sign_in(scene: Scene) -> Answer:
    day = (scene.world.now + timedelta(days=scene.chance("days").between(1, 5))).astimezone(ZONE)
    return {"in_charge": "工程主管", "planned_on": day.date().isoformat()}, ()


def _rule_objection(scene: Scene) -> Answer:
    form: dict[str, Any] = {
        "ruling": scene.story.objection or "rejected",
        "heard": "提出异议的单位、社区",
        "legal_basis": f"{RULES}第十一条",
    }
    if scene.story.objection == "upheld":
        form |= {"unit": scene.story.unit, "reason": "核对权属，确不归该单位管，改派。"}
    else:
        form["reason"] = scene.say("合同写明由该单位管护，异议不成立，按原指派整改。")
    return form, ()


def objection(scene: Scene) -> dict[str, Any]:
    """The form of an objection to an assignment."""
    story = scene.story
    # Whoever objects points to somebody else, rightly or not.
    other = story.unit if story.first_unit else story.report.spot.community
    return {
        "legal_basis": "物业服务合同管护范围附表",
        "reason": scene.say("该处不在本单位的管护范围内。", "该处权属不清，应先明确由谁管。"),
        "proposed_unit": other,
    }


# --- rectifying -----------------------------------------------------------------------------------


def _write_plan(scene: Scene) -> Answer:
    term = scene.chance("term").weigh([("K15", 2), ("MAJ30", 6), ("MAJ60", 2)])
    thing = scene.story.report.matter.thing
    form = {
        "measures": f"对{thing}停用、拆除、更换，分两段施工，完工后检测。",
        "responsibility": "整改单位工程主管牵头，社区总网格长协调住户，应急办督促。",
        "funds": "约三万元，整改单位垫付，住户分摊部分由社区协商，十日内到位。",
        "time_limit": term,
        "contingency": "施工期间该处停用，夜间有人值守；出险先疏散同单元住户并报 119。",
    }
    paper = scene.world.paper("治理方案", [scene.story.report.address, *form.values()], "doc")
    return form, (paper,)


def _approve_plan(scene: Scene) -> Answer:
    if scene.story.plan_rejected and scene.round == 1:
        reason = "资金来源没有写明，预案没有写到人，退回重写。"
        return {"decision": "reject", "reason": reason}, ()
    term = Chance("term", scene.story.key, f"write_plan#{scene.round}").weigh(
        [("K15", 2), ("MAJ30", 6), ("MAJ60", 2)]
    )
    return {"decision": "approve", "term": term, "reason": "五项写实，同意按此办理。"}, ()


def _publish_listing(scene: Scene) -> Answer:
    return {
        "published_on": scene.world.now.astimezone(ZONE).date().isoformat(),
        "published_where": "社区公告栏、街道政务公开栏",
        "notice": f"{scene.story.report.address}列为重大隐患，挂牌治理，期间停用，请绕行。",
    }, ()


def _rectify(scene: Scene) -> Answer:
    story = scene.story
    late = timedelta(days=2) if story.backdated and scene.round == 1 else timedelta()
    minutes = scene.chance("done").between(8, 150)
    form: dict[str, Any] = {
        "done": story.tale.get("rectify") or story.report.matter.done,
        "done_at": written(scene.world.now - timedelta(minutes=minutes) - late),
    }
    if scene.round > 1:
        form["done"] = f"返工：{form['done']}"
    if scene.chance("cost").happens(600):
        form["cost"] = scene.chance("yuan").between(4, 180) * 20
    if story.report.category in WITHOUT_PHOTOS:
        return form | {"no_photo": "category"}, ()
    files = _after(scene)
    if story.report.photo:
        form["before_on_file"] = True
    else:
        now = scene.world.shot(story, "before", cured=False, turned=False, by=scene.person)
        before = replace(now, taken=now.taken - timedelta(minutes=minutes + 40))
        files.insert(0, scene.world.picture(before, "before"))
    return form, tuple(files)


def _after(scene: Scene) -> list[Evidence]:
    world, story = scene.world, scene.story
    photos = [shared_photo(name, story.report) for name in story.recycled]
    photos += [
        replace(shared_photo(name, story.report), retouched=True) for name in story.retouched
    ]
    if not photos or scene.round > 1:
        photos = [world.shot(story, "after", cured=True, turned=False, by=scene.person)]
    world.after[scene.case.case] = photos[0]
    return [world.picture(photo, "after") for photo in photos]


def shared_photo(name: str, report: Report) -> Photo:
    """An after-photo that more than one case uses: equal names give equal bytes."""
    # All taken in the first half of a working day before any of the cases that use them.
    taken = SHARED_DAY + timedelta(minutes=Chance("shared", name).below(200))
    return Photo(name, report.category, True, False, name, taken, device="A-61")


def _progress(scene: Scene) -> Answer:
    return {
        "done": scene.say("材料已到一半，旧件拆除。", "第一段施工完成，第二段备料。"),
        "next": "下周完成第二段并自检。",
        "on_track": scene.chance("track").weigh([("yes", 8), ("at_risk", 2)]),
        "interim_measures": "停用和值守照旧。",
    }, ()


# --- accepting and closing ------------------------------------------------------------------------


def _accept(scene: Scene) -> Answer:
    fails = scene.task.element == "accept" and scene.round <= scene.story.rework
    if fails:
        result = "escalate" if scene.round >= 3 else "fail"
        return _judged(scene, result)
    return _judged(scene, "pass")


def _re_accept(scene: Scene) -> Answer:
    return _judged(scene, scene.story.disputes_result or "pass")


def _judged(scene: Scene, result: str) -> Answer:
    passed = result == "pass"
    form: dict[str, Any] = {
        "visited_at": scene.ago(6, 55),
        "checks": ["visited", "gone", "as_told", "no_new"] if passed else ["visited"],
        "result": result,
    }
    if not passed:
        form["left"] = scene.say("还有一处没有改好，与整改说明不符。", "只做了表面，原因没有消除。")
    return form, (_own_photo(scene, cured=passed),)


def _own_photo(scene: Scene, *, cured: bool) -> Evidence:
    borrowed = scene.world.after.get(scene.case.case)
    if scene.story.site_photo_borrowed and borrowed:
        return scene.world.picture(borrowed, "site")
    return scene.world.photo(scene.story, "site", cured=cured, turned=True, by=scene.person)


def _order(scene: Scene) -> Answer:
    return {
        "order": "三次验收不合格。整改单位负责人到场，五个工作日内改到位，逾期约谈。",
        "change_unit": "keep",
        "legal_basis": f"{RULES}第十五条",
    }, ()


def _close(scene: Scene) -> Answer:
    form: dict[str, Any] = {
        "verified": ["report", "acceptance", "separation", "interim"],
        "summary": f"已整改：{scene.story.report.matter.done}"[:500],
    }
    if scene.story.major:
        day = (scene.world.now + timedelta(days=1)).astimezone(ZONE).date()
        form |= {"removal_on": day.isoformat(), "removal_where": "社区公告栏、街道政务公开栏"}
    return form, ()


def _reinspect(scene: Scene) -> Answer:
    present = scene.story.found_again and scene.round == 1
    found = "又出现了，与销号时说的不一样。" if present else "没有再出现，周边也看过。"
    form = {
        "visited_at": scene.ago(10, 60),
        "result": "present" if present else "absent",
        "findings": scene.say(found),
    }
    photo = scene.world.photo(scene.story, "site", cured=not present, turned=True, by=scene.person)
    return form, (photo,)


def _review(scene: Scene) -> Answer:
    return {
        "cause": scene.say("只清了表面，没有人管后续；管护责任没有写进合同。"),
        "known": "按案件记录：上报当天社区已知；指派当天整改单位已知；验收时现场已恢复原状。",
        "lessons": "验收要隔几天再看一次；同一处三个月内再报的，直接由街道看。",
        "actions": "把该处列入每周巡查；管护责任写进合同，另立案跟踪。",
    }, ()


_ANSWERS: Final[dict[str, Callable[[Scene], Answer]]] = {
    "confirm": _confirm,
    "second_look": _second_look,
    "first_response": _first_response,
    "ratify": _ratify,
    "assign": _assign,
    "sign_in": _sign_in,
    "sign_in_ordered": _sign_in,
    "rule_objection": _rule_objection,
    "write_plan": _write_plan,
    "approve_plan": _approve_plan,
    "publish_listing": _publish_listing,
    "rectify": _rectify,
    "progress": _progress,
    "accept": _accept,
    "second_accept": _accept,
    "re_accept": _re_accept,
    "order": _order,
    "close": _close,
    "reinspect": _reinspect,
    "review": _review,
    "closing_review": _review,
}
ANSWERED: Final = frozenset(_ANSWERS)
