"""The public page."""

from flask import Blueprint

pages = Blueprint("publication", __name__)


@pages.get("/public")
def page() -> str:
    """Counts."""
    return ""
