"""The two languages of the pages: Chinese as written in them, English from `english.toml`."""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from flask import Flask, has_request_context, request, session
from markupsafe import Markup

from engine.errors import Refusal

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")

# None outside a request, "" in one whose language nobody has asked for yet.
_known: ContextVar[Language | Literal[""] | None] = ContextVar("language", default=None)
CATALOG: Final = Path(__file__).with_name("english.toml")


def language() -> Language:
    """The language of this request: chosen by the person, else what the browser asks for, else zh.

    A phone set to Japanese asks for neither: then Chinese, which everybody here reads.
    """
    # Asked for every word of a page, and found out once: the request itself is slow to ask.
    known = _known.get()
    if known:
        return known
    if not has_request_context():
        return "zh"
    found = _language()
    if known is not None:
        _known.set(found)
    return found


def init_app(app: Flask) -> None:
    """Let each request of this application find out its language once."""
    app.before_request(_begin)
    app.teardown_request(_end)


def _begin() -> None:
    _known.set("")


def _end(_failed: BaseException | None) -> None:
    _known.set(None)


def _language() -> Language:
    told = chosen("language")
    if told in LANGUAGES:
        return "en" if told == "en" else "zh"
    best = request.accept_languages.best_match(["zh", "zh-CN", "zh-Hans", "en"], default="zh")
    return "en" if best == "en" else "zh"


def chosen(name: str) -> str:
    """What somebody wants (language, scale, theme): as the address says, else as they chose before.

    In the address it needs no cookie, for those who should not get one.
    """
    return str(request.args.get(name) or session.get(name) or "")


def say(chinese: str, **values: object) -> str:
    """A sentence in the language of this request; `{name}` in it stands for a value."""
    text = chinese if language() == "zh" else english().get(chinese, chinese)
    return text.format(**values) if values else text


def later(chinese: str) -> str:
    """Marks a text that is kept in a table and said later, so that the catalog must have it."""
    return chinese


def say_html(chinese: str, **values: object) -> Markup:
    """Like `say`, for a sentence of ours with markup in it; the values are escaped."""
    text = chinese if language() == "zh" else english().get(chinese, chinese)
    # The text is ours (a literal in this package, or the catalog); Markup.format escapes values.
    return Markup(text).format(**values)  # noqa: S704


def both(chinese: str) -> tuple[str, str]:
    """A sentence in both languages, for programs that pass it on."""
    return chinese, english().get(chinese, chinese)


def either(chinese: str, english_: str) -> str:
    """One of two given sentences, in the language of this request; Chinese if there is no other."""
    return chinese if language() == "zh" or not english_ else english_


def refusal(refused: Refusal) -> str:
    """The sentence of a refusal in the language of this request."""
    return either(refused.chinese, refused.english)


@contextmanager
def spoken(wanted: Language) -> Iterator[None]:
    """Say everything inside in this language, where there is no request that has one."""
    before = _known.set(wanted)
    try:
        yield
    finally:
        _known.reset(before)


@cache
def english() -> Mapping[str, str]:
    """The English catalog: Chinese sentence -> English one."""
    sections: dict[str, Any] = tomllib.loads(CATALOG.read_text(encoding="utf-8"))
    return {chinese: text for section in sections.values() for chinese, text in section.items()}
