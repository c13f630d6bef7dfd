"""The records as JSON and back. The schema of the text is `schema.json` beside this file."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import sys
import types
import typing
from collections.abc import Mapping
from importlib import metadata, resources
from typing import Any

from gradcheck.reference.errors import GradcheckError

from ..records import Collection, Report, Verdict

SCHEMA_VERSION = "1.0"
_NAMES: dict[type, str] = {str: "text", int: "a whole number", bool: "true or false"}
KINDS: dict[str, type[Report] | type[Collection]] = {"audit": Report, "collection": Collection}


def schema() -> dict[str, object]:
    """See `gradcheck.report.schema`."""
    text = resources.files(__package__ or "gradcheck.store").joinpath("schema.json").read_text("utf-8")
    return typing.cast("dict[str, object]", json.loads(text))


def package_version() -> str:
    """The version of gradcheck that made the report; "unknown" in a source tree that was never installed."""
    version = getattr(sys.modules.get("gradcheck"), "__version__", None)
    if version:
        return str(version)
    try:
        return metadata.version("gradcheck")
    except metadata.PackageNotFoundError:
        return "unknown"


def to_json(record: Report | Collection) -> str:
    """See `gradcheck.report.to_json`."""
    kind = "audit" if isinstance(record, Report) else "collection"
    envelope = {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "gradcheck_version": package_version(),
        "passed": record.passed,
        "exit_status": record.exit_status,
    }
    return json.dumps(envelope | plain(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """A value in JSON's own types. A float that JSON lacks becomes {"$float": "nan" | "inf" | "-inf"}."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"word": value.word, **fields} if isinstance(value, Verdict) else fields
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=repr)
    if hasattr(value, "tolist"):  # NumPy's scalars and arrays, without importing NumPy
        return plain(value.tolist())
    return str(value)


def from_json(text: str) -> Report | Collection:
    """See `gradcheck.report.from_json`."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise GradcheckError(f"this is not JSON: {error}; a report is what to_json or report.write wrote") from error
    if not isinstance(data, dict) or "schema_version" not in data:
        raise GradcheckError("this JSON is not a gradcheck report: it has no schema_version")
    version = str(data["schema_version"])
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise GradcheckError(
            f"this report follows schema version {version}, and this gradcheck reads {SCHEMA_VERSION}; "
            f"it was written by gradcheck {data.get('gradcheck_version', 'unknown')}"
        )
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise GradcheckError(f"a report's kind is one of {', '.join(KINDS)}; got {kind!r}")
    return typing.cast("Report | Collection", _read(KINDS[kind], data, ""))


def read(wanted: Any, value: Any) -> Any:
    """What `plain` made of a record or container of the type `wanted`. Raises `GradcheckError` where it is none."""
    return _read(wanted, value, "")


def _read(wanted: Any, value: Any, where: str) -> Any:
    """`value` as the type `wanted`; `where` is its place in the text, for the message."""
    if wanted is Any:
        return _revive(value)
    if dataclasses.is_dataclass(wanted):
        return _read_record(wanted, value, where)
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        if value not in wanted.__members__:
            raise _wrong(where, f"one of {', '.join(wanted.__members__)}", value)
        return wanted[value]
    if wanted is float:
        number = _revive(value)
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise _wrong(where, "a number", value)
        return number
    if isinstance(wanted, type) and typing.get_origin(wanted) is None:
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise _wrong(where, _NAMES.get(wanted, wanted.__name__), value)
        return value
    return _read_container(wanted, value, where)


def _read_container(wanted: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        some = next(a for a in arguments if a is not type(None))
        return None if value is None else _read(some, value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        return {key: _read(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if not isinstance(value, list):
        raise _wrong(where, "a list", value)
    if origin is tuple and arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            raise _wrong(where, f"a list of {len(arguments)}", value)
        return tuple(_read(a, item, f"{where}[{n}]") for n, (a, item) in enumerate(zip(arguments, value, strict=True)))
    return origin(_read(arguments[0], item, f"{where}[{n}]") for n, item in enumerate(value))


def _read_record(wanted: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    hints = typing.get_type_hints(wanted)
    given = {}
    for item in dataclasses.fields(wanted):
        place = f"{where}.{item.name}".lstrip(".")
        if item.name in value:
            given[item.name] = _read(hints[item.name], value[item.name], place)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise GradcheckError(f"this report lacks {place}; gradcheck.report.schema() says what a report holds")
    return wanted(**given)


def _revive(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$float"}:
            return float(value["$float"])
        return {key: _revive(item) for key, item in value.items()}
    return [_revive(item) for item in value] if isinstance(value, list) else value


def _wrong(where: str, wanted: str, came: Any) -> GradcheckError:
    shown = repr(came) if len(repr(came)) <= 60 else repr(came)[:57] + "..."
    return GradcheckError(f"in this report {where or 'the top level'} should be {wanted}; got {shown}")
