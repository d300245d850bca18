"""Photos and documents sent with a form: kept before the act, and not lost when it is refused."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, BinaryIO, Final, cast

from flask import request
from itsdangerous import BadSignature, URLSafeSerializer

from audit.encoding import instant, timestamp
from engine.evidence import Evidence, keep
from engine.expressions import Expression
from engine.forms import EvidenceRule, FieldError, Form
from engine.photos import Declared
from engine.uploads import UnfitFile
from web.texts import either, say
from web.visit import by, settings
from web.wording import PURPOSES

# Where a camera is what one wants first.
CAMERA: Final = frozenset({"before", "during", "after", "site"})
PHOTOS: Final = "image/jpeg,image/png,image/webp"
DOCUMENTS: Final = f"application/pdf,{PHOTOS}"
MOST_FILES: Final = 20
_SALT: Final = "kept evidence"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was received and examined, waiting for its act; `token` names it in the form."""

    token: str
    name: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Upload:
    """Where files of one purpose are chosen; name: of the input, and the anchor of its error."""

    name: str
    label: str
    hint: str
    camera: bool
    accept: str
    kept: tuple[Kept, ...]
    error: str


def asked_purposes(form: Form) -> list[str]:
    """The purposes for which a form asks files, in its order."""
    return list(dict.fromkeys(rule.purpose for rule, _ in form.evidence))


def uploads(
    form: Form,
    purposes: Sequence[str],
    received: Sequence[Evidence],
    errors: Iterable[FieldError],
    *,
    owner: str | None = None,
) -> list[Upload]:
    """The inputs for files of these purposes, with what was received before in each.

    owner: whose files they are; None = the signed-in person's.
    """
    told = {error.field: either(error.chinese, error.english) for error in errors}
    return [_upload(form, purpose, received, told, owner) for purpose in purposes]


def receive(
    purposes: Sequence[str], *, at: datetime, owner: str | None = None
) -> tuple[list[Evidence], list[FieldError]]:
    """Keep the files of this request, with those kept by an earlier try that is sent again.

    An unfit file is an error of its field; the other files are kept all the same. owner: whose
    files they are; None = the signed-in person's.
    """
    received = reopened(request.form.getlist("kept"), purposes, owner)
    errors: list[FieldError] = []
    for purpose in purposes:
        name = input_name(purpose)
        for file in request.files.getlist(name)[:MOST_FILES]:
            if not file.filename:
                continue
            try:
                received.append(
                    keep(
                        settings().evidence_dir,
                        cast("BinaryIO", file.stream),
                        name=file.filename,
                        purpose=purpose,
                        declared_type=file.mimetype,
                        at=at,
                    )
                )
            except UnfitFile as unfit:
                errors.append(FieldError(name, unfit.chinese, unfit.english))
    # The same photo sent twice is one photo.
    return list({(item.sha256, item.purpose): item for item in received}.values()), errors


def input_name(purpose: str) -> str:
    """The name of the input for files of a purpose, and of its errors."""
    return f"evidence_{purpose}"


def reopened(
    tokens: Iterable[str], purposes: Sequence[str], owner: str | None = None
) -> list[Evidence]:
    """The files these tokens name, for these purposes; forged and foreign tokens name none.

    owner: whose files they are; None = the signed-in person's.
    """
    found = [opened(token, owner) for token in list(tokens)[:MOST_FILES]]
    return [item for item in found if item is not None and item.purpose in purposes]


def _upload(
    form: Form,
    purpose: str,
    received: Sequence[Evidence],
    told: dict[str, str],
    owner: str | None,
) -> Upload:
    rules = [(rule, when) for rule, when in form.evidence if rule.purpose == purpose]
    return Upload(
        name=input_name(purpose),
        label=label(purpose),
        hint=_hint(form, rules),
        camera=purpose in CAMERA,
        accept=PHOTOS if purpose in CAMERA else DOCUMENTS,
        kept=tuple(kept(item, owner) for item in received if item.purpose == purpose),
        error=told.get(input_name(purpose), ""),
    )


def label(purpose: str) -> str:
    """What files of a purpose are called: 整改后照片."""
    words = either(*PURPOSES[purpose])
    return say("{purpose}照片", purpose=words) if purpose in CAMERA else words


def _hint(form: Form, rules: Sequence[tuple[EvidenceRule, Expression | None]]) -> str:
    if not rules:
        return say("可不附。")
    rule, when = rules[0]
    if when is None:
        return say("至少 {count} 份。", count=rule.minimum)
    condition = _condition(form, when)
    if condition:
        return say("{condition}要附，至少 {count} 份。", condition=condition, count=rule.minimum)
    read = [field for field in form.fields if field.name in when.names]
    fields = say("”“").join(either(field.title, field.title_en) for field in read)
    return say("要不要附，看“{fields}”；要附的至少 {count} 份。", fields=fields, count=rule.minimum)


def _condition(form: Form, when: Expression) -> str:
    """“结论”为“不是隐患”时: a condition on one choice in words; "" for any other."""
    field = form.field(next(iter(when.names))) if len(when.names) == 1 else None
    if field is None or not field.choices:
        return ""
    titles = [
        either(choice.title, choice.title_en)
        for choice in field.choices
        if when.holds({field.name: choice.value})
    ]
    asked, answers = either(field.title, field.title_en), say("”或“").join(titles)
    return say("“{field}”选“{answers}”时", field=asked, answers=answers) if titles else ""


def kept(item: Evidence, owner: str | None = None) -> Kept:
    """A received file as the form names it, signed: nobody can claim a file they did not send."""
    told = asdict(item) | {"at": timestamp(item.at)}
    return Kept(_signer(owner).dumps(told), item.name, item.purpose)


def opened(token: str, owner: str | None = None) -> Evidence | None:
    """The file a token stands for, or None; owner: whose it is, None = whoever acts."""
    try:
        told: dict[str, Any] = _signer(owner).loads(token)
    except BadSignature:
        return None
    declared = told.pop("declared")
    gps = declared.pop("gps")
    return Evidence(
        **(told | {"at": instant(told["at"])}),
        declared=Declared(**declared, gps=tuple(gps) if gps else None),
    )


def _signer(owner: str | None) -> URLSafeSerializer:
    whose = by().person if owner is None else owner
    return URLSafeSerializer(settings().secret_key, salt=f"{_SALT} {whose}")
