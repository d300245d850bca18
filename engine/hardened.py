"""XML from outside, read so that it can neither reach out, blow up, nor mean two things."""

import re

from lxml import etree

from engine.errors import BadInput

MAX_BYTES = 2_000_000
MAX_DEPTH = 40
MAX_ELEMENTS = 20_000

DECLARATION = re.compile(r"<\?xml\s[^>]*\?>")
ENCODING = re.compile(r"""encoding\s*=\s*["']([^"']*)["']""")


class BadXml(BadInput):
    """The document is not plain, small, well-formed XML in UTF-8."""


def hardened_xml(document: bytes) -> etree._Element:
    """Parse UTF-8 XML of at most 2 MB and return its root, comments left out; raises BadXml.

    Refused: document types, entities, processing instructions, other encodings, more than 20,000
    elements, nesting deeper than 40.
    """
    _check_text(_decoded(document))
    try:
        # The encoding is forced, for what was judged above is the UTF-8 reading and no other.
        root = etree.fromstring(document, _parser())
    except etree.XMLSyntaxError as error:
        where = f"{error.lineno}" if error.lineno else "?"
        raise BadXml(
            f"不是格式良好的 XML（第 {where} 行），请用建模工具重新导出。",
            f"Not well-formed XML (line {where}); export it again from the modelling tool.",
        ) from error
    _check_tree(root)
    return root


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
    )


def _decoded(document: bytes) -> str:
    if len(document) > MAX_BYTES:
        raise BadXml("文件超过 2 MB，请拆分。", "The file is larger than 2 MB; split it.")
    try:
        return document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadXml("文件不是 UTF-8 编码。", "The file is not in UTF-8.") from error


def _check_text(text: str) -> None:
    declaration = DECLARATION.match(text)
    body = text[declaration.end() :] if declaration else text
    encoding = ENCODING.search(declaration.group()) if declaration else None
    if encoding and encoding.group(1).lower() != "utf-8":
        raise BadXml("文件声明了 UTF-8 以外的编码。", "The file declares another encoding.")
    if "<!DOCTYPE" in body or "<!ENTITY" in body:
        raise BadXml(
            "文件含有 DOCTYPE 或实体声明，不予接收。", "Document types and entities are refused."
        )
    if "<?" in body:
        raise BadXml("文件含有处理指令，不予接收。", "Processing instructions are refused.")
    # Counted in the text, so that half a million elements never become a tree.
    if text.count("<") > 2 * MAX_ELEMENTS:
        raise BadXml("文件的元素过多，请拆分。", "The file has too many elements; split it.")


def _check_tree(root: etree._Element) -> None:
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise BadXml("文件嵌套过深。", "The file is nested too deeply.")
        level = [child for node in level for child in node]
