"""The metrics computed a second time, by other means: plain Python over the JSON of the entries.

Nothing of audit.metrics is used. A case is read backwards and forwards as a list of objects, where
the product folds; times stay text, which sorts as the instants do.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

Event = dict[str, Any]
Pair = tuple[int, int]


class Street:
    """A log's entries by case, up to an instant (text), and the kinds of its units."""

    def __init__(self, bodies: Iterable[bytes], until: str) -> None:
        self.cases: dict[str, list[Event]] = defaultdict(list)
        self.kinds: dict[str, str] = {}
        for event in map(json.loads, bodies):
            if event["type"] == "unit.created":
                self.kinds[event["data"]["unit"]] = event["data"]["kind"]
            elif not event["case"].startswith("@") and event["at"] < until:
                self.cases[event["case"]].append(event)
        for events in self.cases.values():
            events.sort(key=lambda one: one["seq"])

    def of(self, process: str) -> Iterator[list[Event]]:
        for events in self.cases.values():
            if events and events[0]["data"].get("process") == process:
                yield events

    def community(self, events: list[Event]) -> str:
        path = events[0]["data"]["place"]["path"]
        return next((unit for unit in path if self.kinds[unit] == "community"), "")


def element(task: str) -> str:
    return task.split("#")[0]


def opened(events: list[Event], name: str) -> list[tuple[str, int, str]]:
    """(at, seq, task) of each activation of an element."""
    return [
        (e["at"], e["seq"], row["task"])
        for e in events
        if e["type"] == "case.advanced"
        for row in e["data"].get("opened", [])
        if row["element"] == name
    ]


def done(events: list[Event], *names: str) -> list[Event]:
    """The completions of these elements."""
    return [
        e for e in events if e["type"] == "task.completed" and element(e["data"]["task"]) in names
    ]


def sent_back(events: list[Event], task: str) -> bool:
    return any(
        e["data"].get("task") == task
        for e in events
        if e["type"] in ("task.returned", "task.withdrawn", "objection.raised")
    )


def ended_as(events: list[Event], *names: str) -> str | None:
    for e in events:
        if e["type"] == "case.advanced" and set(names) & {
            *e["data"]["path"], *e["data"].get("ends", []), e["data"].get("ended"),
        }:  # fmt: skip
            return str(e["at"])
    return None


def duties(events: list[Event]) -> list[dict[str, Any]]:
    """Rectifications cut into rounds at each completed closing."""
    cuts = [e["seq"] for e in done(events, "close")]
    told = []
    for n in range(len(cuts) + 1):
        low, high = (cuts[n - 1] if n else 0), (cuts[n] if n < len(cuts) else 1 << 60)
        works = [one for one in opened(events, "rectify") if low < one[1] <= high]
        if works:
            told.append(_duty(events, works, low))
    return told


def _duty(events: list[Event], works: list[tuple[str, int, str]], low: int) -> dict[str, Any]:
    first = works[0][2]
    nexts = [s for _, s, _ in opened(events, "rectify") if s > works[-1][1]]
    end = min(nexts, default=1 << 60)
    closings = [one for one in opened(events, "close") if works[0][1] < one[1] < end]
    again = [s for name in ("rectify", "assign") for _, s, _ in opened(events, name)]
    holds = bool(closings) and not sent_back(events, closings[-1][2])
    holds = holds and not any(s > closings[-1][1] for s in again)
    tasks = [task for _, _, task in works]
    sets = [e for e in events if e["type"] == "deadline.set" and e["data"]["task"] == first]
    why = {e["seq"]: e["type"] for e in events}
    lawful = [e["data"]["due"] for e in sets if why[e["cause"]] != "standing.listed"]
    hand_in = [e for e in done(events, "rectify") if e["data"]["task"] in tasks]
    granted = [e["data"]["task"] for e in events if e["type"] == "extension.granted"]
    stopped = False
    for task in tasks:
        clock = [e["type"] for e in events if e["data"].get("task") == task
                 and e["type"] in ("pause.granted", "clock.resumed")]  # fmt: skip
        still_open = not any(
            row["task"] == task
            for e in events
            if e["type"] == "case.advanced"
            for row in e["data"].get("closed", [])
        )
        stopped |= still_open and clock[-1:] == ["pause.granted"]
    return {
        "original": sets[0]["data"]["due"],
        "lawful": lawful[-1],
        "accepted": closings[-1][0] if holds else None,
        "passed": max(e["at"] for e in hand_in if e["seq"] < closings[-1][1]) if holds else None,
        "extended": bool(set(granted) & set(tasks)),
        "stopped": stopped,
    }


def _cells() -> dict[str, list[int]]:
    return defaultdict(lambda: [0, 0])


class Again:
    """Numerators and denominators of each metric by community, for [since, until) as text."""

    def __init__(self, bodies: Iterable[bytes], since: str, until: str) -> None:
        self.street, self.since, self.until = Street(bodies, until), since, until
        self.rates: dict[str, dict[str, list[int]]] = defaultdict(_cells)
        self.out: dict[str, Counter[str]] = defaultdict(Counter)
        self.minutes: list[int | None] = []
        self.overdue_days: list[int] = []
        for events in self.street.of("hazard"):
            self._hazard(events)
            self._given(events, "sign_in")
        for events in self.street.of("response"):
            self._response(events)
            self._given(events, "sign_in", "arrive_at_once")
        for events in self.street.of("patrol"):
            self._patrol(events)
        for events in self.street.of("hotline"):
            self._complaint(events)

    def within(self, at: str | None) -> bool:
        return at is not None and self.since <= at < self.until

    def count(self, metric: str, events: list[Event], hit: bool, of: int = 1) -> None:
        cell = self.rates[metric][self.street.community(events)]
        cell[0] += int(hit)
        cell[1] += of

    def whole(self, metric: str) -> Pair:
        cells = self.rates[metric].values()
        return sum(one[0] for one in cells), sum(one[1] for one in cells)

    def _hazard(self, events: list[Event]) -> None:
        void = ended_as(events, "closed_not_hazard", "transferred")
        merged = ended_as(events, "merged")
        for metric in ("rectified_of_due", "rectified_of_found", "in_time", "in_original_time"):
            self.out[metric]["void"] += self.within(void)
            self.out[metric]["merged"] += self.within(merged)
        told = duties(events)
        accepted = bool(told) and told[-1]["accepted"] is not None
        for duty in told:
            self._duty(events, duty, accepted)
        assigned = opened(events, "assign")
        found = assigned[0][0] if assigned else None
        if self.within(found) and not (void or merged):
            self.count("rectified_of_found", events, accepted)
            end = told[-1]["accepted"] if accepted else None
            self.minutes.append(None if end is None else minutes(str(found), end))
        if self.within(found):
            self.count("found_by_others", events, not self._own_find(events))
        for look in done(events, "second_look"):
            if self.within(look["at"]):
                self.count("second_looks", events, look["data"]["form"]["decision"] == "override")
        self._closings(events)
        if told and not accepted and not told[-1]["stopped"] and told[-1]["lawful"] < self.until:
            late = (instant(self.until) - instant(told[-1]["lawful"])).days
            level = [e["data"]["form"]["level"] for e in done(events, "confirm", "second_look")
                     if "level" in e["data"]["form"]]  # fmt: skip
            graded = [
                rule["outputs"]["level"]
                for e in events
                if e["type"] == "case.advanced"
                for rule in e["data"].get("rules", [])
                if "level" in rule["outputs"]
            ]
            self.overdue_days.append(late * (10 if (graded or level)[-1] == "major" else 1))

    def _duty(self, events: list[Event], duty: dict[str, Any], accepted: bool) -> None:
        passed, lawful, original = duty["passed"], duty["lawful"], duty["original"]
        if self.within(lawful):
            for metric, hit in (
                ("rectified_of_due", accepted),
                ("in_time", passed is not None and passed <= lawful),
            ):
                if duty["stopped"] and not hit:
                    self.out[metric]["paused"] += 1
                else:
                    self.count(metric, events, hit)
        if self.within(original):
            self.count("in_original_time", events, passed is not None and passed <= original)
            self.count("extended", events, duty["extended"])

    def _own_find(self, events: list[Event]) -> bool:
        first = events[0]
        unit = first["actor"].get("informant", first["actor"]).get("unit")
        path = first["data"]["place"]["path"]
        block = [u for u in path if self.street.kinds[u] not in ("street", "company")]
        return unit in block and first["data"].get("spoken_by") in (
            None, "colleague", "grid_worker",
        )  # fmt: skip

    def _closings(self, events: list[Event]) -> None:
        closings = done(events, "close")
        for n, closing in enumerate(closings):
            low = closing["seq"]
            high = closings[n + 1]["seq"] if n + 1 < len(closings) else 1 << 60
            between = [e for e in events if low < e["seq"] < high]
            for metric, names in (
                ("refuted", ("re_accept", "reinspect")), ("refuted_by_lot", ("reinspect",)),
            ):  # fmt: skip
                looks = done(between, *names)
                if looks and self.within(looks[0]["at"]):
                    bad = any(e["data"]["form"]["result"] in ("fail", "present") for e in looks)
                    self.count(metric, events, bad)
            if self.within(closing["at"]):
                undone = any(e["type"] == "case.reopened" for e in between)
                self.count("reopened", events, undone)

    def _given(self, events: list[Event], *names: str) -> None:
        """Dispatches, and what was objected to."""
        raised = [e for e in events if e["type"] == "objection.raised"]
        for name in names:
            for at, _, task in opened(events, name):
                if self.within(at):
                    self.count("objected", events, any(e["data"]["task"] == task for e in raised))
        for objection in raised:
            if self.within(objection["at"]):
                rulings = [
                    e["data"]["form"]["ruling"]
                    for e in done(events, "rule_objection", "rule_at_once")
                    if e["seq"] > objection["seq"]
                ]
                if rulings:
                    self.count("upheld", events, rulings[0] == "upheld")

    def _response(self, events: list[Event]) -> None:
        if not self.within(events[0]["at"]):
            return
        for reason, ends in (("released", ("released", "released_by_desk")),
                             ("withdrawn", ("withdrawn",))):  # fmt: skip
            if ended_as(events, *ends):
                self.out["responded"][reason] += 1
                self.out["arrived_in_time"][reason] += 1
                return
        last = {e["data"]["task"]: e["data"]["due"] for e in events if e["type"] == "deadline.set"}
        came = done(events, "arrive", "arrive_at_once")
        touched = done(events, "contact", "arrive", "arrive_at_once")
        signed = done(events, "sign_in", "sign_in_bound")
        late = any(e["at"] > last[e["data"]["task"]] for e in signed)
        missed = self._missed(events, last)
        due = [last[task] for task in last if element(task) in ("arrive", "arrive_at_once")]
        for metric, acts, blamed in (
            ("responded", touched, late),
            ("arrived_in_time", came, False),
        ):
            if acts:
                in_time = acts[0]["at"] <= due[-1]
                self.count(metric, events, in_time and not blamed)
            elif blamed or missed:
                self.count(metric, events, False)
            else:
                self.out[metric]["open"] += 1

    def _missed(self, events: list[Event], last: dict[str, str]) -> bool:
        ended = {
            row["task"]: (e["at"], row["how"])
            for e in events
            if e["type"] == "case.advanced"
            for row in e["data"].get("closed", [])
        }
        names = ("sign_in", "sign_in_bound", "arrive", "arrive_at_once")
        tasks = [task for name in names for _, _, task in opened(events, name)]
        return any(
            ended.get(task, ("", ""))[1] != "completed"
            and last[task] < ended.get(task, (self.until, ""))[0]
            for task in tasks
        )

    def _patrol(self, events: list[Event]) -> None:
        due = [e["data"]["due"] for e in events if e["type"] == "deadline.set"
               and e["data"]["task"] == "walk#1"]  # fmt: skip
        walks = done(events, "walk")
        if self.within(due[-1]):
            self.count("walked", events, bool(walks))
        for walk in walks:
            if self.within(walk["at"]):
                form = walk["data"]["form"]
                self.count("found", events, form["result"] == "found")
                items = [e["data"]["form"]["category"] for e in done(events, "record_item")
                         if e["seq"] > walk["seq"]]  # fmt: skip
                if len(items) >= form.get("count", 0):
                    every = {*form["checked"], *items}
                    cell = self.rates["conforming"][self.street.community(events)]
                    cell[0] += len(every - set(items))
                    cell[1] += len(every)
        looks = done(events, "recheck")
        if looks and self.within(looks[-1]["at"]):
            said = {*walks[-1]["data"]["form"]["checked"]}
            said |= {e["data"]["form"]["category"] for e in done(events, "record_item")}
            form = looks[-1]["data"]["form"]
            cell = self.rates["rechecked_items"][self.street.community(events)]
            cell[0] += len(said.intersection(form.get("changed", [])))
            cell[1] += len(said.intersection(form["looked_again"]))

    def _complaint(self, events: list[Event]) -> None:
        starts = opened(events, "revisit")
        for n, (at, seq, _) in enumerate(starts):
            if not self.within(at):
                continue
            end = starts[n + 1][1] if n + 1 < len(starts) else 1 << 60
            forms = [e["data"]["form"] for e in done(events, "revisit", "revisit_again",
                     "revisit_last") if seq < e["seq"] < end]  # fmt: skip
            heard = [form for form in forms if form["reached"] == "reached"]
            self.count("reached", events, bool(heard))
            for metric in ("solved", "satisfied"):
                if heard and metric in heard[0]:
                    self.count(metric, events, heard[0][metric] == "yes")
        replies = done(events, "reply")
        again = [s for name in ("reopen_first", "reopen_second", "final_review")
                 for _, s, _ in opened(events, name)]  # fmt: skip
        for n, reply in enumerate(replies):
            if self.within(reply["at"]):
                end = replies[n + 1]["seq"] if n + 1 < len(replies) else 1 << 60
                hit = any(reply["seq"] < s < end for s in again)
                self.count("reopened_complaints", events, hit)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def minutes(since: str, until: str) -> int:
    return int((instant(until) - instant(since)).total_seconds() // 60)
