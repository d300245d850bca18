"""What a verification of the running log tells an operator: steps, and every problem."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from audit import sequence
from audit.chain import Problem
from audit.steps import Findings
from audit.trust import Trust
from engine.database import reading
from engine.log_findings import case_findings, log_findings
from engine.verification import Verdict, verify, verify_evidence, verify_on_all_cores
from web.listing import stream_count

Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
# Fewer streams than this are verified faster by one process than others are started.
WORTH_MORE_PROCESSES = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be verified.

    case: one case only. receipts: files that people hold. files: the folder of the evidence files,
    None if they need not be looked at. without: steps that need not be done.
    """

    case: str | None = None
    receipts: tuple[bytes, ...] = ()
    files: Path | None = None
    without: tuple[str, ...] = ()


def verdict(
    engine: Engine, asked: Asked, trust: Trust, *, workers: int, at: datetime, progress: Progress
) -> tuple[Verdict, Findings]:
    """Verify the log or one case; returns every problem, and the steps."""
    found = _streams(engine, asked.case, workers, progress)
    problems = list(found.problems)
    with reading(engine).begin() as conn:
        if asked.files is not None:
            problems += verify_evidence(conn, asked.files, case=asked.case)
        if asked.case is None:
            problems += sequence.check(conn)
        looked = asked.files is not None
        if asked.case:
            steps = case_findings(conn, asked.case, problems, trust, files=looked, at=at)
        else:
            steps = log_findings(
                conn, problems, trust, receipts=asked.receipts, files=looked, at=at
            )
    return Verdict(found.cases, found.events, tuple(problems)), steps.without(asked.without)


def to_json(found: Verdict, steps: Findings) -> dict[str, Any]:
    """A verdict for a program: {ok, status, cases, events, problems, steps}."""
    return {
        "ok": steps.ok,
        "status": steps.exit_status,
        "cases": found.cases,
        "events": found.events,
        "problems": [_problem(one) for one in found.problems],
        "steps": steps.to_json(),
    }


def _problem(one: Problem) -> dict[str, Any]:
    return {"case": one.case, "seq": one.seq, "what": one.what, "step": one.step}


def _streams(engine: Engine, case: str | None, workers: int, progress: Progress) -> Verdict:
    total = 1 if case else stream_count(engine)
    with progress(total) as step:
        if case or workers < 2 or total < WORTH_MORE_PROCESSES:
            with reading(engine).begin() as conn:
                return verify(conn, case=case, seen=lambda _: step(1))
        url = engine.url.render_as_string(hide_password=False)
        return verify_on_all_cores(url, workers=workers, seen=lambda _: step(1))
