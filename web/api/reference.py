"""The reference page: the served document in our own look, without scripts or anybody else's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.api_tokens import SCOPES
from engine.errors import Refusal
from web.api.problems import TITLES, status_of, type_of
from web.texts import either, say

METHODS: Final = ("get", "post")
_PLAIN: Final = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Part:
    """A parameter or field; type: told in words, ref: the structure it links to, "" for none."""

    name: str
    where: str
    type: str
    ref: str
    required: bool
    words: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; takes, gives: names of structures, or "" for none; file: a media type."""

    id: str
    method: str
    path: str
    words: str
    scopes: tuple[str, ...]
    parts: tuple[Part, ...]
    takes: str
    gives: str
    file: str
    status: str


@dataclass(frozen=True, slots=True)
class Structure:
    """A shape that is sent or answered."""

    name: str
    words: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class RefusalKind:
    """A kind of refusal: its anchor, its status, and what that status is called."""

    anchor: str
    name: str
    status: int
    words: str


def chapters(document: Mapping[str, Any]) -> list[tuple[str, str, list[Operation]]]:
    """The operations by subject: name, words, operations."""
    told: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                found = item[method]
                told[found["tags"][0]].append(_operation(method, path, found))
    words = {tag["name"]: either(*tag["description"].split(" · ", 1)) for tag in document["tags"]}
    return [(name, words[name], found) for name, found in told.items()]


def structures(document: Mapping[str, Any]) -> list[Structure]:
    """The shapes, by name."""
    return [
        Structure(name, schema.get("description", ""), tuple(_fields(schema)))
        for name, schema in sorted(document["components"]["schemas"].items())
    ]


def scopes() -> list[tuple[str, str]]:
    """The scopes a token may have, in words."""
    return [(scope, either(*words)) for scope, words in SCOPES.items()]


def kinds() -> list[RefusalKind]:
    """Every kind of refusal that may be told, by name."""
    found = {kind.__name__: kind for kind in _below(Refusal)}
    return [_kind(found[name]) for name in sorted(found)]


def _below(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for below in kind.__subclasses__():
        yield below
        yield from _below(below)


def _kind(kind: type[Refusal]) -> RefusalKind:
    code = status_of(kind)
    return RefusalKind(
        type_of(kind).partition("#")[2], kind.__name__, code, say(TITLES.get(code, TITLES[409]))
    )


def _operation(method: str, path: str, told: Mapping[str, Any]) -> Operation:
    status = next(code for code in told["responses"] if code.startswith("2"))
    content: Mapping[str, Any] = told["responses"][status].get("content", {})
    media = next(iter(content), "")
    body: Mapping[str, Any] = told.get("requestBody", {}).get("content", {})
    gives = _ref(content[media].get("schema", {})) if media else ""
    return Operation(
        id=told["operationId"],
        method=method.upper(),
        path=path,
        words=either(told["summary"], told["description"]),
        scopes=tuple(
            scope for one in told["security"] for names in one.values() for scope in names
        ),
        parts=tuple(_parameter(one) for one in told.get("parameters", ())),
        takes=next((_ref(one.get("schema", {})) for one in body.values()), ""),
        gives=gives,
        file="" if gives else media,
        status=status,
    )


def _parameter(told: Mapping[str, Any]) -> Part:
    where = {"path": say("地址"), "query": say("查询"), "header": say("请求头")}[told["in"]]
    schema = told.get("schema", {})
    return Part(
        told["name"], where, _type(schema), _ref(schema), bool(told.get("required")),
        told.get("description", ""),
    )  # fmt: skip


def _fields(schema: Mapping[str, Any]) -> Iterator[Part]:
    required = schema.get("required", ())
    for name, told in schema.get("properties", {}).items():
        yield Part(name, "", _type(told), _ref(told), name in required, told.get("description", ""))


def _ref(schema: Mapping[str, Any]) -> str:
    """The structure a schema is, or is a list of, or may be."""
    inner: Sequence[Any] = [schema, schema.get("items", {}), *schema.get("anyOf", ())]
    inner = [*inner, schema.get("additionalProperties") or {}]
    named = (one["$ref"] for one in inner if isinstance(one, Mapping) and "$ref" in one)
    return next((name.removeprefix(_PLAIN) for name in named), "")


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_PLAIN)
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(one) or '""' for one in schema["enum"])
    kind = str(schema.get("format") or schema.get("type", "any"))
    if kind == "array":
        return f"[{_type(schema.get('items', {}))}]"
    return kind
