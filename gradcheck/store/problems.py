"""Problems that a user adds to an audit, as a JSON file: `save_problems` writes it, `read` reads it.

The file is untrusted. It is read as data, within limits of size, and names nothing that would be imported; see
SECURITY.md. A case is such a file too, of one problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union

import msgspec

from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..reference.problem import Problem
from . import case, codec
from .data import (
    NETWORKS,
    Name,
    Numbers,
    OwnNetwork,
    SizesData,
    array_schema,
    arrays_as_data,
    network_as_data,
    network_from,
    problem_from,
)
from .files import read_bytes, write_text

VERSION = "1.0"
MOST = 1000
"""Most problems of a file."""
_NETWORKS: Any = Union[(*NETWORKS, OwnNetwork)]


class ProblemData(msgspec.Struct, forbid_unknown_fields=True):
    """A problem. Every number is text that reads back to exactly the same float."""

    network: _NETWORKS
    sizes: SizesData
    arrays: dict[Name, Numbers]


class Document(msgspec.Struct, tag="problems", tag_field="kind", forbid_unknown_fields=True):
    """Problems to judge a rule on, beside those that gradcheck makes."""

    schema_version: codec.Version
    gradcheck_version: codec.Writer
    problems: Annotated[list[ProblemData], msgspec.Meta(min_length=1, max_length=MOST)]


@dataclass(frozen=True)
class ProblemsFile:
    """A file of problems that was read; their networks are recognised once the rule is known.

    Attributes:
        name: The file, for messages.
        data: The problems, as JSON types.
    """

    name: str
    data: tuple[Any, ...]

    def problems(self, declared: Sequence[RecurrentNetwork]) -> list[Problem]:
        """Return the problems.

        Args:
            declared: The networks of the rule at hand, among which those that are not shipped are recognised.

        Raises:
            GradcheckError: The rule declares no such network, or the arrays do not fit together.
        """
        return [self._problem(number, data, declared) for number, data in enumerate(self.data, start=1)]

    def _problem(self, number: int, data: Any, declared: Sequence[RecurrentNetwork]) -> Problem:
        read: ProblemData = _converted(ProblemData, data)
        try:
            network = network_from(read.network, declared)
            arrays = {name: array.value for name, array in read.arrays.items()}
            return problem_from(arrays, network, Sizes(**msgspec.structs.asdict(read.sizes)))
        except GradcheckError as error:
            raise GradcheckError(f"problem {number} of {self.name} cannot be judged: {error}") from error


def save_problems(problems: Problem | Iterable[Problem], path: str | Path) -> Path:
    """Write problems to a .json file, for `audit(..., problems=path)` and `gradcheck audit --problems`.

    Args:
        problems: One problem or several, on floats.
        path: The file, new or to be replaced.

    Returns:
        The path of the file.

    Raises:
        GradcheckError: There are none, one is no problem on floats, or the file cannot be written.
    """
    several = [problems] if isinstance(problems, Problem) else list(problems)
    if not several:
        raise GradcheckError("there are no problems to save; give at least one gradcheck.Problem")
    if Path(path).suffix.lower() != ".json":
        raise GradcheckError(f"problems are saved as a .json file; got {str(path)!r}")
    written = [_as_data(number, each) for number, each in enumerate(several, start=1)]
    head = {"schema_version": VERSION, "kind": "problems", "gradcheck_version": codec.package_version()}
    return write_text(path, codec.dumps(codec.to_data({**head, "problems": written}), indent=1))


def as_data(problem: Problem) -> dict[str, Any]:
    """Return a problem on floats as JSON types: network, sizes and arrays."""
    sizes = {letter: getattr(problem.sizes, letter) for letter in ("T", "I", "D", "K")}
    return {"network": network_as_data(problem.network), "sizes": sizes, "arrays": arrays_as_data(problem)}


def schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of a file of problems."""
    made = codec.json_schema(
        Document, "problems", "Problems to judge a rule on.", schema_hook=lambda kind: {"$ref": "#/$defs/array"}
    )
    return made | {"$defs": {**made["$defs"], "array": array_schema(Numbers)}}  # type: ignore[dict-item]


def read(path: str | Path) -> ProblemsFile:
    """Read a file of problems, or a case.

    Raises:
        GradcheckError: It cannot be read, holds no problems, or is too large; the message names the place.
    """
    data = codec.loads(read_bytes(Path(path), case.LARGEST), "file of problems")
    kind = codec.check_version(data, "file of problems", ["problems", "case"], VERSION)
    if kind == "case":
        case.read(data)
        several = [{name: data[name] for name in ("network", "sizes", "arrays")}]
    else:
        if data.get("problems") == []:
            raise GradcheckError(f"{str(path)!r} holds no problems; write some with gradcheck.save_problems")
        _converted(Document, data)
        several = data["problems"]
    for name in (name for each in several for name in each["arrays"]):
        if not name.isprintable():
            raise GradcheckError(f"this file of problems holds {name!r:.60}, which is no name")
    return ProblemsFile(repr(Path(path).name), tuple(several))


def opened(problems: Any) -> Any:
    """Return the problems of a face: a path is read, and anything else is left as it came."""
    return read(problems) if isinstance(problems, (str, Path)) else problems


def _converted(kind: Any, data: Any) -> Any:
    return codec.convert(kind, data, "file of problems", dec_hook=lambda made, value: made(value))


def _as_data(number: int, problem: Any) -> dict[str, Any]:
    if not isinstance(problem, Problem):
        raise GradcheckError(
            f"problem {number} is {problem!r:.60}, a {type(problem).__name__}; wanted gradcheck.Problem"
        )
    strange = [name for name, array in problem.arrays().items() if array.dtype.kind != "f"]
    if strange:
        raise GradcheckError(
            f"problem {number} holds numbers in {strange[0]} that are no floats; wanted float64 arrays"
        )
    return as_data(problem)
