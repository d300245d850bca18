"""Files first, then the act that names them: a file that was sent is named by its token."""

from collections.abc import Sequence
from typing import BinaryIO, Literal, cast

from flask import Response
from flask_openapi3.models.file import FileStorage
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.datastructures import FileStorage as Sent

from engine.evidence import THUMBNAIL, VIEW, Evidence, keep
from engine.forms import FieldError
from engine.people import directory
from web.api.operations import gives, receives, subject
from web.api.problems import MalformedRequest
from web.api.shapes import CasePath, Told, Wanted
from web.evidence import served
from web.reporting import check_in_office
from web.texts import later
from web.uploads import kept, opened
from web.visit import at, reads, settings

operations = subject("evidence", later("证据文件"))
TOKENS = "evidence"


class SentFile(BaseModel):
    """A photo (JPEG, PNG, WebP up to 15 MB) or a PDF (up to 25 MB)."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    file: FileStorage


class Purpose(Wanted):
    """What the file is for."""

    purpose: Literal["before", "during", "after", "doc", "call", "site"]


class Received(Told):
    """A file that is kept. token: names it in an act of the same person; sha256: in the log."""

    token: str
    sha256: str
    bytes: int
    media: str
    purpose: str


class FilePath(CasePath):
    """A file of a case by its hash."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Width(Wanted):
    """view: as large as a screen; thumbnail: as small as a stamp."""

    size: Literal["view", "thumbnail"] = "view"


@receives(
    operations, "/evidence", later("上传证据文件，得到 token，办理时填上"), Received,
    "tasks:act", "cases:report",
)  # fmt: skip
def send(form: SentFile, query: Purpose) -> Received:
    """Keep a file. The same bytes sent again are kept once, so no key is asked for."""
    with reads() as conn:
        check_in_office(directory(conn))
    sent: object = form.file
    if not isinstance(sent, Sent) or not sent.filename:
        raise MalformedRequest(
            "请用 multipart/form-data 的 file 一项上传一个有名字的文件。",
            "Send one file with a name, as the part `file` of multipart/form-data.",
        )
    item = keep(
        settings().evidence_dir,
        cast("BinaryIO", sent.stream),
        name=sent.filename,
        purpose=query.purpose,
        declared_type=sent.mimetype,
        at=at(),
    )
    return Received(
        token=kept(item).token,
        sha256=item.sha256,
        bytes=item.bytes,
        media=item.media,
        purpose=item.purpose,
    )


@gives(
    operations, "/cases/<case_id>/evidence/<sha256>", later("案件里的一份证据文件"),
    "application/octet-stream", "cases:read",
)  # fmt: skip
def file(path: FilePath, query: Width) -> Response:
    """A photo without its place, time and device, or a document."""
    width = THUMBNAIL if query.size == "thumbnail" else VIEW
    return served(path.case_id, path.sha256, width)


def named(
    tokens: Sequence[str], purposes: Sequence[str]
) -> tuple[list[Evidence], list[FieldError]]:
    """The files that these tokens name, and what is wrong with them."""
    found = [opened(token) for token in tokens]
    fitting = [item for item in found if item is not None and item.purpose in purposes]
    if len(fitting) == len(found):
        return list({(item.sha256, item.purpose): item for item in fitting}.values()), []
    return [], [
        FieldError(
            TOKENS,
            "有的文件不是您上传的，或用途不是这张表单要的。请重新上传，填上返回的 token。",
            "Some files were not sent by you, or are for what this form does not ask. Send them "
            "again and name them by the tokens you get.",
        )
    ]
