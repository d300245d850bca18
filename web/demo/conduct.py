"""Who does a step, and what else people do with it: objections, pauses, orders, second thoughts."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from audit.encoding import instant
from engine import cases, holding, oversight, timekeeping, turns
from engine.casework import Desk
from engine.directory import Authority, valid
from engine.errors import NotAllowed
from engine.people import By
from engine.state import CaseState, OpenTask
from web.demo.answers import Scene, answer, colleague, in_charge, objection
from web.demo.chance import Chance
from web.demo.life import World
from web.demo.paces import doing_time, share_time
from web.demo.story import Story
from web.demo.town import ZONE

ONE_DAY: Final = 24 * 60


def notice(world: World, case_id: str) -> None:
    """Put on the agenda whatever of a case is new: open steps, and doors its reporter may use.

    What other cases brought about is told by `among`.
    """
    if case_id not in world.stories:
        return
    case, story = world.case(case_id), world.stories[case_id]
    for task in case.tasks.values():
        if world.once(case_id, task.key):
            _expect(world, story, case_id, task)
    for key, element in case.messages.items():
        if world.once(case_id, key):
            _listen(world, story, case_id, world.definition.messages[element].message)


def _expect(world: World, story: Story, case_id: str, task: OpenTask) -> None:
    at = doing_time(world.calendar, story, task)
    first = task.key.endswith("#1")
    for what, wanted, act in _BESIDE.get(task.element, ()):
        if first and wanted(story):
            act(world, story, case_id, task)
            world.once(case_id, what)
    stops = story.stops(task.key)
    if task.holder is None:
        chance = Chance("look", story.key, task.key)
        soon = share_time(world.calendar, task, chance.between(50, 200), chance)
        _expect_claim(world, story, case_id, task, soon if stops else at)
    if not stops and not (story.taken_back and task.key == "sign_in#1"):
        world.plan(at, partial(_do, world, case_id, task.key))


def _expect_claim(world: World, story: Story, case_id: str, task: OpenTask, at: datetime) -> None:
    chance = Chance("claim", story.key, task.key)
    if not chance.happens(450):
        return
    whole = (at - instant(task.opened)) * 6 / 10
    when = at - min(timedelta(minutes=chance.between(20, 170)), whole)
    if not 8 <= when.astimezone(ZONE).hour < 20:
        when = at - min(timedelta(minutes=chance.between(1, 5)), whole)
    world.plan(when, partial(_claim, world, case_id, task.key))


def _claim(world: World, case_id: str, key: str) -> None:
    case = world.case(case_id)
    task = case.tasks.get(key)
    if task is None or task.holder is not None:
        return
    by = _somebody(world, world.stories[case_id], case, task)
    if by is not None:
        holding.claim_task(world.conn, case_id, key, by=by, at=world.now)


def _do(world: World, case_id: str, key: str) -> None:
    """Complete a step, or do what its story has instead; wait while its clock is stopped."""
    case, story = world.case(case_id), world.stories[case_id]
    task = case.tasks.get(key)
    if task is None:
        return
    if task.pause or task.request:
        resume = instant(task.pause.resume_by) if task.pause else world.now
        world.plan(resume + timedelta(hours=3), partial(_do, world, case_id, key))
        return
    by = _holder(world, task) if task.holder else _somebody(world, story, case, task)
    if by is None:
        _hand_over(world, case_id, task)
        return
    scene = Scene(world, story, case, task, by.person)
    instead = _INSTEAD.get(task.element)
    if not (instead and instead(scene, by)):
        form, files = answer(scene)
        cases.complete_task(world.conn, case_id, key, form, by=by, at=world.now, evidence=files)
    notice(world, case_id)


# --- who ------------------------------------------------------------------------------------------


def _holder(world: World, task: OpenTask) -> By | None:
    """Whoever holds a step, or the substitute while they are away; None if they have left."""
    assert task.holder  # noqa: S101 - asked only of held steps
    people = world.people()
    for leave in people.substitutions:
        if leave.absent == task.holder and valid(leave, world.now):
            return By(leave.substitute)
    held = people.authority(task.holder, task.duty, None, world.now)
    return By(task.holder) if held else None


def _somebody(world: World, story: Story, case: CaseState, task: OpenTask) -> By | None:
    """Who takes a free step: whoever the story names, else the nearest of those who may."""
    desk = world.desk(case)
    chance = Chance("who", story.key, task.key)
    wanted = _wanted(world, story, case, task)
    away = {leave.absent for leave in desk.directory.substitutions if valid(leave, world.now)}
    fitting: list[tuple[Any, By]] = []
    units = desk.directory.offices(task.units)
    for held in desk.directory.holders(task.duty, units, world.now):
        by = By(held.person, on_behalf_of=held.on_behalf_of)
        if held.person not in away and _may(desk, task, by):
            fitting.append((_rank(held, task, chance, wanted), by))
    return min(fitting, key=lambda row: row[0])[1] if fitting else None


def _wanted(world: World, story: Story, case: CaseState, task: OpenTask) -> str | None:
    if task.element in story.doers:
        return world.person[world.current(story.doers[task.element])]
    signed = case.last.get("sign_in") or case.last.get("sign_in_ordered")
    return signed.person if signed and task.duty == "rectify" else None


def _rank(held: Authority, task: OpenTask, chance: Chance, wanted: str | None) -> tuple[int, int]:
    near = task.units.index(held.unit) if held.unit in task.units else 0
    # Mostly whoever is nearest; now and then somebody from further up.
    return (0 if held.person == wanted else 1), near * 300 + chance.below(900)


def _may(desk: Desk, task: OpenTask, by: By) -> bool:
    try:
        cases.may_do(desk, task, by)
    except NotAllowed:
        return False
    return True


def _hand_over(world: World, case_id: str, task: OpenTask) -> None:
    """The holder has left the post: the dispatcher gives the step to whoever came after."""
    role = next((role for role, person in world.person.items() if person == task.holder), "")
    successor = world.person[world.current(role)]
    if task.holder and successor != task.holder:
        _reassign(world, case_id, task.key, successor)
        world.plan(world.office(60), partial(_do, world, case_id, task.key))
    else:
        world.plan(world.office(120), partial(_do, world, case_id, task.key))


def _reassign(world: World, case_id: str, key: str, to: str) -> None:
    reason = "原办理人已离岗，改由接任的人办理。"
    by = world.by("dispatch 2")
    holding.reassign_task(world.conn, case_id, key, to, reason, by=by, at=world.now)


# --- instead of completing ------------------------------------------------------------------------


def _send_back(scene: Scene, by: By) -> bool:
    if not (scene.story.sent_back and scene.round == 1):
        return False
    reason = "地点写得不清楚，整改单位找不到，请社区补充后再报。"
    turns.return_task(
        scene.world.conn, scene.case.case, scene.task.key, reason, by=by, at=scene.world.now
    )
    return True


def _object(scene: Scene, by: By) -> bool:
    if not (scene.story.objection and scene.round == 1):
        return False
    turns.raise_objection(
        scene.world.conn,
        scene.case.case,
        scene.task.key,
        objection(scene),
        by=by,
        at=scene.world.now,
    )
    return True


def _return_closing(scene: Scene, by: By) -> bool:
    if not (scene.story.closing_returned and scene.round == 1):
        return False
    reason = "验收说明与上报的不是同一处，请再核。"
    turns.return_task(
        scene.world.conn, scene.case.case, scene.task.key, reason, by=by, at=scene.world.now
    )
    return True


_INSTEAD: Final[dict[str, Callable[[Scene, By], bool]]] = {
    "assign": _send_back,
    "sign_in": _object,
    "close": _return_closing,
}


# --- beside the step ------------------------------------------------------------------------------


def _take_back_assignment(world: World, story: Story, case_id: str, task: OpenTask) -> None:
    minutes = Chance("take back", story.key).between(4, 9)

    def act() -> None:
        last = world.case(case_id).last["assign"]
        turns.withdraw(
            world.conn,
            case_id,
            task.key,
            "派错单位，撤回重派。",
            by=By(last.person, on_behalf_of=last.on_behalf_of),
            at=world.now,
        )
        notice(world, case_id)

    world.plan(instant(task.opened) + timedelta(minutes=minutes), act)


def _take_back_submission(world: World, story: Story, case_id: str, task: OpenTask) -> None:
    def act() -> None:
        case = world.case(case_id)
        if task.key not in case.tasks:
            return
        last = case.last["rectify"]
        turns.withdraw(
            world.conn,
            case_id,
            task.key,
            "照片传错了，撤回重交。",
            by=By(last.person, on_behalf_of=last.on_behalf_of),
            at=world.now,
        )
        notice(world, case_id)

    minutes = Chance("again", story.key).between(5, 12)
    world.plan(instant(task.opened) + timedelta(minutes=minutes), act)


def _ask_for_more_time(world: World, story: Story, case_id: str, task: OpenTask) -> None:
    if task.clock is None or task.clock.allowed < ONE_DAY:
        return
    chance = Chance("extension", story.key)
    days = chance.between(4, 9) if task.clock.allowed > ONE_DAY else 2

    def ask() -> None:
        now = world.case(case_id).tasks.get(task.key)
        by = _holder(world, now) if now and now.holder else None
        if now is None or now.request or now.pause or by is None:
            return
        timekeeping.request_extension(
            world.conn,
            case_id,
            task.key,
            days=days,
            reason="定制的配件还没有到货，供货单写明下周到。",
            interim="先停用并围挡，物业每天看两次。",
            by=by,
            at=world.now,
        )
        if story.extension != "pending":
            world.plan(world.office(chance.between(20, 300)), decide)

    def decide() -> None:
        now = world.case(case_id).tasks.get(task.key)
        if now is None or now.request is None:
            return
        refused = story.extension == "refused"
        command = timekeeping.refuse_extension if refused else timekeeping.grant_extension
        reason = "上次已说明备货情况，不同意再拖。" if refused else "有供货单和临时措施，同意。"
        command(world.conn, case_id, task.key, reason, by=world.by("leader 1"), at=world.now)
        clock = world.case(case_id).tasks[task.key].clock
        if story.extension == "twice" and clock and clock.extended == 1:
            world.plan(instant(clock.due) - timedelta(days=1, hours=2), ask)

    world.plan(share_time(world.calendar, task, chance.between(450, 700), chance), ask)


def _ask_for_a_pause(world: World, story: Story, case_id: str, task: OpenTask) -> None:
    if task.clock is None or task.clock.allowed < ONE_DAY:
        return
    chance = Chance("pause", story.key)
    whom = "澜江供电（演示）值班台 000-2110"

    def ask() -> None:
        now = world.case(case_id).tasks.get(task.key)
        by = _holder(world, now) if now and now.holder else None
        if now is None or now.request or now.pause or by is None:
            return
        paper = world.paper("来往记录", [f"联系：{whom}", "请对方停电配合施工"], "call")
        timekeeping.request_pause(
            world.conn,
            case_id,
            task.key,
            counterparty=whom,
            resume_by=world.now + timedelta(days=chance.between(4, 8)),
            reason="要对方停电才能施工，对方已排期。",
            by=by,
            at=world.now,
            evidence=(paper,),
        )
        if story.pause != "pending":
            world.plan(world.office(chance.between(20, 200)), decide)

    def decide() -> None:
        refused = story.pause == "refused"
        command = timekeeping.refuse_pause if refused else timekeeping.grant_pause
        reason = "可以先做不停电的部分，不同意。" if refused else "有来往记录，同意。"
        command(world.conn, case_id, task.key, reason, by=world.by("dispatch 2"), at=world.now)
        if story.pause == "self":
            world.plan(world.office(1200), run_on)

    def run_on() -> None:
        now = world.case(case_id).tasks.get(task.key)
        by = _holder(world, now) if now and now.pause else None
        if by is not None:
            reason = "对方说不用停电了。"
            timekeeping.resume(world.conn, case_id, task.key, reason, by=by, at=world.now)

    share = 700 if story.pause == "self" else chance.between(150, 350)
    world.plan(share_time(world.calendar, task, share, chance), ask)


def _pass_on(world: World, story: Story, case_id: str, task: OpenTask) -> None:
    """A hands the step to B, B back to A: each time with a reason, none of them work."""

    def act(turn: int) -> None:
        now = world.case(case_id).tasks.get(task.key)
        if now is None or now.holder is None or now.pause:
            return
        roles = (in_charge(story.unit), colleague(story.unit))
        chief = world.person[world.current(roles[0])]
        to = world.person[roles[1]] if now.holder == chief else chief
        reason = ("他离现场近。", "我这边人手不够。", "还是由原来的人办清楚。")[turn % 3]
        by = By(now.holder)
        holding.delegate_task(world.conn, case_id, task.key, to, reason, by=by, at=world.now)

    for turn in range(story.passed_on):
        chance = Chance("pass on", story.key, turn)
        at = share_time(world.calendar, task, 120 + 170 * turn, chance)
        world.plan(at, partial(act, turn))


def _list_standing(world: World, story: Story, case_id: str, task: OpenTask) -> None:
    def act() -> None:
        if task.key in world.case(case_id).tasks:
            timekeeping.list_standing(
                world.conn,
                case_id,
                task.key,
                "产权单位已注销，正在确定接管单位，列入挂账，每季复核；期间停用。",
                review_class="MAJ90",
                by=world.by("leader 1"),
                at=world.now,
            )

    world.plan(_past_due(world, task, 480), act)


def _past_due(world: World, task: OpenTask, minutes: int) -> datetime:
    limit = instant(task.clock.due) if task.clock else world.now
    return world.office(minutes, after=limit)


def _press(world: World, story: Story, case_id: str, task: OpenTask) -> None:
    def act() -> None:
        if task.key in world.case(case_id).tasks:
            text = "这一步已经逾期，请今天办完；办不完的写明原因。"
            by = world.by("supervise 2")
            oversight.urge(world.conn, case_id, text, by=by, at=world.now)

    world.plan(_past_due(world, task, 60), act)


def _supervise(world: World, story: Story, case_id: str, task: OpenTask) -> None:
    def act() -> None:
        if task.key not in world.case(case_id).tasks:
            return
        oversight.supervise(
            world.conn,
            case_id,
            "逾期未办，现予督办：两个工作日内办结，并说明逾期原因。",
            by=world.by("supervise 1"),
            at=world.now,
            legal_basis="《听澜街道督查工作规则（演示）》第九条",
            task=task.key,
            deadline_class="WD2",
        )
        world.plan(world.office(200), answered)

    def answered() -> None:
        case = world.case(case_id)
        now = case.tasks.get(task.key)
        if now is None or not case.orders or story.stops(task.key):
            return
        by = _holder(world, now) if now.holder else world.by("dispatch 2")
        order = int(next(iter(case.orders)))
        text = "人手已调配，两天内办完；逾期是因为等件，没有及时说明。"
        if by is not None:
            oversight.answer_supervision(world.conn, case_id, order, text, by=by, at=world.now)

    world.plan(_past_due(world, task, 150), act)


Beside = tuple[str, Callable[[Story], Any], Callable[[World, Story, str, OpenTask], None]]


def _late_at(element: str) -> Iterator[Beside]:
    def slow(story: Story) -> bool:
        return story.paces.get(element, 0) > 1100 or element in story.stop

    yield "urged", lambda story: story.urged and slow(story), _press
    yield "supervised", lambda story: story.supervised and slow(story), _supervise


_BESIDE: Final[dict[str, tuple[Beside, ...]]] = {
    "confirm": (*_late_at("confirm"),),
    "assign": (*_late_at("assign"),),
    "sign_in": (
        ("taken back", lambda story: story.taken_back, _take_back_assignment),
        *_late_at("sign_in"),
    ),
    "rectify": (
        ("extension", lambda story: story.extension, _ask_for_more_time),
        ("pause", lambda story: story.pause, _ask_for_a_pause),
        ("passed on", lambda story: story.passed_on, _pass_on),
        ("standing", lambda story: story.standing, _list_standing),
        *_late_at("rectify"),
    ),
    "accept": (
        ("again", lambda story: story.submits_again, _take_back_submission),
        *_late_at("accept"),
    ),
    "close": (*_late_at("close"),),
}


# --- doors ----------------------------------------------------------------------------------------


def _listen(world: World, story: Story, case_id: str, message: str) -> None:
    chance = Chance("door", story.key, message)
    day = world.now.astimezone(ZONE) + timedelta(days=chance.between(2, 6))
    daytime = day.replace(hour=chance.between(8, 20), minute=chance.below(60))
    if message == "dispute" and (story.disputes_verdict or story.disputes_result):
        if world.once(case_id, "disputed"):
            at = story.at.get("dispute", daytime)
            world.plan(at, partial(_dispute, world, story, case_id))
    elif message == "reopen" and story.reopened and world.once(case_id, "reopened"):
        at = story.at.get("reopen", world.office(chance.between(10, 400), after=day))
        world.plan(at, partial(_reopen, world, case_id))


def _dispute(world: World, story: Story, case_id: str) -> None:
    reason = (
        "我昨天又去看了，东西还在原处。"
        if story.disputes_verdict
        else "只收拾了门口，里面没有动，我拍了照片。"
    )
    by = By(world.case(case_id).doers["report"][0].person)
    turns.dispute_result(world.conn, case_id, {"reason": reason}, by=by, at=world.now)
    notice(world, case_id)


def _reopen(world: World, case_id: str) -> None:
    reason = "督查到现场看，隐患仍在，销号不实。"
    by = world.by("supervise 1")
    turns.reopen(world.conn, case_id, reason, by=by, at=world.now)
    notice(world, case_id)
