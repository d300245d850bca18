"""What can be sent on a page can be sent by a program, or there is a reason why not."""

from flask import Flask

# Act of a page -> the same in the interface. Both as Flask writes its rules.
TWINS = {
    "/whistles": "/cases",
    "/reports": "/cases",
}
ADMINISTERED = "whoever keeps the register looks at each change; a token must not make people"
OWN = "where somebody is told things is theirs to say, with their session"
SELF = "who it is at the keyboard is shown by a person, not by a token"
# What no program does for a person, and why.
NOT_BY_A_PROGRAM = {
    "/sign-in": "a token takes its place",
    "/sign-out": "a token is revoked by its owner",
    "/password": "a token must not lock its owner out",
    "/me/tokens": "a token must not make tokens",
    "/me/tokens/<token>/revocation": "its owner decides, with their session",
    "/confirm": SELF,
    "/second-factor": SELF,
    "/second-factor/enrolment": SELF,
    "/me/sign-in/codes": SELF,
    "/me/sign-in/enrolment": SELF,
    "/me/sign-in/removal": SELF,
    "/me/sign-in/sessions/<session_id>/end": SELF,
    "/me/sign-in/sessions/end-others": SELF,
    "/sign-ins/<name>/end": ADMINISTERED,
    "/sign-ins/<name>/reset": ADMINISTERED,
    "/sign-ins/<name>/unlock": ADMINISTERED,
    "/conduct": "a look at somebody's record of duties takes a confirmation of who looks",
    "/cases/<case_id>/risk": "a report on persons takes a confirmation of who lets it leave",
    "/publication-sheet": "what it tells is /public.json and /public/hazards.json",
    "/period": "a report takes a confirmation of who lets it leave; its figures are /metrics",
    "/exports": "many reports leave by one act, which takes a confirmation of who lets them",
    "/display": "how a browser shows pages",
    "/filters": "a program keeps its own questions",
    "/filters/removal": "a program keeps its own questions",
    "/complain": "complainants are nobody: they have no account, and so no token",
    "/mailbox": "complainants are nobody: they have no account, and so no token",
    "/q/<code>": "residents are nobody: they have no account, and so no token",
    "/my-report": "residents are nobody: they have no account, and so no token",
    "/places": "codes are printed and put up by whoever issues them",
    "/places/<unit>/renewal": "codes are printed and put up by whoever issues them",
    "/cases/<case_id>/tasks/<task>/draft": "a program keeps what is half filled itself",
    "/reports/draft": "a program keeps what is half filled itself",
    "/me/notices": OWN,
    "/me/notices/<channel>/address": OWN,
    "/me/notices/<channel>/confirmation": OWN,
    "/me/notices/<channel>/removal": OWN,
    "/me/notices/<channel>/test": OWN,
    "/me/notices/calendar": OWN,
    "/me/notices/calendar/removal": OWN,
    "/admin/notices/<message>/retry": "administrators look at what failed before they repeat it",
    "/admin/accounts/<name>/disabling": ADMINISTERED,
    "/admin/accounts/<name>/password": ADMINISTERED,
    "/admin/calendars/days": ADMINISTERED,
    "/admin/calendars/files": ADMINISTERED,
    "/admin/calendars/next/<file>": ADMINISTERED,
    "/admin/definitions/files": ADMINISTERED,
    "/admin/definitions/next/<file>": ADMINISTERED,
    "/admin/imports": ADMINISTERED,
    "/admin/imports/<file>": ADMINISTERED,
    "/admin/index-weights/files": ADMINISTERED,
    "/admin/index-weights/next/<file>": ADMINISTERED,
    "/admin/people": ADMINISTERED,
    "/admin/people/<person>/accounts": ADMINISTERED,
    "/admin/people/<person>/name": ADMINISTERED,
    "/admin/people/<person>/posts": ADMINISTERED,
    "/admin/people/<person>/substitutes": ADMINISTERED,
    "/admin/posts/<post>/end": ADMINISTERED,
    "/admin/substitutes/<substitution>/end": ADMINISTERED,
    "/admin/units": ADMINISTERED,
    "/admin/units/<unit_id>/closing": ADMINISTERED,
    "/admin/units/<unit_id>/name": ADMINISTERED,
    "/acts/export": "a list of acts leaves by one act, which takes a confirmation of who lets it",
    "/desk/complaints": "what is told to the desk is read back to whoever told it, on the page",
    "/custody/<case_id>/<int:seq>": "leave to see an identity is given by a person at a page",
    "/cases/<case_id>/sealed": "what is sealed is shown once, to eyes; a token lies on a machine",
    "/cases/<case_id>/mailbox": "belongs to reading what is sealed",
    "/cases/<case_id>/identity-requests": "an identity is asked for and seen by a person",
    "/cases/<case_id>/identity-requests/<int:seq>/views": "an identity is seen by a person",
    "/cases/<case_id>/handover": "destroys what can be read here: a person says that they know",
    "/cases/<case_id>/handover/file": "belongs to the hand-over",
    "/cases/<case_id>/handover/acknowledgement": "belongs to the hand-over",
}


def acts(app: Flask) -> tuple[set[str], set[str]]:
    """The rules that take POST: of pages, and of the interface without its prefix."""
    rules = {rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
    ours = {rule for rule in rules if rule.startswith("/api/v1/")}
    return rules - ours, {rule.removeprefix("/api/v1") for rule in ours}


def test_every_act_of_a_page_has_its_twin_or_a_reason(app: Flask) -> None:
    pages, interface = acts(app)
    without = {
        rule for rule in pages
        if rule not in NOT_BY_A_PROGRAM and TWINS.get(rule, rule) not in interface
    }  # fmt: skip
    assert without == set(), "give it a twin in web/api, or say why it has none"


def test_the_table_speaks_of_acts_there_are_and_of_none_that_has_a_twin(app: Flask) -> None:
    pages, interface = acts(app)
    assert set(NOT_BY_A_PROGRAM) | set(TWINS) <= pages
    assert set(NOT_BY_A_PROGRAM) & interface == set()
