"""Hands at a form in a browser: they press the cards and type the words."""

from typing import Any

from tests.web.test_browser import Hand


def fill(hand: Hand, **told: Any) -> None:
    """Answer the questions of a form as a hand would: cards are pressed, words are typed."""
    page = hand.page
    for name, value in told.items():
        for one in value if isinstance(value, list) else [value]:
            field = page.locator(f'[name="{name}"]')
            kind = field.first.evaluate("e => e.type")
            if kind in ("radio", "checkbox"):
                card = page.locator(f'[name="{name}"][value="{_word(one)}"]')
                card.evaluate(
                    "e => { const fold = e.closest('details'); if (fold) fold.open = true }"
                )
                card.check(force=True)
            elif kind == "select-one":
                field.select_option(_word(one))
            else:
                field.fill(_word(one))


def _word(value: Any) -> str:
    return "true" if value is True else str(value)


def do(hand: Hand, title: str, **told: Any) -> None:
    """Take the step with this title from the lists, answer it, and submit it."""
    hand.open("/inbox")
    if hand.page.get_by_role("link", name=title, exact=True).count() == 0:
        hand.open("/inbox/claimable")
    hand.check_layout()
    hand.follow(title)
    hand.check_layout()
    photos = {name: told.pop(name) for name in list(told) if name.startswith("evidence_")}
    fill(hand, **told)
    for name, path in photos.items():
        hand.page.set_input_files(f"input[name={name}] >> nth=-1", path)
    with hand.page.expect_event("load"):
        hand.page.locator(".work__form .btn--go").click()
    assert "已提交" in hand.page.inner_text("[role=status]"), hand.page.inner_text("main")
