"""Moves a case along its BPMN: the only module that knows SpiffWorkflow.

A `Marking` is everything SpiffWorkflow has to remember between two steps, and nothing else: which
elements are open and what structure stands above them. Data never enter SpiffWorkflow: routing
variables are kept beside it, one mapping per element, written whole at each completion, so no
join can lose an update and no round can read the one before by accident.

Fences, each for a fault seen in SpiffWorkflow 3.2.0: ids come from a counter and never reach a
marking; no wall clock is asked, timers and messages happen only when `fire` says so; conditions go
to engine.expressions, business rules to engine.decisions; finished branches are pruned after every
step, so round 500 costs what round 1 costs and no iterator meets its depth limit of 1000.
"""

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import SpiffWorkflow.task
from lxml import etree
from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser
from SpiffWorkflow.bpmn.specs.control import BoundaryEventSplit
from SpiffWorkflow.bpmn.specs.event_definitions.base import EventDefinition
from SpiffWorkflow.bpmn.specs.event_definitions.timer import (
    DurationTimerEventDefinition,
    TimeDateEventDefinition,
)
from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.specs.mixins.parallel_gateway import ParallelGateway
from SpiffWorkflow.bpmn.util.subworkflow import BpmnBaseWorkflow, BpmnSubWorkflow
from SpiffWorkflow.specs.base import TaskSpec
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.decisions import decide
from engine.definitions import Definition, hardened_xml
from engine.errors import Conflict, Refusal
from engine.expressions import compile_expression

# Bumped whenever the same events would replay to another marking: pinned in each case's first
# event, so that an old case is never judged by a kernel it was not run on.
KERNEL: Final = "spiff-3.2.0/1"
# A step that passes more elements than this without reaching a person or a clock is a loop.
MOST_ELEMENTS_A_STEP: Final = 2000

_BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_SPLIT = ".BoundaryEventSplit"

# Task ids only have to differ within the process; uuid4 costs a fifth of a step and its hash more.
_ids = itertools.count(1)
SpiffWorkflow.task.uuid4 = lambda: next(_ids)
# A timer has fired when `fire` said so, never because a wall clock passed.
for _definition in (TimeDateEventDefinition, DurationTimerEventDefinition):
    _definition.has_fired = EventDefinition.has_fired


def _predict_one_level(
    self: TaskSpec,
    my_task: Task,
    seen: Any = None,
    looked_ahead: int = 0,
    mask: int = TaskState.PREDICTED_MASK,
) -> None:
    """Make a task's children and no more: Spiff would build the whole definite way ahead.

    Nothing we run asks further: an element's children are made when it is reached (below), and
    what lies behind a gateway is decided there. Consecutive parallel blocks cost no explosion.
    """
    if my_task.has_state(mask):
        self._predict_hook(my_task)


def _update_with_children(self: TaskSpec, my_task: Task) -> None:
    # A boundary event is set waiting by its split without ever having been updated.
    if not my_task._children or my_task.has_state(TaskState.PREDICTED_MASK | TaskState.FUTURE):
        self._predict_hook(my_task)
    if self._update_hook(my_task):
        my_task._ready()


def _set_state(self: Task, value: int) -> None:
    """Set a state without Spiff's wall-clock stamp and log line: we record by events."""
    self._state = value


def _update_waiting(self: Any) -> None:
    """Spiff's update_waiting_tasks for joins, in tree order; events wait for `fire` alone."""
    joins = [task for task in self.tasks.values() if task._state == TaskState.WAITING]
    joins = [task for task in joins if not isinstance(task.task_spec, CatchingEvent)]
    if len(joins) > 1:
        joins = [task for task in _walk(self.task_tree) if task in joins]
    for task in joins:
        task.task_spec._update(task)


def _all_have_come(self: ParallelGateway, my_task: Task) -> bool:
    """Whether a token stands on each way in. Spiff also counts who came in the rounds before."""
    came = {
        task.parent.task_spec
        for task in my_task.workflow.tasks.values()
        if task.task_spec is self and _has_come(task)
    }
    return came.issuperset(self.inputs)


def _has_come(task: Task) -> bool:
    """Whether this instance of a join is a token that no firing of the join has used up.

    Spiff keeps one of them waiting and cancels the others as the next arrives; one that fired is
    completed.
    """
    return (
        task._state != TaskState.COMPLETED
        and "used" not in task.internal_data
        and task.parent is not None
        and task.parent._state == TaskState.COMPLETED
    )


def _use_up(self: ParallelGateway, my_task: Task) -> bool:
    for task in my_task.workflow.tasks.values():
        if task.task_spec is self and task._state == TaskState.CANCELLED:
            task.internal_data["used"] = True
    return True


def _no_log_extras(self: Any, dct: Any = None) -> dict[str, Any]:
    """Spiff gathers these at every start and end, for log lines nobody has asked for."""
    return {}


BpmnBaseWorkflow.collect_log_extras = _no_log_extras
TaskSpec._predict = _predict_one_level
TaskSpec._update = _update_with_children
Task._set_state = _set_state
BpmnBaseWorkflow.update_waiting_tasks = _update_waiting
ParallelGateway._check_threshold_unstructured = _all_have_come
ParallelGateway._run_hook = _use_up


class StepNotOpen(Conflict):
    """The step named is not waiting to be done."""


class ProcessStuck(Refusal):
    """The process ran on without reaching a person, a clock or its end."""


@dataclass(frozen=True, slots=True)
class Marking:
    """Where a case stands: `flows` = one row per (sub-)process, `counts` = activations so far.

    A flow is [spec name, place of its parent task or None, tasks]; a task is
    [spec name, state, index of its parent task or -1, activation number or 0].
    JSON-able; equal markings are equal JSON.
    """

    flows: list[Any]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open step: `key` = element#activation; kind user, timer or message."""

    key: str
    element: str
    kind: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one move did: the new marking and the facts a machine computed on the way."""

    marking: Marking
    variables: dict[str, dict[str, Any]]
    path: list[str]
    gateways: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    lots: list[dict[str, Any]]
    opened: list[Waiting]
    closed: list[str]
    ends: list[str]
    finished: bool
    sends: list["Sending"]


@dataclass(frozen=True, slots=True)
class Sending:
    """What a send says: for which party, what, and to which case where it names one."""

    send: str
    party: str | None
    form: dict[str, Any]
    case: str | None


@dataclass(slots=True)
class Script:
    """What SpiffWorkflow asks while it runs: conditions, rules, lots, sends. Collects the facts."""

    definition: Definition
    variables: dict[str, dict[str, Any]]
    seed: bytes
    path: list[str] = field(default_factory=list)
    gateways: list[dict[str, Any]] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    lots: list[dict[str, Any]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    sends: list["Sending"] = field(default_factory=list)

    def evaluate(self, task: Any, expression: str, external_context: Any = None) -> bool:
        return compile_expression(expression).holds(self.variables)

    def execute(self, task: Any, script: str, external_context: Any = None) -> bool:
        if script in self.definition.rules:
            self._rule(script)
        elif script in self.definition.sends:
            self._send(script)
        else:
            self._lot(script)
        return True

    def _send(self, element: str) -> None:
        """What is told, and for whom: one telling for each party, or one for nobody in particular.

        Who the children are, and where a case is, is not known here: engine.advance addresses it.
        """
        drawn = self.definition.sends[element]
        parties = drawn.each.evaluate(self.variables) if drawn.each else [None]
        if drawn.opens:
            self.variables.setdefault(element, {"count": 0, "open": 0})
        for party in dict.fromkeys(parties or ()):
            sending, counts = say_to_party(self.definition, element, party, self.variables)
            self.sends.append(sending)
            if drawn.opens:
                self.variables[element] = counts

    def _rule(self, element: str) -> None:
        rule = self.definition.rules[element]
        decided = decide(rule, self.variables)
        self.variables[element] = dict(decided.outputs)
        self.rules.append(
            {
                "rule": element,
                "sha256": rule.sha256,
                "row": decided.row,
                "inputs": dict(decided.inputs),
                "outputs": dict(decided.outputs),
            }
        )

    def _lot(self, element: str) -> None:
        # The hash of the causing event did not exist before the act, so nobody could choose
        # the outcome, and everybody can recompute it: SHA-256(seed || element) mod 1000.
        per_mille = self.definition.lots[element].evaluate(self.variables)
        drawn = draw(self.seed, element, 1000) < per_mille
        self.variables[element] = {"drawn": drawn}
        self.lots.append({"lot": element, "per_mille": per_mille, "drawn": drawn})


def say_to_party(
    definition: Definition, element: str, party: str | None, variables: Mapping[str, Any]
) -> tuple[Sending, dict[str, int]]:
    """What a send says to one party, and its counts with one child more: {count, open}."""
    drawn = definition.sends[element]
    names = {**variables, "each": party}
    told = {name: text.evaluate(names) for name, text in drawn.payload.items()}
    form = {name: value for name, value in told.items() if value is not None}
    case = drawn.case.evaluate(names) if drawn.case else None
    before = variables.get(element, {"count": 0, "open": 0})
    counts = {"count": before["count"] + 1, "open": before["open"] + 1}
    return Sending(element, party, form, case), counts


def draw(seed: bytes, purpose: str, sides: int) -> int:
    """A number in [0, sides) anybody can recompute: first 8 bytes of SHA-256(seed || purpose)."""
    digest = hashlib.sha256(seed + purpose.encode()).digest()
    return int.from_bytes(digest[:8], "big") % sides


class Run:
    """A case being moved: the live SpiffWorkflow object behind a marking; never shared."""

    def __init__(self, definition: Definition, marking: Marking | None) -> None:
        self._definition = definition
        self._top, self._subs = _specs(definition)
        if marking is None:
            self._counts: dict[str, int] = {}
            self._flow = BpmnWorkflow(self._top, self._subs)
        else:
            self._counts = dict(marking.counts)
            self._flow = _restore(self._top, self._subs, marking)

    def begin(self, variables: Mapping[str, dict[str, Any]], *, seed: bytes) -> Step:
        """Start the process and run to the first steps that wait for somebody."""
        return self.begin_with(Script(self._definition, dict(variables), seed))

    def begin_with(self, script: Script) -> Step:
        """The same, asking this script; it has the variables."""
        return self._advance(None, script, [])

    def complete(
        self,
        key: str,
        outcome: dict[str, Any],
        variables: Mapping[str, dict[str, Any]],
        *,
        seed: bytes,
    ) -> Step:
        """Complete the open user task `key`; `outcome` replaces what its element said before.

        Raises StepNotOpen; ExpressionFailed or a rule's refusal from what follows. After any
        exception this object is half-moved and must be thrown away.
        """
        element = key.rpartition("#")[0]
        script = Script(self._definition, {**variables, element: outcome}, seed)
        return self.complete_with(key, script)

    def complete_with(self, key: str, script: Script) -> Step:
        """The same, asking this script, whose variables have the outcome already."""
        before = list(self._open_tasks())
        task = _find(before, key, manual=True)
        return self._advance(task, script, _keys(before, key))

    def fire(self, key: str, variables: Mapping[str, dict[str, Any]], *, seed: bytes) -> Step:
        """Let the waiting timer or message `key` happen. Raises StepNotOpen."""
        return self.fire_with(key, Script(self._definition, dict(variables), seed))

    def fire_with(self, key: str, script: Script) -> Step:
        """The same, asking this script; it has the variables."""
        before = list(self._open_tasks())
        task = _find(before, key, manual=False)
        keys = _keys(before, key)
        task._set_internal_data(event_fired=True)
        task.task_spec._update(task)
        return self._advance(None, script, keys)

    def close(self) -> None:
        """Let go of the live object: tasks and flows hold each other, and nobody else should."""
        for flow in [self._flow, *self._flow.subprocesses.values()]:
            flow.tasks.clear()
            flow.task_tree = None
        self._flow.subprocesses.clear()

    def waiting(self) -> list[Waiting]:
        """The open steps, in the order in which the process tree holds them."""
        return [_waiting(self._definition, task) for task in self._open_tasks()]

    def marking(self) -> Marking:
        """What has to be remembered until the next move."""
        return Marking(_dump(self._flow), dict(sorted(self._counts.items())))

    def _open_tasks(self) -> Iterator[Task]:
        for flow in _flows(self._flow):
            for task in _walk(flow.task_tree):
                if _is_open(task):
                    yield task

    def _advance(self, task: Task | None, script: Script, before: list[str]) -> Step:
        self._flow.script_engine = script
        if task is not None:
            _run(task, script)
        _run_machine(self._flow, script)
        _prune(self._flow)
        after = list(self._open_tasks())
        opened = [self._number(open_) for open_ in after if not _numbered(open_)]
        still = {_key(open_) for open_ in after}
        closed = [key for key in before if key not in still]
        return Step(
            self.marking(), script.variables, script.path, script.gateways, script.rules,
            script.lots, opened, closed, script.ends, bool(self._flow.completed), script.sends,
        )  # fmt: skip

    def _number(self, task: Task) -> Waiting:
        element = task.task_spec.bpmn_id
        task.internal_data["n"] = self._next(element)
        return _waiting(self._definition, task)

    def _next(self, element: str) -> int:
        """The number of the next activation of an element."""
        self._counts[element] = self._counts.get(element, 0) + 1
        return self._counts[element]


def _find(open_: list[Task], key: str, *, manual: bool) -> Task:
    for task in open_:
        if task.task_spec.manual is manual and _key(task) == key:
            return task
    raise step_not_open(key)


def step_not_open(key: str) -> StepNotOpen:
    """The refusal for a step that is not waiting, or not to be done so."""
    return StepNotOpen(
        f"步骤 {key} 现在不在等待办理，可能刚被别人办完。请刷新后再看。",
        f"Step {key} is not waiting to be done; somebody may just have done it. Reload.",
    )


def _keys(open_: list[Task], first: str) -> list[str]:
    """The keys of open steps: the one that is acted on first, the others as they stand."""
    keys = [_key(task) for task in open_]
    keys.remove(first)
    return [first, *keys]


def _is_open(task: Task) -> bool:
    if task._state == TaskState.READY:
        return bool(task.task_spec.manual)
    return task._state == TaskState.WAITING and isinstance(task.task_spec, CatchingEvent)


def _numbered(task: Task) -> bool:
    return "n" in task.internal_data


def _key(task: Task) -> str:
    return f"{task.task_spec.bpmn_id}#{task.internal_data['n']}"


def _waiting(definition: Definition, task: Task) -> Waiting:
    element = task.task_spec.bpmn_id
    kind = (
        "user" if task.task_spec.manual else "timer" if element in definition.timers else "message"
    )
    return Waiting(_key(task), element, kind)


def _flows(top: BpmnWorkflow) -> list[Any]:
    """The main process and its live sub-processes, in the order their parent tasks stand."""
    return [top, *(flow for flow in top.subprocesses.values() if not flow.completed)]


def _walk(root: Task) -> Iterator[Task]:
    """All tasks of one flow, parents first, without recursion and without Spiff's depth limit.

    Children are looked up after their parent was handed out: what it brought about comes next.
    """
    tasks = root.workflow.tasks
    stack = [root.id]
    while stack:
        task = tasks.get(stack.pop())
        if task is not None:
            yield task
            stack.extend(reversed(task._children))


def _run(task: Task, script: Script) -> None:
    if not task._children:  # one that was restored: its children are made when they are needed
        task.task_spec._predict_hook(task)
    task.run()
    spec = task.task_spec
    element = getattr(spec, "bpmn_id", None)
    if element is None:
        return
    script.path.append(element)
    gateway = script.definition.gateways.get(element)
    if gateway is not None:
        targets = {flow.target: flow.id for flow in gateway.flows}
        chosen = task.children[0].task_spec.name.removesuffix(_SPLIT)
        script.gateways.append({"gateway": element, "flow": targets[chosen]})
    if element in script.definition.ends and task.workflow.top_workflow is task.workflow:
        script.ends.append(element)


def _run_machine(top: BpmnWorkflow, script: Script) -> None:
    """Run everything that waits for nobody: innermost flows first, tree order within each."""
    passed, progressed = 0, True
    while progressed:
        progressed = False
        for flow in reversed(_flows(top)):
            for task in _walk(flow.task_tree):
                if task._state == TaskState.READY and not task.task_spec.manual:
                    _run(task, script)
                    progressed = True
                    passed += 1
                    if passed > MOST_ELEMENTS_A_STEP:
                        raise _stuck()
            if flow is not top:
                parent = top.get_task_from_id(flow.parent_task_id)
                if parent._state == TaskState.STARTED:
                    parent.task_spec._update(parent)
                    progressed = progressed or parent._state == TaskState.READY


def _stuck() -> ProcessStuck:
    return ProcessStuck(
        "流程在没有人办理的情况下一直循环，没有生效。请让管理员检查流程定义。",
        "The process loops without waiting for anybody; nothing was done.",
    )


def _prune(top: BpmnWorkflow) -> None:
    """Forget what no later step can ask about: this is part of the transition, not an optimisation.

    What is left depends on where the tokens are, not on the way by which they came there.
    """
    for key, flow in list(top.subprocesses.items()):
        if flow.completed:
            del top.subprocesses[key]
    for flow in _flows(top):
        joining = {
            task.task_spec.name
            for task in flow.tasks.values()
            if task._state == TaskState.WAITING and isinstance(task.task_spec, ParallelGateway)
        }
        for task in reversed(list(_walk(flow.task_tree))):
            if task._state & TaskState.FINISHED_MASK and task._parent is not None:
                _forget(flow, task, joining)


def _forget(flow: Any, task: Task, joining: set[str]) -> None:
    tasks = flow.tasks
    # An arrived branch of an open parallel join: its cancelled or waiting instance, and the task
    # before it, are how the join knows who has come.
    if _is_arrival(task, joining):
        return
    children = [tasks[child] for child in task._children]
    if any(_is_arrival(child, joining) for child in children):
        return
    parent = tasks[task._parent]
    if children and _is_open_split(parent, tasks):
        return
    if _is_open_split(task, tasks):
        return
    at = parent._children.index(task.id)
    parent._children[at : at + 1] = task._children
    for child in children:
        child._parent = parent.id
    del tasks[task.id]


def _is_arrival(task: Task, joining: set[str]) -> bool:
    return task.task_spec.name in joining and _has_come(task)


def _is_open_split(task: Task, tasks: Mapping[Any, Task]) -> bool:
    """A split whose activity or boundary events are still open is asked by its join later."""
    spec = task.task_spec
    # A child of another kind is what came after one that is done and forgotten.
    return isinstance(spec, BoundaryEventSplit) and any(
        tasks[child]._state & TaskState.DEFINITE_MASK and tasks[child].task_spec in spec.outputs
        for child in task._children
    )


def _dump(top: BpmnWorkflow) -> list[Any]:
    """Write all flows as lists; predicted tasks are left out, they can be predicted again."""
    rows: list[Any] = []
    places: dict[Any, list[int]] = {}
    for place, flow in enumerate(_flows(top)):
        index: dict[Any, int] = {}
        tasks: list[Any] = []
        for task in _walk(flow.task_tree):
            if task._state & (TaskState.PREDICTED_MASK | TaskState.FUTURE):
                continue
            index[task.id] = len(tasks)
            places[task.id] = [place, len(tasks)]
            above = index.get(task._parent, -1)
            tasks.append([task.task_spec.name, task._state, above, task.internal_data.get("n", 0)])
        parent = getattr(flow, "parent_task_id", None)
        rows.append([flow.spec.name, places[parent] if parent else None, tasks])
    return rows


def _restore(top_spec: Any, sub_specs: Any, marking: Marking) -> BpmnWorkflow:
    top = BpmnWorkflow(top_spec, sub_specs, deserializing=True)
    made: list[list[Task]] = []
    for name, parent, rows in marking.flows:
        if parent is None:
            flow = top
        else:
            holder = made[parent[0]][parent[1]]
            flow = BpmnSubWorkflow(sub_specs[name], holder.id, top, deserializing=True)
            top.subprocesses[holder.id] = flow
            flow.completed_event.connect(holder.task_spec._on_subworkflow_completed, holder)
        made.append(_restore_tasks(flow, rows))
    return top


def _restore_tasks(flow: Any, rows: list[Any]) -> list[Task]:
    tasks: list[Task] = []
    for name, state, above, number in rows:
        parent = tasks[above] if above >= 0 else None
        task = Task(flow, flow.spec.task_specs[name], parent, state=state)
        task.thread_id = 0
        if number:
            task.internal_data["n"] = number
        tasks.append(task)
    flow.task_tree = tasks[0]
    return tasks


@lru_cache(maxsize=64)
def _parsed(digest: str, process: str, bpmn: bytes) -> tuple[Any, Any]:
    parser = BpmnParser()
    parser.add_bpmn_xml(_executable(bpmn))
    return parser.get_spec(process), parser.get_subprocess_specs(process)


def _specs(definition: Definition) -> tuple[Any, Any]:
    return _parsed(definition.digest, definition.key, definition.bpmn)


def _executable(bpmn: bytes) -> Any:
    """The drawing as SpiffWorkflow may see it: no extensions, and machine steps as hooks of ours.

    A business rule, lot or send becomes a script task whose script is its own id; `Script.execute`
    knows what to do with it. Nothing in the file is ever run as Python.
    """
    root = hardened_xml(bpmn)
    for extension in list(root.iter(f"{_BPMN}extensionElements")):
        above = extension.getparent()
        if above is not None:
            above.remove(extension)
    for tag in ("businessRuleTask", "serviceTask", "sendTask"):
        for element in root.iter(f"{_BPMN}{tag}"):
            element.tag = f"{_BPMN}scriptTask"
            etree.SubElement(element, f"{_BPMN}script").text = element.get("id")
    return root
