"""The rest of the metrics a second time, by plain Python over the JSON of the entries.

Of what people said, ordered and put off, of who came when, and of complaints about complaints.
Nothing of audit.metrics is used.
"""

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

from tests.metrics_again import (
    Again,
    Event,
    done,
    element,
    ended_as,
    instant,
    minutes,
    opened,
    sent_back,
)

REPEATED_WITHIN = timedelta(days=90)
FOREVER = 1 << 60


class Acts:
    """Hits and of by metric and community, what is left out, durations in minutes (None: open)."""

    def __init__(self, again: Again) -> None:
        self.street, self.within, self.until = again.street, again.within, again.until
        self.rates: dict[str, dict[str, list[int]]] = defaultdict(
            lambda: defaultdict(lambda: [0, 0])
        )
        self.out: dict[str, Counter[str]] = defaultdict(Counter)
        self.minutes: dict[str, list[int | None]] = defaultdict(list)
        self.places: dict[tuple[str, str], tuple[list[Event], bool]] = {}
        self.named = {key: events for events in self.street.cases.values() if events
                      for key in (events[0]["case"], events[0]["data"]["number"])}  # fmt: skip
        for events in self.street.of("hazard"):
            self._ratings(events)
            self._suppressed(events)
        for events in self.street.of("patrol"):
            self._suppressed(events)
        for process, names in (
            ("hazard", ["sign_in"]),
            ("response", ["sign_in", "arrive_at_once"]),
        ):
            for events in self.street.of(process):
                self._dodges(events, names)
        for events in self.street.of("patrol"):
            self._place(events)
        for events, walked in self.places.values():
            self.count("objects", events, walked)
        for events in self.street.of("accident"):
            self._determined(events)
        for events in self.street.of("whistle"):
            self._first_arrival(events)
        for events in self.street.of("response"):
            self._arrival(events)
            self._evaluations(events)
        for events in self.street.of("hotline"):
            self._repeated(events)
            self._found_true(events)
        for events in self.street.cases.values():
            if events and events[0]["data"]["process"] != "hotline":
                self._orders(events)

    def count(self, metric: str, events: list[Event], hit: bool) -> None:
        cell = self.rates[metric][self.street.community(events)]
        cell[0] += int(hit)
        cell[1] += 1

    def _ratings(self, events: list[Event]) -> None:
        closings = done(events, "close")
        for n, closing in enumerate(closings):
            if not self.within(closing["at"]):
                continue
            high = closings[n + 1]["seq"] if n + 1 < len(closings) else FOREVER
            rated = [e for e in events if e["type"] == "result.rated"]
            said = [e["data"]["answer"] for e in rated if closing["seq"] < e["seq"] < high]
            if said:
                self.count("rated_satisfied", events, said[-1] == "satisfied")
            elif events[0]["data"]["source"] == "resident":
                self.out["rated_satisfied"]["not_rated"] += 1

    def _held(self, events: list[Event], rule: str) -> list[Event]:
        return [e for e in events if e["type"] == "signal.confirmed" and e["data"]["rule"] == rule]

    def _suppressed(self, events: list[Event]) -> None:
        acts = {
            e["cause"] for e in events if e["type"] == "case.advanced" and e["data"].get("closed")
        }
        if any(
            self.within(e["at"]) and e["data"]["entry"] in acts for e in self._held(events, "B7")
        ):
            self.count("suppressed", events, True)

    def _dodges(self, events: list[Event], names: list[str]) -> None:
        given = sorted((seq, at) for name in names for at, seq, _ in opened(events, name))
        for n, (seq, at) in enumerate(given):
            if self.within(at):
                high = given[n + 1][0] if n + 1 < len(given) else FOREVER
                held = (e["data"]["entry"] for e in self._held(events, "B2"))
                self.count("dodged", events, any(seq <= entry < high for entry in held))

    def _orders(self, events: list[Event]) -> None:
        for e in events:
            if e["type"] == "case.supervised" and self.within(e["at"]):
                self.count("ordered", events, True)
        closed = {row["task"] for e in events if e["type"] == "case.advanced"
                  for row in e["data"].get("closed", [])}  # fmt: skip
        on_list = {e["data"]["task"] for e in events if e["type"] == "standing.listed"}
        for _ in on_list - closed:
            self.count("listed", events, True)

    def _place(self, events: list[Event]) -> None:
        due = [e["data"]["due"] for e in events if e["type"] == "deadline.set"
               and e["data"]["task"] == "walk#1"]  # fmt: skip
        if self.within(due[-1]):
            place = events[0]["data"]["place"]
            key = place["path"][0], place.get("address", "")
            _, before = self.places.get(key, (events, False))
            self.places[key] = events, before or bool(done(events, "walk"))

    def _determined(self, events: list[Event]) -> None:
        for last in done(events, "determine")[-1:]:
            if self.within(last["at"]):
                self.count("accidents", events, True)

    def _came(self, events: list[Event]) -> str | None:
        came = done(events, "arrive", "arrive_at_once")
        return str(came[0]["at"]) if came else None

    def _first_arrival(self, events: list[Event]) -> None:
        calls = [e["at"] for e in events if e["type"] == "message.sent"
                 and e["data"]["message"] == "whistle.called"]  # fmt: skip
        if not calls or not self.within(calls[0]):
            return
        called = [one for one in self.street.of("response")
                  if one[0]["data"].get("origin", {}).get("case") == events[0]["case"]]  # fmt: skip
        came = [at for at in map(self._came, called) if at]
        if not came and ended_as(events, "withdrawn", "withdrawn_before", "given_up"):
            self.out["first_arrival"]["withdrawn"] += 1
        else:
            self.minutes["first_arrival"].append(minutes(calls[0], min(came)) if came else None)

    def _arrival(self, events: list[Event]) -> None:
        if not self.within(events[0]["at"]):
            return
        for reason, ends in (
            ("released", ("released", "released_by_desk")), ("withdrawn", ("withdrawn",)),
        ):  # fmt: skip
            if ended_as(events, *ends):
                self.out["until_arrival"][reason] += 1
                self.out["first_contact"][reason] += 1
                return
        came, called = self._came(events), done(events, "contact")
        self.minutes["until_arrival"].append(minutes(events[0]["at"], came) if came else None)
        first = min([*(e["at"] for e in called[:1]), *([came] if came else [])], default=None)
        self.minutes["first_contact"].append(minutes(events[0]["at"], first) if first else None)

    def _evaluations(self, events: list[Event]) -> None:
        for e in events:
            told: dict[str, Any] = e["data"]
            if e["type"] == "answers.revealed" and element(told["task"]) == "evaluate":
                result = told["form"].get("result")
                if isinstance(result, str) and self.within(e["at"]):
                    self.count("evaluated", events, result == "satisfied")

    def _repeated(self, events: list[Event]) -> None:
        for e in done(events, "accept", "second_look"):
            form = e["data"]["form"]
            if not self.within(e["at"]) or sent_back(events, e["data"]["task"]):
                continue
            name = form.get("merged_into") or form.get("linked") or self._linked(events)
            other = self.named.get(str(name))
            ended = ended_as(other, "closed") if other else None
            again = ended is not None and (
                timedelta() <= instant(e["at"]) - instant(ended) <= REPEATED_WITHIN
            )
            merged = form.get("verdict") == "merge"
            if "accept" in (form.get("verdict"), form.get("decision")) or (merged and again):
                self.count("repeated", events, again)
            elif merged:
                self.out["repeated"]["merged"] += 1

    def _linked(self, events: list[Event]) -> str:
        return str(events[0]["data"]["form"].get("linked", ""))

    def _found_true(self, events: list[Event]) -> None:
        first = events[0]["data"]
        told, standing = (first["place"]["unit"], first["category"]), None
        for e in events:
            if e["type"] == "task.completed":
                name, form = element(e["data"]["task"]), e["data"]["form"]
                if name in ("verify", "final_review", "check_figures") and form.get("unit"):
                    told = form["unit"], told[1]
                if name == "accept" and form.get("category"):
                    told = told[0], form["category"]
            passed = e["data"]["path"] if e["type"] == "case.advanced" else ()
            for one in passed:
                if one == "published" and standing != told:
                    standing = told
                    if self.within(e["at"]):
                        self.count("found_true", events, True)
                if one == "corrected":
                    standing = None
