"""What goes in and out, as the document describes it: shapes that several subjects share."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Word = Annotated[str, Field(max_length=200)]
Words = Annotated[str, Field(max_length=4000)]


class Asked(BaseModel):
    """What comes in as JSON: of exactly these types, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Wanted(BaseModel):
    """What comes in with an address."""

    model_config = ConfigDict(extra="forbid")


class Told(BaseModel):
    """What goes out: these fields and no others, all of them always there."""

    model_config = ConfigDict(
        extra="forbid", json_schema_serialization_defaults_required=True, use_enum_values=True
    )


class CasePath(BaseModel):
    """The id of a case, such as hazard-2026-00001."""

    case_id: Word


class StepPath(CasePath):
    """The key of an open step, such as confirm#1 (in an address: confirm%231)."""

    task: Word


class Acting(BaseModel):
    """Every act carries a key of the sender's choice: sent again, it is answered again."""

    idempotency_key: str = Field(
        alias="Idempotency-Key", min_length=1, max_length=100, pattern="^[\x21-\x7e]+$"
    )


class Paging(Wanted):
    """after: `after` of the `next` link of the page before."""

    after: str | None = Field(default=None, max_length=300)
    limit: int = Field(default=50, ge=1, le=200)


class Named(Told):
    """A person or unit: its id in the log, and its name today."""

    id: str
    name: str


class Choice(Told):
    """Somebody or some unit that may be named; group: under which heading.

    suggested: 1 for whom the desk would name first, null for those not among its best three. why:
    every reason for that, in the language of the request.
    """

    id: str
    name: str
    group: str
    suggested: int | None = None
    why: str = ""


class Bilingual(Told):
    """The same in Chinese and English."""

    zh: str
    en: str


class Why(Told):
    """Why something is refused: what the refusal would be told as."""

    type: str
    detail_zh: str
    detail_en: str


class Happened(Told):
    """An event an act has written."""

    seq: int
    type: str


class Acted(Told):
    """What an act did. repeated: a command with this key was done before, and nothing was written.

    seq: number of the last event. tasks: keys of the steps open now.
    """

    case: str
    seq: int
    events: list[Happened]
    tasks: list[str]
    repeated: bool


class AskedForm(Told):
    """A form: its JSON Schema 2020-12 with our `x-` words, what is filled in, who may be named.

    evidence: the purposes for which it takes files.
    """

    form_schema: dict[str, Any] = Field(serialization_alias="schema")
    values: dict[str, Any]
    choices: dict[str, list[Choice]]
    evidence: list[str]


class Offered(Told):
    """An act that would not be refused now. form: what to send, where the process has drawn one."""

    act: str
    href: str
    choices: list[Choice]
    form: AskedForm | None


class ClockTold(Told):
    """A running clock: minutes of its own kind (natural, working).

    state: ok, near (80 % used), late or paused.
    """

    state: str
    kind: str
    deadline_class: str
    due: datetime
    allowed: int
    used: int
    left: int
    late: int
    paused_for: str
    paused_until: datetime | None


class FoundCaseTold(Told):
    """A case of the register."""

    case: str
    href: str
    process: str
    number: str
    title: str
    category: str
    level: str | None
    unit: Named
    address: str
    status: str
    opened_at: datetime
    ended_at: datetime | None


class CasePage(Told):
    """Cases, newest first; next: the address of the page behind this one."""

    items: list[FoundCaseTold]
    next: str | None
