"""公示表: what is published for everybody, as one sheet: hazards, whistles, complaints found true.

Nothing but the figures of the two public pages, merged there until none is small.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from audit import log
from engine.published_hazards import Figures
from web import hazard_publication, publication
from web.quantities import pick, when
from web.texts import say
from web.told_report import Section, ToldReport, cells

# To be raised whenever the same entries give another digest than before.
PUBLICATION_VERSION: Final = 1
FORMAT: Final = "shaoji-publication/1"
ATTACHMENT: Final = "publication.json"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is published now: of the log of this name, by these figures."""

    log: str
    hazards: Figures
    complaints: publication.Figures

    @property
    def cases(self) -> int:
        """How many cases all of it rests on."""
        return self.hazards.position.cases + self.complaints.position.complaints

    @property
    def data(self) -> bytes:
        """All of it, as the two public pages give it out."""
        told = {
            "format": FORMAT,
            "log": self.log,
            "hazards": orjson.loads(hazard_publication.as_json(self.hazards)),
            "complaints": orjson.loads(publication.as_json(self.complaints)),
        }
        return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def read_sheet(conn: Connection, now: datetime) -> Sheet:
    """What is published at this instant: the months that are over."""
    return Sheet(
        log.origin(conn), hazard_publication.figures(conn, now), publication.figures(conn, now)
    )


class SheetText:
    """The words of the sheet; to be made where its language is spoken (web.texts.spoken)."""

    def __init__(self, sheet: Sheet, locale: str) -> None:
        self.sheet, self.locale = sheet, locale

    def say(self, chinese: str, english: str) -> str:
        """The Chinese or the English."""
        return pick((chinese, english), self.locale)

    def told(self) -> ToldReport:
        """The whole sheet."""
        tell, hazards = self.say, self.sheet.hazards
        position, complaints = hazards.position, self.sheet.complaints.position
        months = hazard_publication.months(position)
        until = when(position.until, self.locale, year=True)
        threshold = str(hazards.hazards.threshold)
        return ToldReport(
            locale=self.locale,
            heading=tell("公示表", "Publication sheet"),
            subject=f"{self.sheet.complaints.street}　{months}",
            log=self.sheet.log,
            facts=(
                (tell("月份", "Months"), months),
                (tell("算到", "Up to"), tell(f"{until} 以前", f"before {until}")),
                (tell("小的数", "Small figures"), self._merged(threshold)),
            ),
            parameters=(
                (tell("不单列的数小于", "figures told together below"), threshold),
                (tell("隐患和吹哨：案件、记录", "hazards, whistles: cases, entries"),
                 f"{position.cases}　{position.records}"),
                (tell("末条指纹的总指纹", "fingerprint of their ends"), position.sha256),
                (tell("投诉：案件、记录", "complaints: cases, entries"),
                 f"{complaints.complaints}　{complaints.records}"),
                (tell("投诉末条指纹的总指纹", "fingerprint of theirs"), complaints.sha256),
            ),
            formulas=(
                (tell("算法版本", "version"),
                 f"audit.publication, audit.hazard_publication {PUBLICATION_VERSION}"),
            ),
            summary=(
                tell(
                    "只有可以公布的数；按社区名称排列，不排名，不到人。",
                    "Publishable figures alone, by community in the order of names; nobody is "
                    "ranked or named.",
                ),
            ),
            sections=tuple(self._sections()),
            cases=(),
            steps=(
                tell(
                    "总指纹是每条记录串一行“名称 条数 末条哈希”，排序后的 SHA-256；"
                    "有导出的日志就能重算，也和 /public、/public/hazards 上的一样。",
                    "The fingerprint is the SHA-256 over a line “stream number hash” each, sorted; "
                    "an export of the log gives it, and so do /public and /public/hazards.",
                ),
            ),
            proves=(
                tell("数字由这些记录算得出来。", "The figures follow from these entries."),
            ),
            proves_not=(
                tell("件数多就更危险：也可能是巡查勤、居民敢说。",
                     "That more means worse: there may be more patrols, or people who dare speak."),
            ),
            attachment=ATTACHMENT,
            data=self.sheet.data,
        )  # fmt: skip

    def _merged(self, threshold: str) -> str:
        return self.say(
            f"不足 {threshold} 的并在一起，不留空",
            f"below {threshold} told together, none left blank",
        )

    def _sections(self) -> Iterator[Section]:
        tell, found = self.say, self.sheet.hazards
        whole, lines = hazard_publication.whole(found), hazard_publication.lines(found)
        none = tell("还没有可公布的数字。", "There is nothing to publish yet.")
        yield Section(
            tell("全街道隐患", "Hazards of the street"),
            (tell("口径", "What"), tell("数", "Figure")),
            tuple(cells(head, words) for head, words in whole),
            none=none,
            widths=(60, 0),
        )
        heads = [say(hazard_publication.HEADS[name]) for name in found.hazards.columns]
        yield Section(
            tell("各社区隐患", "Hazards by community"),
            (tell("社区", "Community"), *heads),
            tuple(
                cells(self._units(line.units, line.merged), *(words for _, words in line.figures))
                for line in lines
            ),
            none=none,
        )
        yield Section(
            tell("各社区隐患类别", "Hazards by community and kind"),
            (tell("社区", "Community"), tell("哪一类", "Kind"), tell("上报", "Reported")),
            tuple(
                cells(self._units(line.units, line.merged), words, count)
                for line in lines
                for words, count in line.categories
            ),
            none=none,
            widths=(60, 0, 24),
        )
        yield Section(
            tell("吹哨", "Whistles"),
            (tell("社区", "Community"), tell("吹哨次数", "Whistles")),
            tuple(cells(self._named(cell.units), cell.count) for cell in found.whistles),
            none=none,
            widths=(0, 30),
        )
        yield self._complaints(publication.told(self.sheet.complaints), none)

    def _complaints(self, told: dict[str, Any], none: str) -> Section:
        tell = self.say
        periods: list[publication.Told] = told["periods"]
        rows = [
            cells(one.months, self._units(row.units, row.merged), row.categories, row.count)
            for one in periods
            for row in one.rows
        ]
        corrections = [words for one in periods for words in one.corrections]
        return Section(
            tell("投诉受理并核实", "Complaints found true"),
            (tell("月份", "Months"), tell("哪里", "Where"), tell("哪一类", "Kind"),
             tell("查实件数", "Found true")),
            tuple(rows),
            none=none,
            note=tell("；", "; ").join(corrections),
            widths=(44, 50, 0, 22),
        )  # fmt: skip

    def _named(self, units: tuple[str, ...]) -> str:
        names = [self.sheet.hazards.units.get(unit, unit) for unit in units]
        return self._units(self.say("、", ", ").join(names), len(names) > 1)

    def _units(self, words: str, merged: bool) -> str:
        return words + self.say("（合计）", " (together)") if merged else words
