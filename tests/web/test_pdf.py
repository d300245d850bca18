"""The report shows what the record says: text, picture, attached entries and nothing foreign."""

import hashlib
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat

from audit.chain import Problem
from audit.evidence_file import EvidenceFile, check_entries, read_evidence
from audit.reports.case import case_record, content_digest
from audit.reports.facts import CaseRecord
from tests.golden.cases.sample import two_rounds
from web import pdf, printing
from web.hold_chart import hold_chart
from web.pdf import (
    MOST_ROWS,
    Issue,
    RecordBroken,
    case_report_html,
    least_pages,
    render_case_report,
)
from web.printing import MissingGlyphs, NotOurs, check_glyphs, print_pdf
from web.report_text import ReportText
from web.typesetting import typeset
from web.wording import Names

SAMPLE = two_rounds()
BODIES = [entry.body for entry in SAMPLE.entries]
RECORD = case_record(SAMPLE.entries, SAMPLE.elements)
NAMES = Names(SAMPLE.persons, SAMPLE.units, SAMPLE.posts)
FONTS = Path(printing.__file__).parent / "fonts"


def evidence(bodies: Sequence[bytes], **more: Any) -> EvidenceFile:
    """These entries, not in any tree yet."""
    proofs = (None,) * len(bodies)
    return EvidenceFile(SAMPLE.entries[0].log, RECORD.case, tuple(bodies), proofs, **more)


EVIDENCE = evidence(BODIES)
AT = datetime(2025, 12, 4, 1, 10, tzinfo=UTC)
ISSUE = Issue(AT, "郑演示（听澜街道·督查）", "街道季度督查调阅", "澜江市南屿区听澜街道")
RESOLUTION = 200


def render(record: CaseRecord = RECORD, locale: str = "zh", issue: Issue = ISSUE) -> bytes:
    return render_case_report(record, issue, names=NAMES, evidence=EVIDENCE, locale=locale).data


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.pdf"
    path.write_bytes(render())
    return path


def tool(*command: str) -> str:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} (poppler-utils) is not installed")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def text_of(path: Path) -> str:
    return tool("pdftotext", "-layout", str(path), "-")


# --- text ----------------------------------------------------------------------------------------


def test_the_text_says_who_did_what_and_both_halves(report: Path) -> None:
    text = re.sub(r"\s+", "", text_of(report))
    for told in (
        "隐患处置责任报告", "听涛苑3幢电动车棚飞线充电", "听澜-隐-2025-00001", "街道季度督查调阅",
        "7步按时，1步逾期21分钟，1步没有时限", "共12天20小时46分钟",
        "一责任表", "▲超21分钟", "●按时", "二按时履责", "三逾期与异常",
        "本人说明（#18）：“在地下车库，没有信号。”", "之后同一人办的2步都按时。",
        "四时限的变动", "原定11月27日16:31到时，现为11月30日16:32到时",
        "赵演示（听澜街道·分管领导）同意", "五这处风险在谁手里多久", "六经过", "七证据清单",
        "八依据", "〔配置：此处由使用单位填写", "九怎样核对", "它不能证明",
    ):  # fmt: skip
        assert told in text, told
    assert text.index("二按时履责") < text.index("三逾期与异常")


def test_head_count_and_digest_stand_on_the_page(report: Path) -> None:
    text = "".join(text_of(report).split())
    assert all(RECORD.head[n : n + 16] in text for n in range(0, 64, 16))
    assert content_digest(RECORD)[:8] in text
    for item in RECORD.evidence:
        assert item.sha256 in text


def test_the_number_of_pages_is_told(report: Path) -> None:
    printed = render_case_report(RECORD, ISSUE, names=NAMES, evidence=EVIDENCE, locale="zh")
    with pikepdf.open(report) as pdf:
        assert printed.pages == len(pdf.pages)


def test_every_page_has_its_number_the_case_and_the_digest(report: Path) -> None:
    pages = text_of(report).removesuffix("\f").split("\f")
    for n, page in enumerate(pages, 1):
        foot = "".join(page.split())
        assert f"第{n}/{len(pages)}页" in foot
        assert "听澜-隐-2025-00001责任报告" in foot
        assert f"内容摘要{content_digest(RECORD)[:8]}" in foot


def test_law_is_printed_only_from_configuration() -> None:
    given = replace(ISSUE, bases=("《澜江市安全生产条例》第九条〔演示〕",))
    html = case_report_html(RECORD, given, names=NAMES, locale="zh")
    assert "《澜江市安全生产条例》第九条〔演示〕" in re.sub("<[^>]+>", "", html)
    assert "此处由使用单位填写" not in html


def test_a_case_without_lateness_says_so() -> None:
    early = case_record(SAMPLE.entries[:12], SAMPLE.elements)
    html = case_report_html(early, ISSUE, names=NAMES, locale="zh")
    assert "没有逾期。" in html
    assert "还没有验收通过。" in html
    assert "正在签收，在陈演示手里" in re.sub("<[^>]+>", "", html)


def test_nothing_is_said_about_duties_nobody_has_done_yet() -> None:
    new = case_record(SAMPLE.entries[:4], SAMPLE.elements)
    told = re.sub("<[^>]+>", "", case_report_html(new, ISSUE, names=NAMES, locale="zh"))
    assert not re.search("同一单位|没有人兼两项|步按时", told)
    whole = case_report_html(RECORD, ISSUE, names=NAMES, locale="zh")
    assert "没有人兼两项；整改和验收不在同一单位。" in re.sub("<[^>]+>", "", whole)


@pytest.mark.parametrize("n", range(1, len(SAMPLE.entries) + 1))
def test_the_counts_of_the_summary_add_up(n: int) -> None:
    record = case_record(SAMPLE.entries[:n], SAMPLE.elements)
    told = ReportText(record, NAMES, "zh").summary().striptags()
    steps, _, counts = told.partition("步：")
    each = re.findall(r"(\d+) 步", counts.partition("。")[0])
    assert sum(map(int, each)) == int(steps.rpartition("责任表 ")[2])


def test_one_person_in_two_duties_is_told_as_a_fact() -> None:
    same = replace(RECORD.separation, same_person=(("confirm", "assign", "p-0003"),))
    told = case_report_html(replace(RECORD, separation=same), ISSUE, names=NAMES, locale="zh")
    assert "确认和指派由同一人（李演示）承担" in told


def test_the_report_can_be_had_in_english() -> None:
    html = re.sub("<[^>]+>", "", case_report_html(RECORD, ISSUE, names=NAMES, locale="en"))
    assert "7 in time, 1 late by 21 min, 1 without a limit" in html
    assert "What it does not prove" in html


@pytest.mark.parametrize("n", range(1, len(SAMPLE.entries) + 1))
def test_the_case_can_be_reported_at_every_moment(n: int) -> None:
    record = case_record(SAMPLE.entries[:n], SAMPLE.elements)
    for locale in ("zh", "en"):
        html = case_report_html(record, ISSUE, names=NAMES, locale=locale)
        check_glyphs(html)
        assert "None" not in re.sub("<[^>]+>", "", html).replace("None: ", "")


# --- the chart -----------------------------------------------------------------------------------


def test_the_chart_has_a_bar_a_step_hollow_where_the_clock_was_stopped() -> None:
    chart = hold_chart(RECORD, NAMES, "zh")
    assert chart.count("<rect") == 8 + 1
    assert chart.count('fill="#ffffff"') == 1
    assert chart.count('fill="#ab251c" stroke') == 1
    assert "▲ 1 小时 21 分钟" in chart


def test_a_long_case_has_a_row_an_element_with_all_its_rounds() -> None:
    rounds = tuple(
        replace(line, task=f"{line.element}#{n}", rounds=9)
        for line in RECORD.responsibility
        for n in range(1, 4)
    )
    chart = hold_chart(replace(RECORD, responsibility=rounds), NAMES, "zh")
    assert re.findall(r">(\S+)</text>", chart).count("整改") == 1
    assert "3 轮 " in chart


def test_a_case_just_reported_has_no_chart() -> None:
    assert hold_chart(case_record(SAMPLE.entries[:1], SAMPLE.elements), NAMES, "zh") == ""


# --- long records --------------------------------------------------------------------------------


def long(times: int) -> CaseRecord:
    """The case with everything in it so many times over; its entries stay what they are."""
    return replace(
        RECORD,
        timeline=RECORD.timeline * times,
        responsibility=RECORD.responsibility * times,
        kept=RECORD.kept * times,
        missed=RECORD.missed * times,
        evidence=RECORD.evidence * times,
    )


def words(html: str) -> str:
    return re.sub(r"\s+", "", re.sub("<[^>]+>", "", html))


def test_a_long_table_is_told_in_lines_and_says_the_same() -> None:
    html = case_report_html(
        long(MOST_ROWS // len(RECORD.kept) + 1), ISSUE, names=NAMES, locale="zh"
    )
    assert 'class="duty"' not in html
    assert 'class="led"' not in html
    told = words(html)
    for row in ReportText(RECORD, NAMES, "zh").table():
        said = f"{row.did.striptags()}{row.used}{' *' * row.starred}/{row.limit}"
        assert words(f"{said}{row.result.shape}{row.result.text}") in told
    assert told.count("每行：做了什么，用时/时限，结果。") == 1


def test_a_page_never_holds_more_than_what_is_reckoned_with() -> None:
    for times in (1, 12):
        html = case_report_html(long(times), ISSUE, names=NAMES, locale="zh")
        assert least_pages(html) <= print_pdf(html, "report.css", made_at=AT, attach=[]).pages


def test_an_account_too_long_for_the_pages_is_left_to_the_attachment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pdf, "MOST_PAGES", 9)
    record = long(7)
    whole = case_report_html(record, ISSUE, names=NAMES, locale="zh")
    assert print_pdf(whole, "report.css", made_at=AT, attach=[]).pages > 9
    printed = render_case_report(record, ISSUE, names=NAMES, evidence=EVIDENCE, locale="zh")
    assert printed.pages <= 9
    (tmp_path / "long.pdf").write_bytes(printed.data)
    text = words(text_of(tmp_path / "long.pdf"))
    assert f"没有印在纸面上。逐条的记录全在本PDF的附件{pdf.ATTACHMENT}里，一条不少。" in text
    assert "条，纸面放不下" not in text
    assert read_evidence(attached(printed.data)) == EVIDENCE
    again = render_case_report(record, ISSUE, names=NAMES, evidence=EVIDENCE, locale="zh")
    assert again.data == printed.data


def test_lists_too_long_for_the_pages_say_how_much_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pdf, "MOST_PAGES", 12)
    printed = render_case_report(long(100), ISSUE, names=NAMES, evidence=EVIDENCE, locale="zh")
    assert printed.pages <= 12
    (tmp_path / "long.pdf").write_bytes(printed.data)
    text = words(text_of(tmp_path / "long.pdf"))
    assert "后面还有880条，纸面放不下，没有印出。全部记录在附件" in text


# --- what travels with it ------------------------------------------------------------------------


def attached(data: bytes) -> bytes:
    with pikepdf.open(io.BytesIO(data)) as pdf:
        (name,) = pdf.attachments
        assert name == "evidence.json"
        file = pdf.attachments[name]
        assert str(file.obj.AFRelationship) == "/Data"
        return file.get_file().read_bytes()


def test_the_attached_entries_verify_and_are_the_ones_reported(report: Path) -> None:
    found = list(check_entries(read_evidence(attached(report.read_bytes()))))
    assert not [one for one in found if isinstance(one, Problem)]
    assert found == SAMPLE.entries


def test_the_lines_printed_in_the_report_verify_what_is_attached(
    report: Path, tmp_path: Path
) -> None:
    (tmp_path / pdf.ATTACHMENT).write_bytes(attached(report.read_bytes()))
    html = case_report_html(RECORD, ISSUE, names=NAMES, locale="zh")
    lines = re.search(r"<pre>(.*?)</pre>", html, re.DOTALL)
    assert lines
    command = [sys.executable, "-c", lines[1]]
    run = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert run.stdout.split() == [str(RECORD.count), RECORD.head]


def test_entries_other_than_the_ones_reported_are_refused() -> None:
    with pytest.raises(RecordBroken, match="没有生成报告"):
        render_case_report(RECORD, ISSUE, names=NAMES, evidence=evidence(BODIES[:-1]), locale="zh")
    broken = [*BODIES[:5], BODIES[5].replace(b"hazard", b"Hazard"), *BODIES[6:]]
    with pytest.raises(RecordBroken, match=r"#6|#7"):
        render_case_report(RECORD, ISSUE, names=NAMES, evidence=evidence(broken), locale="zh")


def test_equal_inputs_give_equal_bytes(report: Path) -> None:
    assert render() == report.read_bytes()
    assert render(issue=replace(ISSUE, purpose="另一用途")) != report.read_bytes()


def test_it_calls_itself_pdf_a_3u_and_carries_one_date(report: Path) -> None:
    with pikepdf.open(report) as pdf:
        with pdf.open_metadata() as told:
            assert (told.get("pdfaid:part"), told.get("pdfaid:conformance")) == ("3", "U")
            assert told["xmp:CreateDate"].startswith("2025-12-04T01:10:00")
        assert pdf.Root.OutputIntents


# --- fonts ---------------------------------------------------------------------------------------


def test_our_four_faces_are_embedded_once_each_and_no_other(report: Path) -> None:
    embedded: dict[str, set[str]] = {}
    with pikepdf.open(report) as pdf:
        for page in pdf.pages:
            for font in page.Resources.Font.values():
                prefix, _, name = str(font.BaseFont).lstrip("/").partition("+")
                embedded.setdefault(name, set()).add(prefix)
                assert "/FontFile3" in font.DescendantFonts[0].FontDescriptor
                assert "/ToUnicode" in font
    assert sorted(embedded) == [
        "Shaoji-Mono",
        "Shaoji-Sans",
        "Shaoji-Sans-Bold",
        "Shaoji-Serif-Bold",
    ]
    assert all(len(prefixes) == 1 for prefixes in embedded.values())


@pytest.mark.parametrize("character", ["𠮷", "🙂", "\ue000", "ꙮ"])
def test_a_character_our_fonts_lack_refuses_the_report_and_is_named(character: str) -> None:
    titled = replace(RECORD, title=f"{character}家车棚")
    with pytest.raises(MissingGlyphs, match=f"U\\+{ord(character):04X}") as refused:
        render(titled)
    assert refused.value.characters == (character,)
    assert f"U+{ord(character):04X}" in refused.value.english


def test_rare_characters_of_names_are_covered() -> None:
    check_glyphs("<p>䶮㛃龑禤仉堃祎</p>")


def test_tags_and_entities_are_no_text() -> None:
    check_glyphs('<p title="x">&lt;&#20986;&gt;</p>')


@pytest.mark.parametrize(
    "html",
    [
        '<img src="file:///etc/hostname">',
        '<img src="http://127.0.0.1:9/x.png">',
        '<link rel="stylesheet" href="shaoji:../secret.css">',
        '<style>p { background: url("shaoji:fonts/../config.py") }</style><p>字</p>',
        '<object data="ftp://127.0.0.1/x"></object>',
    ],
)
def test_nothing_but_our_fonts_is_ever_fetched(html: str) -> None:
    with pytest.raises(NotOurs):
        print_pdf(f"<!doctype html>{html}<p>字</p>", "report.css", made_at=AT, attach=[])


def test_what_people_wrote_cannot_bring_markup_in() -> None:
    nasty = replace(RECORD, title='<img src="file:///etc/hostname">{{ 7 * 7 }}')
    assert b"%PDF-1.7" in render(nasty)[:16]


# --- typesetting ---------------------------------------------------------------------------------


def test_marks_that_meet_share_a_cell_and_the_text_stays() -> None:
    html = typeset("<p>说明（#18）：“好。”</p>")
    assert html.count('class="sq"') == 3
    assert re.sub("<[^>]+>", "", html) == "说明（#18）：“好。”"


def test_dates_and_quantities_stay_on_one_line() -> None:
    html = typeset("<p>2025年11月20日 14:05 用时 1 天 9 分钟</p>")
    assert re.findall('class="num">([^<]+)<', html) == ["2025年11月20日 14:05", "1 天", "9 分钟"]


def test_lines_of_an_account_are_kept_together_without_boxes_of_their_own() -> None:
    line = '<p class="ev is-step">“（好）”，用时 <span class="num">9 分钟</span></p>'
    assert typeset(line).count('class="sq"') == 3
    assert "9\N{NO-BREAK SPACE}分钟</p>" in typeset(line)
    many = typeset(line * 100)
    assert "<i" not in many
    assert "<span" not in many


def test_drawings_code_and_titles_are_left_alone() -> None:
    kept = "<div>\n<svg><text>11月20日（。”</text></svg><pre>1 天</pre><code>“”</code></div>"
    assert typeset(kept) == kept


# --- the picture ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """One character of the text layer and its ink on the page."""

    character: str
    ink: Image.Image


def ink(picture: Image.Image) -> Image.Image | None:
    """The ink alone, at one size, so that two renderers can be compared."""
    marks = ImageChops.invert(picture.convert("L")).point(lambda value: 255 if value > 110 else 0)
    box = marks.getbbox()
    return marks.crop(box).resize((40, 40)) if box else None


def characters(report: Path, folder: Path) -> Iterator[Seen]:
    """Every hanzi of the text layer that stands in a word of hanzi, cut out of the picture."""
    boxes = tool("pdftotext", "-bbox", str(report), "-")
    tool("pdftoppm", "-r", str(RESOLUTION), "-png", str(report), str(folder / "page"))
    pictures = [Image.open(path) for path in sorted(folder.glob("page-*.png"))]
    word = re.compile(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">(.+?)</word>')
    for page, picture in zip(boxes.split("<page ")[1:], pictures, strict=True):
        for x0, y0, x1, y1, text in word.findall(page):
            if re.fullmatch("[一-鿿]+", text):
                left, top, right, bottom = (float(v) * RESOLUTION / 72 for v in (x0, y0, x1, y1))
                wide = (right - left) / len(text)
                for n, character in enumerate(text):
                    cell = (left + n * wide, top, left + (n + 1) * wide, bottom)
                    found = ink(picture.crop(tuple(round(edge) for edge in cell)))
                    if found:
                        yield Seen(character, found)


def drawn(face: str, character: str) -> Image.Image:
    picture = Image.new("L", (120, 120), 255)
    font = ImageFont.truetype(FONTS / f"{face}.otf", 60)
    ImageDraw.Draw(picture).text((30, 10), character, fill=0, font=font)
    found = ink(picture)
    assert found is not None
    return found


def unlikeness(one: Image.Image, other: Image.Image) -> float:
    return float(ImageStat.Stat(ImageChops.difference(one, other)).mean[0])


def test_the_picture_shows_the_characters_of_the_text(report: Path, tmp_path: Path) -> None:
    seen = {told.character: told for told in characters(report, tmp_path)}
    assert len(seen) > 150
    sample = sorted(seen)[::3]
    faces = ("ShaojiSans-Regular", "ShaojiSans-Bold", "ShaojiSerif-Bold")
    known = {c: [drawn(face, c) for face in faces] for c in sample}
    wrong = []
    for character in sample:
        likest = min(known, key=lambda c: min(unlikeness(d, seen[character].ink) for d in known[c]))
        if likest != character:
            wrong.append((character, likest))
    # White on black (the duty marks) and cells cut short by the text layer's boxes may miss.
    assert len(wrong) <= len(sample) // 30, wrong


def test_a_page_whose_letters_are_mixed_up_would_be_noticed(report: Path, tmp_path: Path) -> None:
    seen = {told.character: told for told in characters(report, tmp_path)}
    sample = sorted(seen)[::11]
    mixed = dict(zip(sample, sample[1:] + sample[:1], strict=True))
    own = [unlikeness(drawn("ShaojiSans-Regular", c), seen[c].ink) for c in sample]
    others = [unlikeness(drawn("ShaojiSans-Regular", mixed[c]), seen[c].ink) for c in sample]
    assert sum(a < b for a, b in zip(own, others, strict=True)) > 0.9 * len(sample)


def test_the_seal_is_square_and_names_no_authority() -> None:
    html = case_report_html(RECORD, ISSUE, names=NAMES, locale="zh")
    seal = re.search(r'<svg[^>]*class="sm".*?</svg>', html, re.DOTALL)
    assert seal
    assert not re.search("<circle|<ellipse|<text|<image", seal[0])
    assert "不是公章" in re.sub("<[^>]+>", "", html)


def test_the_qr_code_holds_log_case_count_and_head(report: Path) -> None:
    import segno

    wanted = f"{RECORD.log}\n{RECORD.case}\n{RECORD.count}\n{RECORD.head}"
    matrix = segno.make(wanted, error="m", micro=False).matrix
    html = case_report_html(RECORD, ISSUE, names=NAMES, locale="zh")
    drawn_ = re.search(r'<svg class="qr".*?</svg>', html, re.DOTALL)
    assert drawn_
    cells = {
        (int(x) + n, int(y))
        for x, y, w in re.findall(r"M(\d+) (\d+)h(\d+)v1", drawn_[0])
        for n in range(int(w))
    }
    assert cells == {(x, y) for y, r in enumerate(matrix) for x, dark in enumerate(r) if dark}


def test_the_file_hash_is_not_the_content_digest(report: Path) -> None:
    assert hashlib.sha256(report.read_bytes()).hexdigest() != content_digest(RECORD)
