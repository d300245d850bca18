"""The drawings as the page shows them: the viewer we ship opens every one without a word."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
VIEWER = ROOT / "web/static/vendor/bpmn-js/bpmn-navigated-viewer.production.min.js"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRAWINGS = sorted((ROOT / "workflows").glob("*/*.bpmn"))
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
OPEN = """async (xml) => {
  const viewer = new BpmnJS({ container: document.body })
  const { warnings } = await viewer.importXML(xml)
  return warnings.map((warning) => warning.message)
}"""


@pytest.fixture(scope="module")
def viewer() -> Iterator[Any]:
    """A page with the viewer loaded, and no network."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: the drawings were not opened in the viewer")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(offline=True)
        page.add_script_tag(path=VIEWER)
        yield page
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: drawing.stem)
def test_the_viewer_opens_the_drawing_without_a_warning(viewer: Any, drawing: Path) -> None:
    assert viewer.evaluate(OPEN, drawing.read_text(encoding="utf-8")) == []
