"""Two languages: every text of the pages has its English, and every English is still said."""

import ast
import re
from pathlib import Path

import pytest
from flask import Flask

from tests.web.conftest import Visitor
from web.texts import english, language, say, say_html

WEB = Path(__file__).parents[2] / "web"
IN_TEMPLATES = re.compile(r"""\b(?:_|_h)\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
SAYING = {"say", "say_html", "later"}


def texts_said() -> set[str]:
    pages = (path.read_text(encoding="utf-8") for path in WEB.glob("templates/*.html"))
    told = {ast.literal_eval(found[1]) for page in pages for found in IN_TEMPLATES.finditer(page)}
    for path in (*WEB.glob("*.py"), *WEB.glob("api/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAYING:
                told |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return {text for text in told if isinstance(text, str)}


def test_every_text_has_its_english() -> None:
    assert texts_said() - set(english()) == set()


def test_no_english_is_left_over() -> None:
    assert set(english()) - texts_said() == set()


def test_a_translation_has_the_slots_of_its_text() -> None:
    slots = re.compile(r"\{(\w+)\}")
    differing = [
        text
        for text, told in english().items()
        if set(slots.findall(text)) != set(slots.findall(told))
    ]
    assert differing == []


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("zh-CN,zh;q=0.9", "zh"),
        ("en-GB,en;q=0.8", "en"),
        ("zh-TW", "zh"),
        ("ja,fr;q=0.5", "zh"),
        ("", "zh"),
        ("fr, en;q=0.3", "en"),
    ],
)
def test_the_browser_decides_the_language_until_somebody_chooses(
    app: Flask, asked: str, given: str
) -> None:
    with app.test_request_context(headers={"Accept-Language": asked}):
        assert language() == given


def test_a_chosen_language_stays_for_the_session(visitor: Visitor) -> None:
    assert "查您反映的事办到哪了" in visitor.text("/receipt")
    visitor.post("/display", {"language": "en", "next": "/receipt"})
    page = visitor.text("/receipt")
    assert "How far is your report?" in page
    assert '<html lang="en"' in page


def test_values_in_a_sentence_with_markup_are_escaped(app: Flask) -> None:
    with app.test_request_context():
        told = say_html("最近更新 <span class=num>{moment}</span>。", moment="<script>")
    assert told == "最近更新 <span class=num>&lt;script&gt;</span>。"


def test_a_text_without_english_is_said_in_chinese(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert say("没有译文的话") == "没有译文的话"
