"""指数权重: which files of weights of the index were adopted, and how the next one comes to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, flash, render_template
from sqlalchemy import Connection
from werkzeug.wrappers import Response as AnyResponse

from audit import log
from audit.risk_index.weights import Weights, read_weights
from engine.awaiting import drop
from engine.index_register import Adopted
from engine.index_weights import (
    WeightsMissing,
    adopt_weights,
    read_fit_weights,
    read_register,
    weights_file,
)
from engine.people import directory
from web.admin_pages import clerk, pages, typed
from web.index_rows import part_name, stratum_name
from web.index_weights import index_weights, shipped_file
from web.index_words import NUMBERS
from web.kept_receipts import receipt_signer
from web.quantities import ZONE
from web.sent_files import keep_file, kept_file, one_file
from web.texts import say
from web.visit import at, reads, see_other, writes

PURPOSE: Final = "weights"


@dataclass(frozen=True, slots=True)
class Changed:
    """One thing that a file says otherwise than another: what, old and new in words."""

    what: str
    old: str
    new: str


@pages.get("/index-weights")
def weights() -> str:
    """All adopted files, and the ways to the next one."""
    with reads() as conn:
        adopted, people = read_register(conn).adopted, directory(conn)
    return render_template(
        "admin_index.html",
        adopted=list(reversed(adopted)),
        people=people,
        shipped=index_weights(),
        is_adopted=any(one.sha256 == index_weights().sha256 for one in adopted),
    )


@pages.get("/index-weights/<int(max=999999999):version>.toml")
def weights_toml(version: int) -> Response:
    """The file of a version, as it was adopted."""
    with reads() as conn:
        one = _adopted(conn, version)
        data = weights_file(conn, version, one.sha256)
    return _file(data, f"weights-{version}.toml", "application/toml")


@pages.get("/index-weights/<int(max=999999999):version>.note")
def weights_note(version: int) -> Response:
    """The signed note on it."""
    with reads() as conn:
        note = _adopted(conn, version).note
    return _file(note.encode(), f"weights-{version}.note", "text/plain; charset=utf-8")


@pages.post("/index-weights/files")
def send_weights() -> AnyResponse:
    """A file of weights: what is sent, or the one that is shipped."""
    name, data = ("", shipped_file()) if typed("shipped") else one_file()
    read_fit_weights(data)
    return see_other("admin.next_weights", file=keep_file(PURPOSE, name, data))


@pages.get("/index-weights/next/<file>")
def next_weights(file: str) -> str:
    """What the file says otherwise than the last one adopted, before it is."""
    new = read_fit_weights(kept_file(PURPOSE, file).data)
    with reads() as conn:
        adopted = read_register(conn).adopted
        last = adopted[-1] if adopted else None
        old = read_weights(weights_file(conn, last.version, last.sha256)) if last else None
        names = {unit.id: unit.name for unit in directory(conn).units.values()}
    return render_template(
        "admin_index_next.html",
        file=file,
        new=new,
        old=old,
        changed=changes(old, new, names) if old else [],
        unknown=sorted({*new.communities, *new.departments} - set(names)),
        month=f"{at().astimezone(ZONE):%Y-%m}",
    )


@pages.post("/index-weights/next/<file>")
def adopt(file: str) -> AnyResponse:
    """采用."""
    kept = kept_file(PURPOSE, file)
    with writes() as conn:
        entry = adopt_weights(
            conn, kept.data, typed("month"), typed("reason"),
            signer=receipt_signer(log.origin(conn)), by=clerk(), at=at(),
        )  # fmt: skip
        drop(conn, file)
    flash(say("权重第 {version} 版已采用", version=entry.data["version"]))
    return see_other("admin.weights")


def _adopted(conn: Connection, version: int) -> Adopted:
    for one in read_register(conn).adopted:
        if one.version == version:
            return one
    raise WeightsMissing(
        f"没有采用过第 {version} 版权重。", f"Version {version} of the weights was never adopted."
    )


def _file(data: bytes, name: str, media: str) -> Response:
    response = Response(data, content_type=media)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# --- what differs ---------------------------------------------------------------------------------


def changes(old: Weights, new: Weights, names: Mapping[str, str]) -> list[Changed]:
    """What a file says otherwise than another, in the order of the file."""
    before, after = (_said(one, names) for one in (old, new))
    return [
        Changed(what, before.get(what, say("没有")), after.get(what, say("没有")))
        for what in dict.fromkeys([*before, *after])
        if before.get(what) != after.get(what)
    ]


def _said(told: Weights, names: Mapping[str, str]) -> dict[str, str]:
    parts: dict[str, Any] = {
        say("排名"): say("开") if told.ranking else say("关"),
        **{say("块·{part}", part=part_name("communities", k)): v for k, v in told.block.items()},
        **{say("条·{part}", part=part_name("departments", k)): v for k, v in told.line.items()},
        **{say(NUMBERS[name]): value for name, value in told.numbers.items()},
        say("色档"): f"{told.bands.blue_above} / {told.bands.yellow_from} / "
        f"{told.bands.orange_from}",
        **{
            names.get(unit, unit): say(
                "{households} 户，{stratum}",
                households=one.households, stratum=stratum_name(one.stratum),
            )
            for unit, one in told.communities.items()
        },
        **{names.get(unit, unit): stratum_name(one) for unit, one in told.departments.items()},
    }  # fmt: skip
    return {what: str(value) for what, value in parts.items()}
