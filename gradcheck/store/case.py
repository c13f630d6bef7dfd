"""A counterexample as a JSON case, for `gradcheck replay`. What a case is, `Document` and `schema` say.

A case is untrusted. It is read as data, within limits of size, and names nothing that would be imported; see
SECURITY.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Union

import msgspec

from gradcheck.reference.errors import GradcheckError

from ..records import Counterexample
from ..reference.claims import Claim
from ..reference.networks.base import Sizes
from ..reference.problem import Problem
from ..rules.adapt import Rule
from . import codec
from .data import (
    LAG_CLAIMS,
    NETWORKS,
    EqualsData,
    Name,
    Numbers,
    OwnNetwork,
    SizesData,
    array_schema,
    claim_from,
    network_from,
    problem_from,
)
from .files import read_bytes

VERSION = "1.0"
LARGEST = 2**25
"""Bytes of a case."""
_RESULTS = ("entry", "expected", "exact", "got", "gap", "allowance", "certified")
_CLAIMS: Any = Union[(*LAG_CLAIMS, EqualsData)]
_NETWORKS: Any = Union[(*NETWORKS, OwnNetwork)]


class Document(msgspec.Struct, tag="case", tag_field="kind", forbid_unknown_fields=True):
    """A problem on which a rule was wrong, to be run again.

    Every number that a computation needs is text that reads back to exactly the same float.
    """

    schema_version: codec.Version
    gradcheck_version: codec.Writer
    rule: Name
    claim: _CLAIMS
    network: _NETWORKS
    weighted: bool
    sizes: SizesData
    settings: dict[Name, Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31)]]
    arrays: dict[Name, Numbers]
    entry: Name
    expected: str
    exact: str
    got: str
    gap: str
    allowance: str
    certified: str

    def claim_and_problem(self, rule: Rule) -> tuple[Claim, Problem]:
        """Return the claim and the problem; what is not shipped is recognised among what the rule declares.

        Raises:
            GradcheckError: The rule declares no such network or target, or the arrays do not fit together.
        """
        try:
            network = network_from(self.network, rule.declaration.networks)
            arrays = {name: array.value for name, array in self.arrays.items()}
            problem = problem_from(arrays, network, Sizes(**msgspec.structs.asdict(self.sizes)))
            return claim_from(self.claim, rule.declaration.claims), problem
        except GradcheckError as error:
            raise GradcheckError(f"this case cannot be replayed: {error}") from error


def schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of a case."""
    made = codec.json_schema(
        Document, "case", "A counterexample of gradcheck.", schema_hook=lambda kind: {"$ref": "#/$defs/array"}
    )
    return made | {"$defs": {**made["$defs"], "array": array_schema(Numbers)}}  # type: ignore[dict-item]


def to_json(example: Counterexample) -> str:
    """Return the case as JSON text. Raises `GradcheckError` for a counterexample that is about no rule."""
    return codec.dumps(as_data(example), indent=2) + "\n"


def as_data(example: Counterexample) -> dict[str, Any]:
    """Return the case as JSON types."""
    if not example.replay:
        raise GradcheckError("this counterexample is about no rule, so there is none to replay; run its snippet")
    envelope = {"schema_version": VERSION, "kind": "case", "gradcheck_version": codec.package_version()}
    problem = {name: example.problem[name] for name in ("sizes", "settings", "arrays")}
    return codec.to_data(  # type: ignore[no-any-return]
        envelope | example.replay | problem | {name: getattr(example, name) for name in _RESULTS}
    )


def read(source: str | Path | Mapping[str, Any] | Counterexample) -> Document:
    """Read a case from its file, its data or its record.

    Raises:
        GradcheckError: It is no case, or is too large; the message names the place.
    """
    if isinstance(source, Counterexample):
        data: Any = as_data(source)
    else:
        data = dict(source) if isinstance(source, Mapping) else codec.loads(read_bytes(Path(source), LARGEST), "case")
    if isinstance(data, dict) and isinstance(data.get("kind"), str) and data["kind"] in codec.KINDS:
        raise GradcheckError(
            "this is a whole report; write a case with gradcheck audit --case case.json, or pass one of its "
            "counterexamples: gradcheck.replay(gradcheck.report.from_json(text).verdicts[0].counterexample, rule)"
        )
    codec.check_version(data, "case", ["case"], VERSION)
    document: Document = codec.convert(Document, data, "case", dec_hook=lambda kind, value: kind(value))
    for text in (document.rule, document.entry, document.got, *document.arrays, *document.settings):
        if not text.isprintable() or len(text) > 1000:
            raise GradcheckError(f"this case holds {text!r:.60}, which is no name")
    return document
