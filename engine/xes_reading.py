"""A XES log (IEEE 1849-2016) of a stranger, read event by event and never as a tree.

Nothing in it is expanded or fetched: a document type ends the reading at once, before any entity
could be declared. What stands inside an attribute (its own attributes) is passed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final
from xml.parsers import expat

from engine.errors import BadInput
from engine.import_rows import BadRow, Rejected, Row

DEEPEST: Final = 12
MOST_ATTRIBUTES: Final = 200
MOST_EVENTS_OF_A_TRACE: Final = 20_000
LONGEST_VALUE: Final = 8_000
CASE: Final = "case:"
_PIECE: Final = 1 << 16
_VALUES: Final = frozenset({"string", "date", "int", "float", "boolean", "id"})


class BadXes(BadInput):
    """The file is no XES log that could be read, or one that would do harm."""


@dataclass(slots=True)
class _Reading:
    """What is open while the file goes by, and the rows that are done."""

    parser: expat.XMLParserType
    rows: list[Row | Rejected] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    trace: dict[str, str] = field(default_factory=dict)
    event: dict[str, str] = field(default_factory=dict)
    events: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    line: int = 0

    def start(self, name: str, told: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if not self.names and name != "log":
            raise BadXes("这不是 XES 日志：最外层不是 log。", "Not a XES log: its root is no log.")
        self.names.append(name)
        if len(self.names) > DEEPEST:
            raise BadXes("文件嵌套过深，没有读。", "The file is nested too deeply.")
        if name == "event":
            self.line, self.event = self.parser.CurrentLineNumber, {}
        elif name == "trace":
            self.trace, self.events = {}, []
        elif name in _VALUES:
            self._attribute(told)

    def _attribute(self, told: dict[str, str]) -> None:
        holder = self.names[-2:-1]
        into = {"event": self.event, "trace": self.trace}.get(holder[0] if holder else "")
        if into is None:
            return
        key, value = told.get("key", ""), told.get("value", "")
        if len(value) > LONGEST_VALUE or len(into) >= MOST_ATTRIBUTES:
            self._refuse(
                "属性过多或过长，没有读。", "Too many attributes, or one that is too long."
            )
        into[key] = value.strip()

    def end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        self.names.pop()
        if name == "event":
            self._event()
        elif name == "trace":
            self.rows += self._trace()

    def _event(self) -> None:
        if self.names[-1:] != ["trace"]:
            bad = BadRow("这个事件不在任何 trace 里。", "This event is in no trace.")
            columns = tuple(self.event)
            row = Row(self.line, self.line, columns, tuple(self.event.values()))
            self.rows.append(Rejected(row, bad.chinese, bad.english))
            return
        if len(self.events) >= MOST_EVENTS_OF_A_TRACE:
            self._refuse("一个 trace 里的事件过多，没有读。", "A trace has too many events.")
        self.events.append((self.line, self.event))

    def _trace(self) -> Iterator[Row]:
        # What is said of the trace may stand behind its events.
        of_case = {CASE + key: value for key, value in self.trace.items()}
        for line, event in self.events:
            cells = of_case | event
            yield Row(line, line, tuple(cells), tuple(cells.values()))
        self.events = []

    def _refuse(self, chinese: str, english: str) -> None:
        line = self.parser.CurrentLineNumber
        raise BadXes(f"第 {line} 行：{chinese}", f"Line {line}: {english}")

    def doctype(self, *_: object) -> None:
        raise BadXes(
            "文件含有 DOCTYPE 或实体声明，不予接收。",
            "Document types and entities are refused.",
        )

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
            raise BadXes(
                f"文件声明的编码是 {encoding}。请另存为 UTF-8 再导入。",
                f"The file declares {encoding}; save it as UTF-8.",
            )


def xes_rows(file: BinaryIO) -> Iterator[Row | Rejected]:
    """Each event as a row: its attributes by key, those of its trace with `case:` before the key.

    file: uncompressed, from its start; its size is for the caller to bound. Raises BadXes.
    """
    # The encoding is forced: no other reading than UTF-8 can hide anything.
    parser = expat.ParserCreate("utf-8")
    reading = _Reading(parser)
    parser.StartElementHandler, parser.EndElementHandler = reading.start, reading.end
    parser.StartDoctypeDeclHandler = reading.doctype
    parser.EntityDeclHandler = reading.doctype
    parser.XmlDeclHandler = reading.declaration
    try:
        while piece := file.read(_PIECE):
            parser.Parse(piece, False)
            yield from reading.rows
            reading.rows = []
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise BadXes(
            f"不是格式良好的 UTF-8 XML（第 {error.lineno} 行），请重新导出。",
            f"Not well-formed XML in UTF-8 (line {error.lineno}); export it again.",
        ) from error
    yield from reading.rows
