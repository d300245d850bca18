"""django-viewflow: the flow as its documentation draws one, its own tables, one transaction a step.

    python viewflow_case.py <database> <steps.json>

Answers each line on stdin with a line: the milliseconds of each human step of so many cases.
Run by the interpreter of the folder Viewflow is installed in; nothing here is imported by ours.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings


def prepare(path: str) -> None:
    """Set Django up on a database of this path, durable as ours is."""
    store = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            "transaction_mode": "IMMEDIATE",
        },
    }
    settings.configure(
        DATABASES={"default": store},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "viewflow",
            "viewflow.workflow",
            "benched",
        ],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def one(user: Any, steps: list[Any]) -> list[float]:
    """One case; the milliseconds of each step."""
    from benched.flows import Hazard
    from django.db import transaction
    from viewflow.workflow.models import Process, Task

    with transaction.atomic():
        process = Hazard.report.run(_process_data={})
    number, spent = process.pk, []
    for name, form in steps:
        begun = time.perf_counter()
        with transaction.atomic():
            task = Task.objects.get(process_id=number, status="NEW")
            assert task.flow_task.name == name, (task.flow_task.name, name)
            with task.activation() as activation:
                activation.assign(user)
                activation.start(None)
                activation.process.data = {**activation.process.data, name: form}
                activation.process.save()
                activation.execute()
        spent.append((time.perf_counter() - begun) * 1000)
    assert Process.objects.get(pk=number).status == "DONE"
    return spent


def main(path: str, told: str) -> None:
    """Answer each line."""
    prepare(path)
    from django.contrib.auth.models import User

    user = User.objects.create_user("bench")
    steps = json.loads(Path(told).read_text(encoding="utf-8"))
    for line in sys.stdin:
        spent = [ms for _ in range(int(line)) for ms in one(user, steps)]
        print(json.dumps(spent), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
