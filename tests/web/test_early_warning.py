"""Early warnings on pages and among notices: who is told what, and how one is answered."""

import re
from collections.abc import Callable

from audit.early_warning.record import STREAM, warnings_told
from engine.early_warning import raise_warnings
from engine.notice_board import Outlets
from tests.conftest import Street
from tests.engine.test_early_warning import lines
from tests.web.conftest import Visitor
from tests.web.paths import assigned
from tests.web.test_metric_pages import counted
from web.formulas import formulas

Enter = Callable[[str], Visitor]


def warned(street: Street) -> int:
    """A street of ten hazards that nobody rectified, warned of; the number of the warning."""
    for _ in range(10):
        assigned(street)
    counted(street)
    raise_warnings(street.database, lines(), formulas(), Outlets(), at=street.at)
    (found,) = street.entries(STREAM)
    return found.seq


def test_a_warning_says_figure_and_line_and_leads_to_the_cases(
    signed_in: Enter, web_street: Street
) -> None:
    seq, watch = warned(web_street), signed_in("watch")
    page = watch.text("/warnings")
    assert "0.0%（0/10），低于 50%" in page
    assert "听涛社区" in page
    assert f'href="/warnings/{seq}"' in page
    (cases,) = re.findall(r'href="(/metrics/rectified_of_found[^"]+)"', page)
    listed = watch.text(cases.replace("&amp;", "&"))
    assert "听涛社区" in listed
    alone = watch.text(f"/warnings/{seq}")
    (told,) = warnings_told(web_street.entries(STREAM))
    assert told.root in alone
    assert told.formulas["sha256"] in alone
    assert "shaoji warnings check --month" in alone
    web_street.check()


def test_an_answer_goes_on_the_record_and_out_of_the_queue(
    signed_in: Enter, web_street: Street
) -> None:
    seq, watch = warned(web_street), signed_in("watch")
    assert "预警 1 条待答复" in watch.text("/me")
    assert "预警 1 条待答复" in watch.text("/board")
    assert watch.post(f"/warnings/{seq}/answers", {"text": " "}).status_code == 400
    answer = watch.post(f"/warnings/{seq}/answers", {"text": "周三去现场看"})
    assert answer.status_code == 303
    assert "没有这样的预警" in watch.text("/warnings")
    assert "周三去现场看" in watch.text("/warnings?state=answered")
    assert "预警 0 条待答复" in watch.text("/me")
    (_, said) = web_street.entries(STREAM)
    assert said.type == "warning.answered"
    assert said.actor["person"] == web_street.person["watch"]
    web_street.check()


def test_it_stands_among_the_notices_of_whoever_looks_over_the_unit_alone(
    signed_in: Enter, web_street: Street
) -> None:
    seq = warned(web_street)
    page = signed_in("watch").text("/me/notices")
    assert "预警：" in page
    assert f'href="/warnings/{seq}"' in page
    head = signed_in("head")
    assert "预警：" not in head.text("/me/notices")
    for path in ("/warnings", f"/warnings/{seq}"):
        refused = head.get(path)
        assert refused.status_code == 403
        assert "预警发给督查和纪检的岗位" in refused.get_data(as_text=True)
    assert head.post(f"/warnings/{seq}/answers", {"text": "好"}).status_code == 403
    gone = signed_in("watch").get(f"/warnings/{seq + 1}")
    assert gone.status_code == 404
    assert len(web_street.entries(STREAM)) == 1
    web_street.check()


def test_in_english_too(signed_in: Enter, web_street: Street) -> None:
    warned(web_street)
    watch = signed_in("watch")
    watch.post("/display", {"language": "en"})
    page = watch.text("/warnings")
    assert "0.0% (0/10), below 50%" in page
    web_street.check()
