"""A file sent to the administrator's pages: read whole, kept until it is confirmed."""

from typing import Final

from flask import request
from werkzeug.datastructures import FileStorage

from engine.awaiting import Awaiting, fetch, keep
from engine.errors import BadInput
from web.visit import at, by, reads, writes

# A little more than the largest any of them takes: each says itself what is too large.
MOST_READ: Final = 6 * 1024 * 1024


def sent_files(field: str = "file") -> list[tuple[str, bytes]]:
    """The files of a form field with something in them: (name, bytes)."""
    sent = request.files.getlist(field)
    return [(one.filename or "", _read(one)) for one in sent if one.filename]


def one_file(field: str = "file") -> tuple[str, bytes]:
    """The one file of a form field; raises BadInput."""
    sent = sent_files(field)
    if len(sent) != 1:
        raise BadInput("请选一个文件。", "Choose one file.")
    return sent[0]


def keep_file(purpose: str, name: str, data: bytes) -> str:
    """Keep a file for whoever sent it; returns its id."""
    with writes() as conn:
        return keep(conn, purpose, name, data, person=by().person, at=at())


def kept_file(purpose: str, id_: str) -> Awaiting:
    """A file this person sent and has not confirmed; raises NoSuchFile."""
    with reads() as conn:
        return fetch(conn, id_, purpose, person=by().person, at=at())


def _read(sent: FileStorage) -> bytes:
    with sent.stream:  # a large one lies in a temporary file
        data: bytes = sent.read(MOST_READ)
        return data
