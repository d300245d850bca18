"""The seven steps as Viewflow draws them."""

from viewflow import this
from viewflow.workflow import flow
from viewflow.workflow.models import Process


def page(request):
    """Forms are not painted here."""


class Hazard(flow.Flow):
    """Confirm, assign, sign in, then rectify and accept until it has passed."""

    process_class = Process

    report = flow.StartHandle().Next(this.confirm)
    confirm = flow.View(page).Next(this.assign)
    assign = flow.View(page).Next(this.sign_in)
    sign_in = flow.View(page).Next(this.rectify)
    rectify = flow.View(page).Next(this.accept)
    accept = flow.View(page).Next(this.passed)
    passed = (
        flow.If(lambda activation: activation.process.data["accept"]["result"] == "pass")
        .Then(this.end)
        .Else(this.rectify)
    )
    end = flow.End()
