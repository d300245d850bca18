"""What axe-core (vendored, MPL-2.0, for tests only) finds wrong with a page for people who hear or
type instead of seeing and pointing: WCAG 2.2 A and AA, and what it calls best practice.
"""

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

_SOURCE = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """rules => axe.run(document, {runOnly: rules, resultTypes: ["violations"]})
  .then(found => found.violations.flatMap(rule => rule.nodes.map(node =>
    `${rule.id}: ${node.html.slice(0, 160)} (${node.failureSummary.replace(/\\s+/g, " ")})`)))"""


def violations(page: Page) -> list[str]:
    """Each violation on the open page: the rule, the element, what to mend.

    The script is evaluated from outside: the page's own policy lets no foreign script in.
    """
    page.evaluate(_source())
    found: list[str] = page.evaluate(_RUN, _RULES)
    return found


@cache
def _source() -> str:
    return _SOURCE.read_text(encoding="utf-8")
