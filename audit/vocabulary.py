"""What may be recorded: every type of entry, what it means, which fields it has, who may cause it.

The public contract of the log, told in words in docs/audit-format.md (whose tables this module
prints: `python -m audit.vocabulary`). Fields are written `name:shape`, `name?:shape` if they may
be missing, `[shape]` for a list; nothing else may be there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from audit.encoding import instant
from audit.entries import ENGINE, Entry

# act: a person does it. alarm: a clock that ran out, or what came in from another case.
# fact: what a machine computed from its cause.
# either: a person, or else a clock (resume), or the installation itself, which stands for whoever
# operates the server.
Cause = Literal["act", "alarm", "fact", "either"]
Check = Callable[[Any], str | None]

REGISTERS: Final = (
    "@units", "@people", "@calendar", "@definitions", "@accounts", "@access", "@codes", "@index",
    "@warnings", "@log",
)  # fmt: skip
CASE: Final = "case"


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of entry. stream: `case`, or the register it belongs to. evidence: files allowed."""

    name: str
    stream: str
    cause: Cause
    chinese: str
    english: str
    fields: str
    evidence: bool


# --- shapes -------------------------------------------------------------------------------------

# Single values: how they are told, and the test.
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_ELEMENT: Final = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_KEY: Final = re.compile(rf"{_ELEMENT.pattern}#[1-9]\d*", re.ASCII)
# What a piece of evidence shows: the state before, during, after; a document, a call, the place.
PURPOSES: Final = ("before", "during", "after", "doc", "call", "site")


def _is_text(value: Any) -> bool:
    return type(value) is str and bool(value.strip())


def _is_number(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_count(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_time(value: Any) -> bool:
    try:
        instant(value)
    except (TypeError, ValueError):
        return False
    return True


VALUES: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "text": ("a string with something other than white space", _is_text),
    "words": ("a string, maybe empty", lambda value: type(value) is str),
    "number": ("an integer from 0", _is_number),
    "count": ("an integer from 1", _is_count),
    "minutes": ("whole minutes of the clock named beside it, from 0", _is_number),
    "seq": ("the number of an earlier entry of the same stream, from 1", _is_count),
    "bool": ("true or false", lambda value: type(value) is bool),
    "true": ("true", lambda value: value is True),
    "time": ("an instant, `2026-03-01T01:02:03.456Z`", _is_time),
    "hash": (
        "64 lowercase hexadecimal digits",
        lambda value: type(value) is str and bool(_HEX.fullmatch(value)),
    ),
    "key": (
        "one activation of an element: `<element id>#<n>`, n from 1",
        lambda value: type(value) is str and bool(_KEY.fullmatch(value)),
    ),
    "element": (
        "the id of an element or flow: an ASCII letter or `_`, then also digits, `.` and `-`",
        lambda value: type(value) is str and bool(_ELEMENT.fullmatch(value)),
    ),
    "purpose": ("one of `before during after doc call site`", lambda value: value in PURPOSES),
    "gps": (
        "two strings: latitude and longitude as the file has them",
        lambda value: type(value) is list and len(value) == 2 and all(map(_is_text, value)),
    ),
    "person": ("a pseudonymous id of a person", _is_text),
    "unit": ("the id of a unit", _is_text),
    "clock": ("`natural` or `working`", lambda value: value in ("natural", "working")),
    "how": ("`completed` or `cancelled`", lambda value: value in ("completed", "cancelled")),
    "form": ("an object: the answers by field name", lambda value: type(value) is dict),
    "anything": ("any value of the profile", lambda value: True),
}

# Objects with fields of their own.
RECORDS: Final[Mapping[str, str]] = {
    "place": "unit:unit path:[unit] address:words district?:unit",
    "origin": "case?:text seq?:count hash:hash",
    "proof": "case:text seq:count code:text salt:hash",
    "pinned": "key:text sha256:hash version?:count",
    "calendar": "version:count sha256:hash",
    "gateway": "gateway:element flow:element",
    "rule": "rule:element sha256:hash row:count inputs:form outputs:form",
    "lot": "lot:text per_mille?:number drawn?:bool candidates?:[unit] unit?:unit",
    "opened": "task:key element:element duty:text capacity:text units:[unit] holder?:person",
    "closed": "task:key how:how holder?:person clock?:clock class?:text allowed?:minutes"
    " used?:minutes due?:time in_time?:bool late?:minutes",
    "timer": "timer:key element:element",
    "import": "system:text id:text line:count row_sha256:hash file_sha256:hash opened:text"
    " closed?:text status?:text concluded:bool original:[anything]",
    "file": "name:text sha256:hash",
    "evidence": "sha256:hash bytes:number media:text purpose:purpose declared:true name?:text"
    " taken_at?:text gps?:gps device?:text",
    "informant": "person:person post:text unit:unit",
    "actor": "person:person post?:text unit?:unit capacity:text on_behalf_of?:person channel:text"
    " informant?:informant",
}

# --- the types ----------------------------------------------------------------------------------


def _types(
    stream: str, cause: Cause, rows: tuple[tuple[str, str, str, str], ...]
) -> tuple[EventType, ...]:
    return tuple(
        EventType(name, stream, cause, chinese, english, fields, name in _WITH_FILES)
        for name, chinese, english, fields in rows
    )


_WITH_FILES: Final = frozenset({"case.opened", "task.completed", "pause.requested"})
# What may be typed for a colleague who said it (代录): its actor may have an `informant`.
ON_WORD: Final = frozenset({"case.opened", "task.claimed", "task.completed"})
# Each: name, meaning in Chinese and English, fields of `data`.
_TYPES: Final = (
    *_types(CASE, "act", (
        ("task.claimed", "认领一步",
         "A person takes a free step",
         "task:key"),
        ("task.released", "放回一步",
         "The holder gives a step back to all with its duty",
         "task:key reason:text"),
        ("task.reassigned", "改派",
         "A dispatcher or supervisor gives a step to another person",
         "task:key to:person reason:text"),
        ("task.delegated", "转交",
         "The holder hands a step to another person",
         "task:key to:person reason:text"),
        ("task.completed", "办完一步",
         "A person completes a step with its form; `note` is their own remark",
         "task:key form:form note?:text proof?:proof"),
        ("task.returned", "退回",
         "A step is sent back along the drawn path",
         "task:key message:key reason:text"),
        ("task.withdrawn", "撤回",
         "Whoever did the step before takes it back while nobody has begun this one",
         "task:key message:key reason:text"),
        ("objection.raised", "提出异议",
         "The one given a step says why it is not theirs",
         "task:key message:key form:form"),
        ("result.disputed", "不认可结果",
         "The reporter does not accept the result",
         "message:key reason:text form?:form"),
        ("result.rated", "评价结果",
         ("The reporter says whether it was put right: `satisfied`, `mostly` or `not`, and maybe"
          " why"),
         "answer:text words?:text"),
        ("case.reopened", "重开",
         "A supervisor finds that the closing does not hold",
         "message:key reason:text form?:form"),
        ("case.recalled", "撤销",
         "Whoever opened it takes the whole case back, while the process waits for that",
         "message:key reason:text form?:form"),
        ("recusal.demanded", "要求回避",
         "A complainant wants somebody kept out of the case",
         "message:key form:form"),
        ("retaliation.reported", "反映打击报复",
         "A complainant says that they were retaliated against",
         "message:key form:form"),
        ("party.added", "加签",
         "One more party is asked, in a case of its own",
         "group:element party:text reason:text"),
        ("party.removed", "减签",
         "A party is taken off; `child` is the number of what opened its case",
         "child:seq reason:text"),
        ("word.disavowed", "不认可代录",
         "A colleague denies having said what was typed as their word; `entry` = its number",
         "entry:seq reason:text"),
        ("signal.confirmed", "线索属实",
         ("A person finds that a signal holds: its `rule`, the `entry` it begins with, and which"
          " file of rules (SHA-256) found it"),
         "rule:element entry:seq rules:hash reason:text"),
        ("signal.dismissed", "线索不成立",
         "A person finds that it does not, and says why",
         "rule:element entry:seq rules:hash reason:text"),
        ("code.shown", "出示现场码",
         "A code was shown on the spot; whoever comes proves by it that both were there",
         "commitment:hash"),
        ("extension.requested", "申请延期",
         "The holder asks for more days of the step's own clock",
         "task:key days:count reason:text interim:text"),
        ("extension.granted", "同意延期",
         "Another person allows it; `request` is the number of the asking",
         "task:key request:seq reason:text"),
        ("extension.refused", "不同意延期",
         "Another person refuses it",
         "task:key request:seq reason:text"),
        ("standing.listed", "列入挂账",
         "A step that cannot be done yet is put on the standing list",
         "task:key reason:text review_class:text"),
        ("pause.requested", "申请暂停计时",
         "The holder asks to stop the clock while a third party is waited for",
         "task:key counterparty:text resume_by:time reason:text"),
        ("pause.granted", "同意暂停计时",
         "Another person stops the clock; `calendar` counts the minutes used until then",
         "task:key request:seq reason:text calendar:calendar"),
        ("pause.refused", "不同意暂停计时",
         "Another person refuses to stop it",
         "task:key request:seq reason:text"),
        ("case.urged", "催办",
         "A dated note to whoever holds the case",
         "text:text"),
        ("case.supervised", "督办",
         "An order that must be answered; with a class it sets a deadline for a step",
         "text:text legal_basis?:text task?:key deadline_class?:text"),
        ("supervision.answered", "答复督办",
         "The order with this number is answered",
         "order:seq text:text"),
        ("content.read", "阅看密封内容",
         "The holder of a step read sealed content; each field with the entry it stands in",
         "fields:[text]"),
        ("file.viewed", "查看案卷",
         ("Somebody opened the file of a confidential case: `what` = page, record, photo, document"
          " or report, `sha256` = which file; the same again within an hour is not recorded"),
         "what:text sha256?:hash"),
        ("mailbox.written", "匿名信箱留言",
         ("A message in the mailbox of a complaint, from `staff` or `complainant`; its text lies"
          " sealed in the vault"),
         "from:text field:text commitment:hash subject:text"),
        ("unseal.requested", "申请查看身份",
         "Whoever investigates asks for parts of the complainant's identity, and says what for",
         "fields:[text] purpose:text"),
        ("unseal.granted", "同意查看身份",
         "The keeper of identities allows it until an instant; `request` = number of the asking",
         "request:seq until:time reason:text"),
        ("unseal.denied", "不同意查看身份",
         "The keeper of identities refuses it",
         "request:seq reason:text"),
        ("identity.viewed", "查看身份",
         "Whoever asked looked at these parts of the identity",
         "request:seq fields:[text]"),
        ("accusation.handed_over", "移交检举控告",
         ("An accusation was sealed for the body that may handle it and destroyed here; `key_id` ="
          " SHA-256 of that body's public key, `sha256` and `bytes` those of the sealed file"),
         "class:text body:text key_id:hash sha256:hash bytes:number date:text"),
    )),
    *_types(CASE, "either", (
        ("report.exported", "导出报告",
         ("A report left the house; `head` = hash of the last entry it rests on, `digest` = SHA-256"
          " of its content, computed in `version`; `size`, `root` of the checkpoint on it;"
          " `format` = xlsx for a workbook, `pages` then its sheets; else a PDF"),
         ("kind:text sha256:hash head:hash purpose:text pages:count format?:text digest?:hash"
          " version?:count size?:count root?:hash")),
        ("clock.resumed", "恢复计时",
         "A stopped clock runs on, by a person or (reason `auto`, with `due`) on its date",
         "task:key reason:text due?:time"),
        ("sealed.destroyed", "销毁密封内容",
         ("The key of what was sealed under this subject is destroyed, its values unreadable for"
          " ever; `retention` = how long after its end the case kept them"),
         "subject:text reason:text retention?:text"),
        ("case.opened", "上报，立案",
         "Somebody reports; the case begins and pins its definition",
         ("process:text kernel:text number:text title:text category:text place:place form:form"
         " source:text definition:pinned similar:[text] spoken_by?:text resident?:person"
          " imported?:import origin?:origin party?:text")),
    )),
    *_types(CASE, "alarm", (
        ("deadline.warned", "时限已用过半或八成",
         "A share of the time allowed is used",
         "task:key percent:count due:time"),
        ("overdue.opened", "逾期开始",
         "The limit has passed and the step is still open",
         "task:key due:time"),
        ("deadline.escalated", "逾期升级",
         "The grace has passed too; told to this duty of this unit",
         "task:key due:time duty:text unit:unit"),
        ("timer.fired", "流程计时到时",
         "A clock drawn in the process ran out",
         "timer:key due:time"),
        ("message.received", "收到另一案件的消息",
         ("Another case told something; `origin` is its `message.sent`, `key` what waited for it,"
          " `child` the number of what opened that case, if this one did"),
         "message:text origin:origin form:form key?:key child?:seq"),
        ("join.met", "各方都已办完",
         "No child of the group runs any more; what waited for that goes on",
         "join:key due:time"),
        ("answers.revealed", "启封答复",
         "What was sealed at a step is opened: the answers, and the salts of their commitments",
         "task:key form:form salts:form"),
        ("extract.attached", "调取另一案件的记录",
         "The record of a case as it then stood: so many entries, the last hash, the file's hash",
         "case:text count:count head:hash sha256:hash"),
    )),
    *_types(CASE, "fact", (
        ("case.advanced", "流程走了一步",
         ("The process moved: elements passed, gateways, rules and lots decided, steps closed and"
         " opened; `ends` = end events reached, `ended` = the one that ended the case"),
         ("path:[element] calendar:calendar gateways?:[gateway] rules?:[rule] lots?:[lot]"
         " closed?:[closed] opened?:[opened] timers?:[timer] ends?:[element] ended?:element")),
        ("deadline.set", "算出时限",
         "The clock of a step or timer was set; a later one names its predecessor",
         ("task:key class:text clock:clock allowed:minutes used:minutes start:time due:time"
         " warn:[time] escalate:time calendar:calendar unpublished:bool predecessor?:seq"
         " reason?:text approver?:person")),
        ("receipt.issued", "出具回执",
         "The reporter's receipt",
         "receipt:text"),
        ("message.sent", "告知另一案件",
         ("What is told to another case: `opens:<process>`, `parent`, `child:<seq>`, `case:<id>`,"
          " `reply:<seq>` or `self`; `send` is the element that says it"),
         "message:text to:text form:form send?:element party?:text"),
    )),
    *_types("@units", "either", (
        ("unit.created", "设立单位",
         "A unit exists from this time on",
         "unit:unit kind:text name:text from:time parent?:unit to?:time"),
        ("unit.renamed", "单位改名",
         "A unit has another name",
         "unit:unit name:text"),
        ("unit.closed", "撤销单位",
         "A unit ends at this time",
         "unit:unit to:time reason:text"),
    )),
    *_types("@people", "either", (
        ("person.registered", "登记人员",
         "A pseudonym is given, with a commitment to the name",
         "person:person name_commitment:hash"),
        ("person.name_corrected", "更正姓名",
         "Another name stands behind the pseudonym",
         "person:person name_commitment:hash"),
        ("post.granted", "任职",
         "A person holds a post with these duties",
         ("post:text person:person unit:unit title:text duties:[text] reason:text from:time"
         " to?:time")),
        ("post.ended", "离任",
         "The tenure ends at this time",
         "post:text to:time reason:text"),
        ("substitute.named", "指定代理",
         "Somebody acts for an absent person, in all posts or in these",
         ("substitution:text absent:person substitute:person reason:text from:time to:time"
         " posts?:[text]")),
        ("substitute.ended", "结束代理",
         "The substitution ends at this time",
         "substitution:text to:time reason:text"),
    )),
    *_types("@calendar", "either", (
        ("calendar.published", "发布工作日历",
         "A calendar file becomes the next version; office: pairs of `HH:MM`",
         "version:count sha256:hash zone:text years:[number] office:[anything]"),
    )),
    *_types("@definitions", "either", (
        ("definition.deployed", "部署流程定义",
         "A definition set becomes the next version of its process",
         "key:text version:count sha256:hash files:[file]"),
    )),
    *_types("@accounts", "either", (
        ("account.created", "开设账号",
         "A person has an account",
         "account:text person:person locale:text"),
    )),
    *_types("@accounts", "act", (
        ("account.password_changed", "更换密码",
         "The password was changed",
         "account:text"),
        ("account.disabled", "停用账号",
         "The account opens no more sessions",
         "account:text reason:text"),
        ("account.linked", "绑定统一登录",
         ("Whom a provider knows by a subject signs in as this account from now on; the log has"
          " a commitment to the subject (its field: provider_subject); by an administrator: why"),
         "account:text link:text issuer:text subject_commitment:hash reason?:text"),
        ("account.unlinked", "解除统一登录",
         "That provider's word opens the account no more; by an administrator: why",
         "account:text link:text reason?:text"),
        ("token.created", "创建接口令牌",
         "The owner made a token for another program; `token` = beginning of its SHA-256",
         "account:text token:text scopes:[text] expires:time"),
        ("token.revoked", "撤销接口令牌",
         "The owner revoked it",
         "account:text token:text"),
        ("factor.enrolled", "启用第二步验证",
         "The account signs in with codes from an app from now on; `number` = which app that is",
         "account:text number:count"),
        ("factor.removed", "停用第二步验证",
         "Its owner does without, which their posts allow",
         "account:text"),
        ("factor.codes_renewed", "换发恢复码",
         "The account has ten new recovery codes; the earlier ones are good no more",
         "account:text"),
    )),
    *_types("@accounts", "either", (
        ("factor.reset", "重设第二步验证",
         "Somebody else took the second factor off the account, which then enrols anew",
         "account:text reason:text"),
        ("account.unlocked", "解除锁定",
         "The account need not wait until its lock-out is over",
         "account:text reason:text"),
    )),
    *_types("@access", "act", (
        ("session.opened", "登录",
         ("Somebody signed in, with a `code` of their app or a `recovery` code too;"
          " `refused` = refusals since the last one recorded; `link` = by a provider's word"),
         "account:text session:text refused?:count factor?:text link?:text"),
        ("session.confirmed", "再次确认本人",
         ("Before something is seen or taken out: by `code`, `recovery` code, `password` or"
          " `provider`"),
         "account:text session:text factor:text"),
        ("factor.recovery_used", "使用恢复码",
         "One of the recovery codes was used up; so many are left",
         "account:text left:number"),
        ("person.searched", "按人查询",
         "Somebody searched for what this person did",
         "of:person"),
        ("acts.exported", "导出查询结果",
         "Acts that were found left the house as a file of so many rows; `of` = who was searched",
         "rows:number sha256:hash purpose:text of?:person"),
    )),
    *_types("@access", "either", (
        ("session.closed", "退出登录",
         ("A session ended: signed_out, revoked (by whom is the actor), password_changed, disabled,"
          " second_factor (enrolled or reset), unlinked"),
         "account:text session:text how:text reason?:text"),
    )),
    *_types("@access", "alarm", (
        ("session.refused", "登录未成",
         ("Sign-in was refused this often; without an account: the name, or whom a provider"
          " vouched for, was nobody's"),
         "reason:text count:count account?:text"),
    )),
    *_types("@codes", "act", (
        ("code.issued", "发网格码",
         "A code names a place from now on; with `replaces` instead of that one, and why",
         "code:text unit:unit version:count until:time replaces?:text reason?:text"),
        ("code.printed", "打印网格码",
         "Codes were printed, to be put up",
         "codes:[text]"),
    )),
    *_types("@index", "act", (
        ("index.weights_adopted", "采用指数的权重文件",
         ("A file of weights of the risk-control index is in force from this month (`2026-03`) on;"
          " `note` = version, month and hash, signed (C2SP) by the key of receipts"),
         "version:count sha256:hash from:text reason:text note:text"),
        ("index.computed", "算出一期指数",
         ("The table of a month was computed as its next edition: `figures` = SHA-256 of its"
          " canonical JSON; by which weights and formulas, as of the checkpoint with this size and"
          " root; `until` = the end of the working days for objections, by this calendar"),
         ("month:text edition:count figures:hash weights:count weights_sha256:hash formulas:count"
          " formulas_sha256:hash size:number root:hash until:time days:count calendar:calendar"
          " reason?:text")),
        ("index.objected", "对指数提出异议",
         "A unit of the table objects to that edition",
         "computed:seq unit:unit reason:text"),
        ("index.objection_answered", "答复指数异议",
         ("`upheld`: the edition is not published, another one is computed; `rejected`: it stands"),
         "objected:seq ruling:text reason:text"),
        ("index.published", "发布指数",
         "That edition is the table of its month, until another one is published",
         "computed:seq figures:hash"),
    )),
    *_types("@warnings", "alarm", (
        ("warning.raised", "发出预警",
         ("A unit's figure of a month crossed a line: which `rule` of `thresholds`, counted by"
          " `formulas` at `size`, `root` of a checkpoint and up to `until`; then the figure"),
         ("rule:element month:text until:time metric:element by:element unit:unit test:element"
          " limit:number thresholds:pinned formulas:pinned size:count root:hash"
          " numerator?:number denominator?:number before_numerator?:number"
          " before_denominator?:number n?:number minutes?:number count?:number sum?:number")),
    )),
    *_types("@warnings", "act", (
        ("warning.answered", "答复预警",
         "Whoever looks over the unit says what comes of the warning with this number",
         "warning:seq text:text"),
    )),
    *_types("@log", "act", (
        ("conduct.viewed", "查看履责记录",
         "Somebody looked up what a person or a unit did in a period, and said what for",
         "kind:text person?:person unit?:unit since:time until:time purpose:text"),
        ("special.exported", "导出专题报告",
         ("A report of another kind left the house: `risk` (of a hazard `case`), `period` (of a"
          " `unit` from `since`), `publication`; as it stood at `until`, resting on so many"
          " `cases`, `left_out` = those whoever asked may not see; `formulas` = SHA-256 of the"
          " file they were computed by; else as in `conduct.exported`"),
         ("kind:text case?:text unit?:unit since?:time until:time cases:number left_out:number"
          " sha256:hash digest:hash version:count formulas?:hash pages:count format?:text"
          " purpose:text size?:count root?:hash")),
    )),
    *_types("@log", "either", (
        ("conduct.exported", "导出履责报告",
         ("The report on a person or a unit left the house; `digest` of its content, computed in"
          " `version`; `size`, `root` of the checkpoint on it; `format` as in `report.exported`"),
         ("kind:text person?:person unit?:unit since:time until:time cases:number sha256:hash"
          " digest:hash version:count pages:count format?:text purpose:text size?:count"
          " root?:hash")),
        ("batch.exported", "批量导出报告",
         ("The reports of several cases left the house in one file, each recorded on its case;"
          " `refused` = cases of which there is none in it"),
         "cases:count refused:number sha256:hash purpose:text"),
        ("log.key_rotated", "更换检查点密钥",
         ("Another key signs checkpoints from here on (C2SP vkeys); the next checkpoint is signed"
          " by both"),
         "old_vkey:text new_vkey:text reason:text"),
        ("foreign.imported", "导入外来日志",
         ("The event log of another system was taken into its own area, to compute figures of it;"
          " nothing in it is an entry of this log or verified by it. `left_out` = cases with a"
          " rejected row; `unmapped` = rows in no word of ours"),
         ("name:text file_sha256:hash map_sha256:hash bytes:number rows:number rejected:number"
          " cases:number left_out:number events:number unmapped:number")),
        ("log.exported", "导出日志",
         ("The log, or the cases of a unit (scope `log` or `unit`), left the house as of the"
          " checkpoint with this size and root"),
         "scope:text unit?:unit cases:number events:number size:number root:hash purpose:text"),
    )),
)  # fmt: skip

TYPES: Final[Mapping[str, EventType]] = {type_.name: type_ for type_ in _TYPES}
ACTS: Final = frozenset(t.name for t in _TYPES if t.cause == "act")
ALARMS: Final = frozenset(t.name for t in _TYPES if t.cause == "alarm")
FACTS: Final = frozenset(t.name for t in _TYPES if t.cause == "fact")


def check(entry: Entry) -> str | None:
    """Say what is wrong with an entry, or None: its type, stream, actor, cause, fields, evidence.

    About the entry alone; whether it may follow the ones before it is for replay to say.
    """
    type_ = TYPES.get(entry.type)
    if type_ is None:
        return f"unknown type {entry.type}"
    stream = entry.stream if entry.stream.startswith("@") else CASE
    if stream != type_.stream:
        return f"{entry.type} does not belong into {entry.stream}"
    return (
        _check_actor(type_, entry)
        or _check_cause(type_, entry)
        or _CHECKS[entry.type](entry.data)
        or _check_earlier(entry)
        or _check_evidence(type_, entry)
    )


def _check_actor(type_: EventType, entry: Entry) -> str | None:
    if entry.actor == ENGINE:
        return f"{entry.type} needs a person as actor" if type_.cause == "act" else None
    if type_.cause in ("alarm", "fact"):
        return f"{entry.type} is not done by a person"
    if "informant" in entry.actor and entry.type not in ON_WORD:
        return f"{entry.type} is not done on somebody's word"
    return _ACTOR(entry.actor)


def _check_cause(type_: EventType, entry: Entry) -> str | None:
    if (type_.cause == "fact") != (entry.cause is not None):
        needs = "lacks its cause" if type_.cause == "fact" else "has a cause, but is no fact"
        return f"{entry.type} {needs}"
    if entry.claimed_at is not None and entry.actor == ENGINE:
        return f"{entry.type} claims another time, which only a person can"
    return None


def _check_earlier(entry: Entry) -> str | None:
    """What is wrong with the numbers by which an entry names earlier ones of its stream."""
    wrong = [name for name in _EARLIER[entry.type] if entry.data.get(name, 0) >= entry.seq]
    return f"data.{wrong[0]} is not the number of an earlier entry" if wrong else None


def _check_evidence(type_: EventType, entry: Entry) -> str | None:
    if entry.evidence and not type_.evidence:
        return f"{entry.type} takes no evidence"
    return next((wrong for item in entry.evidence if (wrong := _EVIDENCE(item))), None)


# --- shapes compiled into checks ----------------------------------------------------------------


def parse_fields(fields: str) -> Iterator[tuple[str, bool, str]]:
    """Read `name?:shape …` into (name, required, shape)."""
    for told in fields.split():
        name, _, shape = told.partition(":")
        yield name.removesuffix("?"), not name.endswith("?"), shape


def _record(what: str, fields: str) -> Check:
    parsed = list(parse_fields(fields))
    checks = {name: _shape(f"{what}.{name}", shape) for name, _, shape in parsed}
    required = frozenset(name for name, needed, _ in parsed if needed)

    def check_record(value: Any) -> str | None:
        if type(value) is not dict:
            return f"{what} is not an object"
        if not required <= value.keys() <= checks.keys():
            missing, extra = sorted(required - value.keys()), sorted(value.keys() - checks.keys())
            return f"{what}: missing {missing}, not known {extra}"
        return next((wrong for key, v in value.items() if (wrong := checks[key](v))), None)

    return check_record


def _shape(what: str, shape: str) -> Check:
    if shape.startswith("["):
        return _list(what, _shape(f"{what}[]", shape[1:-1]))
    if shape in RECORDS:
        return _record(what, RECORDS[shape])
    told, fits = VALUES[shape]
    return lambda value: None if fits(value) else f"{what} is not {told}"


def _list(what: str, check_item: Check) -> Check:
    def check_list(value: Any) -> str | None:
        if type(value) is not list:
            return f"{what} is not a list"
        return next((wrong for item in value if (wrong := check_item(item))), None)

    return check_list


_ACTOR: Final = _record("actor", RECORDS["actor"])
_EVIDENCE: Final = _record("evidence", RECORDS["evidence"])
# By type, the fields that name an earlier entry of the same stream.
_EARLIER: Final = {
    t.name: [name for name, _, shape in parse_fields(t.fields) if shape == "seq"] for t in _TYPES
}
_CHECKS: Final[Mapping[str, Check]] = {t.name: _record("data", t.fields) for t in _TYPES}


# --- the tables of docs/audit-format.md ---------------------------------------------------------


def tables() -> str:
    """The vocabulary as Markdown: shapes, records, and the types of each stream."""
    shapes = [f"| `{name}` | {told} |" for name, (told, _) in VALUES.items()]
    records = [f"| `{name}` | {_told_fields(fields)} |" for name, fields in RECORDS.items()]
    parts = [
        "| shape | is |\n|---|---|\n" + "\n".join(shapes),
        "| object | fields |\n|---|---|\n" + "\n".join(records),
    ]
    for stream in (CASE, *REGISTERS):
        title = "Case streams" if stream == CASE else f"Stream `{stream}`"
        rows = "\n".join(_told_type(t) for t in _TYPES if t.stream == stream)
        head = "| type | by | meaning | fields of `data` |\n|---|---|---|---|\n"
        parts.append(f"### {title}\n\n{head}{rows}")
    return "\n\n".join(parts) + "\n"


def _told_type(type_: EventType) -> str:
    files = " (may carry evidence)" if type_.evidence else ""
    meaning = f"{type_.chinese}. {type_.english}{files}"
    return f"| `{type_.name}` | {type_.cause} | {meaning} | {_told_fields(type_.fields)} |"


def _told_fields(fields: str) -> str:
    return " ".join(f"`{told}`" for told in fields.split())


if __name__ == "__main__":
    print(tables(), end="")
