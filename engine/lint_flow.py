"""How it flows: every step can be reached, every way ends, no token is lost or made twice."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from engine.diagram import Arrow, Node
from engine.findings import Finding
from engine.lint_facts import Facts, finding

# SpiffWorkflow predicts every way ahead; parallel blocks in a row multiply (458,752 tasks for 16).
MAX_PREDICTED: Final = 2000
LOOK_AHEAD: Final = 2  # how far it predicts behind a choice not made yet

Ways = Mapping[str, tuple[str, ...]]


def arrows(facts: Facts) -> Iterator[Finding]:
    """A flow joins two nodes of one level."""
    for arrow in facts.diagram.arrows:
        source, target = facts.node(arrow.source), facts.node(arrow.target)
        if source is None or target is None:
            yield finding(arrow, "flow_ends", "连线的一端没有接上", "joins something not drawn")
        elif not source.parent == target.parent == arrow.parent:
            yield finding(
                arrow, "flow_ends", "连线不能穿过子流程的边", "crosses a sub-process border"
            )
        elif source.kind == "endEvent" or target.kind in ("startEvent", "boundaryEvent"):
            yield finding(arrow, "flow_ends", "连线的方向不对", "leaves an end or enters a start")


def scopes(facts: Facts) -> Iterator[Finding]:
    """The process and each sub-process begin once, and end."""
    for scope in _scopes(facts):
        where = scope or facts.diagram.key
        nodes = _inside(facts, scope)
        starts = [node for node in nodes if node.kind == "startEvent"]
        if len(starts) != 1:
            yield finding(where, "start", "应恰有一个开始事件", "needs exactly one start event")
        if not any(node.kind == "endEvent" for node in nodes):
            yield finding(where, "no_end", "没有结束事件", "has no end event")


def gateways(facts: Facts) -> Iterator[Finding]:
    """A choice always has an answer, and only a choice has conditions."""
    for node in facts.diagram.nodes:
        leaving = _leaving(facts, node)
        if node.kind == "exclusiveGateway":
            yield from _choice(node, leaving)
            continue
        if node.default or any(arrow.condition is not None for arrow in leaving):
            yield finding(
                node,
                "condition_elsewhere",
                "条件和默认流只能用于排他网关",
                "only an exclusive gateway has conditions and a default",
            )
        if node.kind != "parallelGateway" and len(leaving) > 1:
            yield finding(
                node,
                "implicit_fork",
                "一步之后只能有一条连线，分头进行请用并行网关",
                "has several ways out; use a parallel gateway",
            )


def _choice(node: Node, leaving: list[Arrow]) -> Iterator[Finding]:
    if len(leaving) > 1 and node.default not in {arrow.id for arrow in leaving}:
        yield finding(
            node, "gateway_default", "排他网关没有默认流", "the gateway has no default flow"
        )
    if len({arrow.target for arrow in leaving}) < len(leaving):
        yield finding(
            node,
            "gateway_same_target",
            "有两条连线通向同一处，请合成一个条件",
            "has two ways to one place; join their conditions",
        )
    for arrow in leaving:
        conditional = arrow.condition is not None
        if len(leaving) > 1 and conditional is (arrow.id == node.default):
            yield finding(
                arrow,
                "gateway_condition",
                "默认流不写条件，其他连线都要写条件",
                "the default flow has no condition, every other flow has one",
            )
        if len(leaving) == 1 and conditional:
            yield finding(
                arrow,
                "gateway_condition",
                "唯一的连线不能有条件",
                "the only way out has a condition",
            )


def reach(facts: Facts) -> Iterator[Finding]:
    """Everything drawn can happen, and whatever happens can come to an end."""
    for scope in _scopes(facts):
        nodes = _inside(facts, scope)
        ways = _ways(facts, nodes, interrupting_only=False)
        starts = [node.id for node in nodes if node.kind == "startEvent"]
        reached = _reach(ways, starts)
        ends = [node.id for node in nodes if node.kind == "endEvent"]
        ending = _reach(_backwards(ways), ends)
        cut = _cut_short(nodes, ways)
        for node in nodes:
            if node.id not in reached:
                yield finding(node, "unreachable", "永远走不到", "can never be reached")
            elif not ways[node.id] and node.kind != "endEvent":
                yield finding(node, "dead_end", "到此没有去路，也不是结束", "leads nowhere")
            elif node.id not in ending and node.id not in cut:
                yield finding(
                    node, "end_unreachable", "从这里走不到结束", "can never come to an end"
                )


def _cut_short(nodes: list[Node], ways: Ways) -> set[str]:
    """What runs beside something that terminates the whole level, and so needs no end itself."""
    terminates = {node.id for node in nodes if node.event == "terminate"}
    cut: set[str] = set()
    for fork in _forks(nodes, ways):
        if any(terminates & _reach(ways, [branch]) for branch in ways[fork]):
            cut |= _reach(ways, ways[fork])
    return cut


def automatic_loops(facts: Facts) -> Iterator[Finding]:
    """No round without somebody or some clock to wait for: it would never stop."""
    waiting = _waiting(facts)
    for scope in _scopes(facts):
        ways = _ways(facts, _inside(facts, scope), interrupting_only=False)
        without = {
            id_: tuple(way for way in out if way not in waiting)
            for id_, out in ways.items()
            if id_ not in waiting
        }
        for id_ in without:
            if id_ in _reach(without, without[id_]):
                yield finding(
                    id_,
                    "automatic_loop",
                    "在没有人办理、也不等时间的循环里，会一直转下去",
                    "is in a loop that waits for nobody and no clock, and would never stop",
                )
                break


def _waiting(facts: Facts) -> set[str]:
    """Nodes that no token passes by itself; sub-processes inside out."""
    waiting = {
        node.id
        for node in facts.diagram.nodes
        if node.kind in ("userTask", "intermediateCatchEvent", "boundaryEvent")
    }
    for scope in sorted(filter(None, _scopes(facts)), key=lambda s: -_depth(facts, s)):
        nodes = _inside(facts, scope)
        ways = _ways(facts, nodes, interrupting_only=False)
        passed = {id_: tuple(w for w in out if w not in waiting) for id_, out in ways.items()}
        starts = [node.id for node in nodes if node.kind == "startEvent"]
        if not _reach(passed, starts) & {n.id for n in nodes if n.kind == "endEvent"}:
            waiting.add(scope)
    return waiting


def _depth(facts: Facts, scope: str | None) -> int:
    node = facts.node(scope)
    return 0 if node is None else 1 + _depth(facts, node.parent)


# --- parallel ways ------------------------------


def parallel(facts: Facts) -> Iterator[Finding]:
    """A join waits for exactly the branches of its fork; one such block to a level."""
    for scope in _scopes(facts):
        nodes = _inside(facts, scope)
        ways = _ways(facts, nodes, interrupting_only=True)
        forks = _forks(nodes, ways)
        joins = [n.id for n in nodes if n.kind == "parallelGateway" and _arriving(ways, n.id) > 1]
        for node in nodes:
            if node.kind == "parallelGateway" and (node.id in forks) is (node.id in joins):
                yield finding(
                    node,
                    "parallel_gateway",
                    "并行网关要么分叉、要么汇合",
                    "a parallel gateway either forks or joins",
                )
        yield from _blocks(ways, nodes, forks, joins)
        yield from _escalations(nodes, ways)


def _blocks(ways: Ways, nodes: list[Node], forks: list[str], joins: list[str]) -> Iterator[Finding]:
    if len(joins) > 1:
        yield finding(
            joins[1],
            "parallel_unwrapped",
            "同一层有不止一个并行块，请把每个并行块放进各自的子流程",
            "is the second parallel block of its level; put each into a sub-process of its own",
        )
        return
    matched = {_fork_of(ways, join, forks): join for join in joins}
    if None in matched:
        yield finding(
            matched[None],
            "parallel_join",
            "并行汇合没有与之对应的分叉，会一直等下去",
            "joins without a fork whose every branch leads to it, and would wait for ever",
        )
    for fork in forks:
        join = matched.get(fork)
        yield from _joined(ways, nodes, fork, join) if join else _spawned(ways, nodes, fork)


def _fork_of(ways: Ways, join: str, forks: list[str]) -> str | None:
    """The nearest fork all of whose branches lead to the join."""
    fitting = [
        fork
        for fork in forks
        if all(join in _reach_without(ways, branch, fork) for branch in ways[fork])
    ]
    return min(fitting, key=lambda fork: len(_reach_without(ways, fork, join)), default=None)


def _joined(ways: Ways, nodes: list[Node], fork: str, join: str) -> Iterator[Finding]:
    ends = {node.id for node in nodes if node.kind == "endEvent" and node.event is None}
    branches = [_reach_without(ways, branch, join) - {join} for branch in ways[fork]]
    all_inside = set().union(*branches)
    for branch, inside in zip(ways[fork], branches, strict=True):
        arriving = sum(way == join for id_ in inside for way in ways[id_]) + (branch == join)
        if inside & ends or fork in inside:
            yield finding(
                branch,
                "parallel_join",
                f"这一支可能结束或绕回，不到汇合 {join}，别的分支会一直等",
                f"may end or turn back before the join {join}, which would wait for ever",
            )
        elif arriving != 1:
            yield finding(
                branch,
                "parallel_join",
                f"这一支应恰以一条连线进入汇合 {join}",
                f"must enter the join {join} by exactly one flow",
            )
    if sum(len(inside) for inside in branches) > len(all_inside):
        yield _merged(fork)
    entered = {way for id_, out in ways.items() if id_ not in {*all_inside, fork} for way in out}
    for id_ in sorted(entered & (all_inside | {join})):
        yield finding(
            id_,
            "parallel_join",
            f"可以不经分叉 {fork} 走到这里，汇合会算错",
            f"can be entered without passing the fork {fork}, so its join would miscount",
        )


def _spawned(ways: Ways, nodes: list[Node], fork: str) -> Iterator[Finding]:
    """A fork without a join: all but one branch go their own way to an end."""
    ends = {node.id for node in nodes if node.kind == "endEvent"}
    branches = [_reach_without(ways, branch, fork) for branch in ways[fork]]
    if sum(fork in inside for inside in branches) > 1:
        yield finding(
            fork,
            "parallel_join",
            "不止一支会绕回这个分叉，每转一圈就多出一份",
            "is led back to by more than one branch, doubling the case each round",
        )
    seen: set[str] = set()
    for inside in branches:
        if (inside - ends - {fork}) & seen:
            yield _merged(fork)
            return
        seen |= inside


def _merged(fork: str) -> Finding:
    return finding(
        fork,
        "parallel_merge",
        "几支不经并行汇合就走到一起，后面的步骤会做两遍",
        "has branches that meet without a parallel join, so what follows would be done twice",
    )


def _escalations(nodes: list[Node], ways: Ways) -> Iterator[Finding]:
    """What a non-interrupting event sets off runs beside the case and must end by itself."""
    starts = [node.id for node in nodes if node.kind == "startEvent"]
    main = _reach(ways, starts) - {node.id for node in nodes if node.kind == "endEvent"}
    for node in nodes:
        if node.kind == "boundaryEvent" and not node.interrupting:
            for id_ in sorted(_reach(ways, ways[node.id]) & main):
                yield finding(
                    id_,
                    "escalation_merges",
                    f"由不中断的 {node.id} 引出的分支并入了主流程，会做两遍",
                    f"is entered from the non-interrupting {node.id} and would be done twice",
                )
                break


def prediction(facts: Facts) -> Iterator[Finding]:
    """The ways ahead that SpiffWorkflow unfolds at every start stay few."""
    for scope in _scopes(facts):
        nodes = _inside(facts, scope)
        ways = _ways(facts, nodes, interrupting_only=False)
        choices = {node.id for node in nodes if node.kind == "exclusiveGateway"}
        starts = [node.id for node in nodes if node.kind == "startEvent"]
        if starts and _predicted(ways, choices, starts[0]) > MAX_PREDICTED:
            yield finding(
                scope or facts.diagram.key,
                "prediction",
                f"并行分支展开后超过 {MAX_PREDICTED} 步，请把并行块放进子流程",
                f"unfolds to over {MAX_PREDICTED} steps; put parallel blocks into sub-processes",
            )


def _predicted(ways: Ways, choices: set[str], start: str) -> int:
    stack: list[tuple[str, int, frozenset[str]]] = [(start, 300, frozenset())]
    count = 0
    while stack and count <= MAX_PREDICTED:
        id_, ahead, before = stack.pop()
        count += 1
        if ahead == 0 or id_ in before:
            continue
        left = min(ahead - 1, LOOK_AHEAD) if id_ in choices else ahead - 1
        stack.extend((way, left, before | {id_}) for way in ways[id_])
    return count


# --- the graph ------------------------------


def _scopes(facts: Facts) -> list[str | None]:
    return [None, *(node.id for node in facts.nodes("subProcess"))]


def _inside(facts: Facts, scope: str | None) -> list[Node]:
    return [node for node in facts.diagram.nodes if node.parent == scope]


def _leaving(facts: Facts, node: Node) -> list[Arrow]:
    return [arrow for arrow in facts.diagram.arrows if arrow.source == node.id]


def _ways(facts: Facts, nodes: list[Node], *, interrupting_only: bool) -> Ways:
    """From each node to the next ones; a host leads to its boundary events."""
    ways: dict[str, list[str]] = {node.id: [] for node in nodes}
    for arrow in facts.diagram.arrows:
        if arrow.source in ways and arrow.target in ways:
            ways[arrow.source].append(arrow.target)
    for node in nodes:
        if node.kind == "boundaryEvent" and (node.interrupting or not interrupting_only):
            ways.get(node.attached_to or "", []).append(node.id)
    return {id_: tuple(out) for id_, out in ways.items()}


def _backwards(ways: Ways) -> Ways:
    back: dict[str, list[str]] = {id_: [] for id_ in ways}
    for id_, out in ways.items():
        for way in out:
            back[way].append(id_)
    return {id_: tuple(into) for id_, into in back.items()}


def _reach(ways: Ways, starts: Iterable[str]) -> set[str]:
    return _spread(ways, starts, lambda _: True)


def _reach_without(ways: Ways, start: str, stop: str) -> set[str]:
    """What can be reached without leaving `stop`, which itself may be reached."""
    return _spread(ways, [start], lambda id_: id_ != stop)


def _spread(ways: Ways, starts: Iterable[str], goes_on: Callable[[str], bool]) -> set[str]:
    seen: set[str] = set()
    stack = list(starts)
    while stack:
        id_ = stack.pop()
        if id_ not in seen:
            seen.add(id_)
            if goes_on(id_):
                stack.extend(ways.get(id_, ()))
    return seen


def _arriving(ways: Ways, id_: str) -> int:
    return sum(way == id_ for out in ways.values() for way in out)


def _forks(nodes: list[Node], ways: Ways) -> list[str]:
    return [n.id for n in nodes if n.kind == "parallelGateway" and len(ways[n.id]) > 1]
