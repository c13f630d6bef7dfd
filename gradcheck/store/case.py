"""A counterexample as a JSON case, for `gradcheck replay`. The schema of the text is `case_schema.json`."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from gradcheck.reference.errors import GradcheckError

from ..records import Counterexample
from .codec import package_version

VERSION = "1.0"
_RESULTS = ("entry", "expected", "exact", "got", "gap", "allowance", "certified")
_KEYS: dict[str, type] = {
    "rule": str, "claim": dict, "network": dict, "weighted": bool, "sizes": dict, "settings": dict, "arrays": dict,
    **dict.fromkeys(_RESULTS, str),
}  # fmt: skip
_SPOKEN = {str: "text", dict: "an object", bool: "true or false"}


def schema() -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of a case."""
    text = resources.files(__package__ or "gradcheck.store").joinpath("case_schema.json").read_text("utf-8")
    return typing.cast("dict[str, object]", json.loads(text))


def to_json(example: Counterexample) -> str:
    """The case as JSON text. Raises `GradcheckError` for a counterexample that no audit of a rule has made."""
    return json.dumps(as_data(example), indent=2, ensure_ascii=False) + "\n"


def as_data(example: Counterexample) -> dict[str, Any]:
    """The case as what JSON holds."""
    if not example.replay:
        raise GradcheckError("this counterexample is about no rule, so there is none to replay; run its snippet")
    envelope = {"schema_version": VERSION, "kind": "case", "gradcheck_version": package_version()}
    problem = {name: example.problem[name] for name in ("sizes", "settings", "arrays")}
    return envelope | example.replay | problem | {name: getattr(example, name) for name in _RESULTS}


def read(source: str | Path | Mapping[str, Any] | Counterexample) -> dict[str, Any]:
    """A case from its file, its data or its record, its keys looked at. Raises `GradcheckError` where it is none."""
    if isinstance(source, Counterexample):
        return as_data(source)
    data = source if isinstance(source, Mapping) else _loaded(Path(source))
    version, kind = data.get("schema_version"), data.get("kind")
    if kind in ("audit", "collection"):
        raise GradcheckError(
            "this is a whole report; write a case with gradcheck audit --case case.json, or hand over one of its "
            "counterexamples: gradcheck.replay(gradcheck.report.from_json(text).verdicts[0].counterexample, rule)"
        )
    if version is None or kind != "case":
        raise GradcheckError(f"this is no gradcheck case: its kind is {kind!r}, its schema_version {version!r}")
    if str(version).split(".")[0] != VERSION.split(".")[0]:
        raise GradcheckError(
            f"this case follows schema version {version}, and this gradcheck reads {VERSION}; it was written by "
            f"gradcheck {data.get('gradcheck_version', 'unknown')}"
        )
    missing = [name for name in _KEYS if name not in data]
    if missing:
        raise GradcheckError(f"this case lacks {', '.join(missing)}; gradcheck.store.case.schema() says what it holds")
    for name, wanted in _KEYS.items():
        if not isinstance(data[name], wanted):
            raise GradcheckError(f"in this case {name} should be {_SPOKEN[wanted]}; got {data[name]!r:.40}")
    for name in ("sizes", "settings"):
        strange = {k: v for k, v in data[name].items() if isinstance(v, bool) or not isinstance(v, int)}
        if strange:
            raise GradcheckError(f"in this case {name} should hold whole numbers; got {strange!r:.60}")
    return dict(data)


def _loaded(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise GradcheckError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except ValueError as error:
        raise GradcheckError(f"{str(path)!r} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise GradcheckError(f"{str(path)!r} holds {type(data).__name__}; a case is a JSON object")
    return data
