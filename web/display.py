"""How a person wants to see the pages (language, size, light), their own page, how to check."""

from flask import Blueprint, render_template, request, session, url_for
from flask_login import current_user, login_required
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from audit import log
from engine.looks import keep_scale
from engine.people import directory
from engine.place_codes import kept_places
from web.frame import SCALES, THEMES
from web.texts import LANGUAGES
from web.visit import at, by, local_path, reads, writes

pages = Blueprint("display", __name__)

CHOICES = {"language": LANGUAGES, "scale": SCALES, "theme": THEMES}


@pages.post("/display")
def choose() -> Response:
    """Keep a choice in this browser's session; an unknown value goes back to the usual.

    The size of whoever is signed in is kept with them: every phone of theirs knows it.
    """
    session.permanent = True
    for name, values in CHOICES.items():
        if name in request.form:
            value = request.form[name]
            if value in values:
                session[name] = value
            else:
                session.pop(name, None)
    if "scale" in request.form and current_user.is_authenticated:
        with writes() as conn:
            keep_scale(conn, by().person, session.get("scale", ""))
    return redirect(local_path(request.form.get("next"), url_for("inbox.home")), 303)


@pages.get("/me")
@login_required  # type: ignore[untyped-decorator]
def own() -> str:
    """One's own posts, substitutions and settings."""
    with reads() as conn:
        people = directory(conn)
    posts = people.posts_of(by().person, at())
    lent = [sub for sub in people.substitutions if sub.substitute == by().person]
    now = [sub for sub in lent if sub.since <= at() < sub.until]
    places = kept_places(people, by(), at())
    return render_template("own.html", people=people, posts=posts, lent=now, places=places)


@pages.get("/checking")
def checking() -> str:
    """How anybody can check the record without trusting this server."""
    with reads() as conn:
        origin = log.origin(conn)
    return render_template("checking.html", origin=origin)
