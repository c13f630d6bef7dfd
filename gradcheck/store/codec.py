"""JSON codec for the records: `to_data` writes them, `from_data` reads them, `schema` describes them.

The records of `gradcheck.records` are the only source: `msgspec` types are made from their fields, so that reader,
schema and records cannot disagree. An enum is written by the name of its member. A float that JSON lacks is written as
{"$float": "nan" | "inf" | "-inf"}.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import json
import math
import re
import sys
import types
import typing
from collections.abc import Mapping
from importlib import metadata
from typing import Annotated, Any, Literal

import msgspec

from gradcheck.reference.errors import GradcheckError

from ..records import Collection, Report, Verdict

SCHEMA_VERSION = "1.0"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
KINDS: dict[str, type[Report] | type[Collection]] = {"audit": Report, "collection": Collection}
Version = Annotated[
    str, msgspec.Meta(pattern=r"^1\.[0-9]+$", description="The version of this schema; readers accept any 1.x.")
]
Writer = Annotated[str, msgspec.Meta(description="The version of gradcheck that wrote the document.")]


def package_version() -> str:
    """Return the version of gradcheck, or "unknown" in a source tree that was never installed."""
    version = getattr(sys.modules.get("gradcheck"), "__version__", None)
    if version:
        return str(version)
    try:
        return metadata.version("gradcheck")
    except metadata.PackageNotFoundError:
        return "unknown"


def to_json(record: Report | Collection) -> str:
    """See `gradcheck.report.to_json`."""
    envelope = {
        "schema_version": SCHEMA_VERSION,
        "kind": next(kind for kind, made in KINDS.items() if isinstance(record, made)),
        "gradcheck_version": package_version(),
        "passed": record.passed,
        "exit_status": record.exit_status,
    }
    return dumps(envelope | to_data(record), indent=2) + "\n"


def from_json(text: str) -> Report | Collection:
    """See `gradcheck.report.from_json`."""
    data = loads(text, "report")
    kind = check_version(data, "report", KINDS, SCHEMA_VERSION)
    return typing.cast("Report | Collection", from_data(KINDS[kind], data))


def schema() -> dict[str, object]:
    """See `gradcheck.report.schema`."""
    audit, collection = _document("audit"), _document("collection")
    return json_schema(audit | collection, "report", "Audits of rules: claims, verdicts, and the evidence for them.")


def to_data(value: Any) -> Any:
    """Return a record, or any container of records and plain values, as JSON types."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_data(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"word": value.word, **fields} if isinstance(value, Verdict) else fields
    if isinstance(value, Mapping):
        return {str(key): to_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_data(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((to_data(item) for item in value), key=repr)
    if hasattr(value, "tolist"):  # NumPy's scalars and arrays, without importing NumPy
        return to_data(value.tolist())
    return to_data(str(value))


def from_data(kind: Any, data: Any, what: str = "report") -> Any:
    """Return the value of type `kind` that `to_data` wrote as `data`.

    Args:
        kind: A record, or a type made of records, enums, containers and plain types.
        data: What JSON held. Fields that `kind` does not have are ignored.
        what: The name of the document, for the message.

    Raises:
        GradcheckError: `data` is of another form; the message names the place.
    """
    return _built(kind, convert(_mirror(kind, written=False), data, what))


def convert(kind: Any, data: Any, what: str, **how: Any) -> Any:
    """Return `msgspec.convert(data, kind)`; raise `GradcheckError` that names the place where `data` does not fit."""
    try:
        return msgspec.convert(data, kind, **how)
    except ValueError as error:  # half a surrogate pair is one too
        reason, _, place = str(error).rpartition(" - at `$")
        where = f" at {place.strip('`.')}" if reason else ""
        raise GradcheckError(printable(f"this {what} is malformed{where}: {reason or error}")) from None
    except RecursionError:
        raise GradcheckError(f"this {what} is nested too deeply") from None


def dumps(data: Any, *, indent: int | None = None) -> str:
    """Return JSON types as JSON text, on one line unless `indent` is given."""
    return json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False)


def loads(text: str | bytes, what: str) -> Any:
    """Return what JSON text holds. Raises `GradcheckError` for anything else, NaN and 1e999 among it."""
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise GradcheckError(f"this {what} is nested too deeply") from None
    except ValueError as error:
        raise GradcheckError(f"this {what} is not JSON: {error}") from None


def printable(text: str) -> str:
    """Return text from a file as a message may hold it: not too long, and without control characters."""
    return (text if text.isprintable() else repr(text)[1:-1])[:1000]


class _Head(msgspec.Struct):
    """The fields by which a document is recognised."""

    schema_version: str
    kind: str
    gradcheck_version: str = "unknown"


def check_version(data: Any, what: str, kinds: typing.Iterable[str], version: str) -> str:
    """Return the document's kind. Raises `GradcheckError` for another kind, and a version that is not read here."""
    head: _Head = convert(_Head, data, what)
    if head.schema_version.split(".")[0] != version.split(".")[0]:
        raise GradcheckError(
            f"this {what} follows schema version {printable(head.schema_version):.20}, and this gradcheck reads "
            f"{version}; it was written by gradcheck {printable(head.gradcheck_version):.20}"
        )
    if head.kind not in kinds:
        raise GradcheckError(f"the kind of a {what} is one of {', '.join(kinds)}; got {head.kind!r:.60}")
    return head.kind


def json_schema(kind: Any, name: str, description: str, **how: Any) -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of a type."""
    made = msgspec.json.schema(kind, **how)
    head = {"$schema": DRAFT, "$id": f"urn:gradcheck:{name}:{SCHEMA_VERSION}", "description": description}
    return head | {key: value for key, value in made.items() if key != "discriminator"}


def union_schema(kinds: typing.Iterable[Any], name: str, description: str, *, tag: str) -> dict[str, object]:
    """Return the JSON Schema of one of several records, told apart by the field `tag`, which holds their names."""
    union: Any = None
    for kind in kinds:
        how = {"tag": kind.__name__, "tag_field": tag}
        struct = _struct(kind.__name__, _paragraph(kind), _fields(kind, written=True), strict=True, **how)
        union = struct if union is None else union | struct
    return json_schema(union, name, description)


# Types for msgspec, made from records


class _Float(msgspec.Struct, rename={"name": "$float"}, forbid_unknown_fields=True):
    """A float that JSON lacks."""

    name: Literal["nan", "inf", "-inf"]


@functools.cache
def _mirror(kind: Any, *, written: bool) -> Any:
    """Return the type that `msgspec` is to read where a record holds `kind`.

    written: exactly what `to_data` writes, for the schema; else fields that are unknown are ignored, and those that
    have a default may be missing.
    """
    if kind is float:
        return float | _Float
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        names = enum.Enum(kind.__name__.lower(), {name: name for name in kind.__members__})  # type: ignore[misc]
        meanings = [f"{m.name}: {m.value}." for m in kind if isinstance(m.value, str)]
        names.__doc__ = " ".join([_paragraph(kind), *meanings])
        return names
    if dataclasses.is_dataclass(kind):
        fields = _fields(kind, written)
        if written and kind is Verdict:
            meaning = "The one word to print for a verdict: its strength where it holds, else its status."
            fields.insert(0, ("word", Annotated[str, msgspec.Meta(description=meaning)]))
        return _struct(getattr(kind, "__name__", "").lower(), _paragraph(kind), fields, strict=written)
    arguments: tuple[Any, ...] = tuple(
        a if a is Ellipsis else _mirror(a, written=written) for a in typing.get_args(kind)
    )
    if not arguments:
        return kind
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return functools.reduce(lambda a, b: a | b, arguments)
    return typing.get_origin(kind)[arguments]


def _document(kind: str) -> Any:
    fields: list[Any] = [
        ("schema_version", Version),
        ("gradcheck_version", Writer),
        ("passed", Annotated[bool, msgspec.Meta(description="Every claim holds, or is refuted as expected.")]),
        ("exit_status", Annotated[Literal[0, 1, 3], msgspec.Meta(description="The exit status of the command.")]),
        *_fields(KINDS[kind], written=True),
    ]
    return _struct(kind, _paragraph(KINDS[kind]), fields, strict=True, tag=kind, tag_field="kind")


def _struct(name: str, document: str, fields: list[Any], *, strict: bool, **how: Any) -> type[msgspec.Struct]:
    return msgspec.defstruct(name, fields, namespace={"__doc__": document}, forbid_unknown_fields=strict, **how)


def _fields(kind: Any, written: bool) -> list[Any]:
    hints, meanings = _hints(kind), _meanings(kind)
    fields: list[Any] = []
    for each in dataclasses.fields(kind):
        made = _mirror(hints[each.name], written=written)
        if each.name in meanings:
            made = Annotated[made, msgspec.Meta(description=meanings[each.name])]
        optional = each.default is not dataclasses.MISSING or each.default_factory is not dataclasses.MISSING
        if optional and not written:
            fields.append((each.name, made | msgspec.UnsetType, msgspec.UNSET))
        else:
            fields.append((each.name, made))
    return sorted(fields, key=len)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _paragraph(kind: Any) -> str:
    return " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())


def _meanings(kind: Any) -> dict[str, str]:
    """Return what the docstring of a record says of its fields, each after its name (or several) and a colon."""
    names = "|".join(f.name for f in dataclasses.fields(kind))
    document = " ".join((inspect.getdoc(kind) or "").split())
    parts = re.split(rf"(?<=[.:] )((?:(?:{names}), )*(?:{names})): ", document)
    explained = zip(parts[1::2], parts[2::2], strict=True)
    return {name: text[:1].upper() + text[1:].strip() for several, text in explained for name in several.split(", ")}


def _built(kind: Any, value: Any) -> Any:
    """Return the record for what `msgspec` read as the mirror of `kind`."""
    if isinstance(value, _Float):
        return float(value.name)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind[value.name]
    if dataclasses.is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]
        read = {f.name: getattr(value, f.name) for f in dataclasses.fields(kind)}
        return kind(**{n: _built(hints[n], v) for n, v in read.items() if v is not msgspec.UNSET})  # type: ignore[operator]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return _revived(value)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _built(next(a for a in arguments if a is not type(None)), value)
    if origin is dict:
        return {key: _built(arguments[1], item) for key, item in value.items()}
    if origin in (list, tuple):
        each = arguments if origin is tuple and arguments[-1] is not Ellipsis else arguments[:1] * len(value)
        return origin(_built(a, item) for a, item in zip(each, value, strict=True))
    return value


def _revived(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$float"} and value["$float"] in ("nan", "inf", "-inf"):
            return float(value["$float"])
        return {key: _revived(item) for key, item in value.items()}
    return [_revived(item) for item in value] if isinstance(value, list) else value
