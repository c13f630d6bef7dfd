"""Tasks: the pieces of work that an audit is made of, as plain data, and the function that performs one anywhere."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..evidence.base import Case, Plan, run_piece
from ..evidence.cost import counted
from ..evidence.cost.counts.costs import counts_of
from ..evidence.exact import constants
from ..evidence.floats import branches
from ..evidence.floats.reach import Reach
from ..evidence.floats.screen import FIRST, limits_of_others
from ..evidence.preconditions import liveness, oracles, purity
from ..explain import counterexample as counterexamples
from ..explain import misaligned
from ..explain.diagnosis import diagnose
from ..judge.effort import EFFORTS, Effort
from ..judge.plans import COMPARED, kinds, screened
from ..reference.claims import Aligned, Claim, Equals, LagClaim, Pure, Stable, Unbiased
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..reference.networks.written import WrittenNetwork
from ..rules import fresh
from ..rules.authors import OURS, authored_by, source_file
from ..rules.call import watching
from ..rules.coverage.extent import Tried
from ..rules.coverage.recorder import Recorder
from ..rules.coverage.seen import Seen
from ..store.codec import to_data
from ..store.data import arrays_as_data, problem_from
from .request import AuditRequest, Limits, Prepared
from .wire import finding_to_data, part_to_data, witness_from

PURITY, LIVENESS, ORACLES = "purity", "liveness", "oracles"
CONSTANTS, COUNTEREXAMPLE, DIAGNOSIS, FUNCTION = "constants", "counterexample", "diagnosis", "function"
SCREENING, EXPLORATION = "screening", "exploration"

Progress: TypeAlias = Callable[[str], None]
Data: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """One piece of work, as plain data.

    Args:
        kind: PURITY, LIVENESS, ORACLES, a kind of evidence, SCREENING, EXPLORATION, CONSTANTS, COUNTEREXAMPLE,
            DIAGNOSIS or FUNCTION.
        request: number of the audit that it belongs to.
        claim: name of the claim, see `Prepared.claims`.
        network: number of the network.
        piece: label of the piece of its kind of evidence; name of a FUNCTION.
        first: whether the network is judged at the sizes of a first network.
        inputs: results of earlier tasks that it builds on.
        alone: whether nothing else may run meanwhile, since it reads the clock.
    """

    kind: str
    request: int = 0
    claim: str = ""
    network: int = 0
    piece: str = ""
    first: bool = True
    inputs: Data = field(default_factory=dict)
    alone: bool = False

    @property
    def key(self) -> str:
        """Name of the task within one run, for what is kept of it."""
        told = [self.request, self.claim, self.network, self.kind, self.piece, self.first]
        if self.kind in (CONSTANTS, COUNTEREXAMPLE, DIAGNOSIS):
            told.append(hashlib.sha256(json.dumps(self.inputs, sort_keys=True).encode()).hexdigest()[:16])
        return json.dumps(told)


class Context:
    """State that tasks share in one process: requests, the rules made of them, and functions that are tasks too.

    Args:
        requests: the audits.
        functions: functions of ours to run as tasks, by name; each takes progress and returns a record.
    """

    def __init__(
        self, requests: Sequence[AuditRequest], functions: Mapping[str, Callable[[Progress], Any]] | None = None
    ) -> None:
        self.requests, self.functions = tuple(requests), dict(functions or {})
        self._efforts = dict(EFFORTS)  # what is asked for here is what is done wherever this is sent
        self._prepared: dict[int, Prepared] = {}
        self._plans: dict[tuple[int, str, int, str, bool], Plan] = {}
        self._recorders: dict[tuple[int, str, str], Recorder] = {}
        self._ours: dict[int, bool] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_prepared": {}, "_plans": {}, "_recorders": {}}

    def effort(self, number: int) -> Effort:
        """Return the sizes that the request of this number asks for."""
        return self._efforts[self.requests[number].effort]

    def prepared(self, number: int) -> Prepared:
        """Return the request of this number, validated."""
        if number not in self._prepared:
            self._prepared[number] = self.requests[number].prepare()
        return self._prepared[number]

    def case(self, task: Task) -> Case:
        """Return what the task is about."""
        prepared = self.prepared(task.request)
        claim = prepared.claims[task.claim] if task.claim else Pure()
        return prepared.case(claim, task.network)

    def plan(self, task: Task) -> Plan:
        """Return the plan of the task's kind of evidence, which all its pieces share."""
        if task.kind == branches.KIND:
            reached = tuple(map(Reach.from_data, task.inputs["reached"]))
            return branches.Branches(reached, task.inputs["others"]).plan(self.case(task))
        key = (task.request, task.claim, task.network, task.kind, task.first)
        if key not in self._plans:
            effort, case = self.effort(task.request), self.case(task)
            made = next(kind for kind in kinds(case, effort, first=task.first) if kind.kind == task.kind)
            self._plans[key] = made.plan(case)
        return self._plans[key]

    def recorder(self, task: Task) -> Recorder:
        """Return the recorder of what runs of the rule's code in tasks of this kind.

        It keeps what ran in the tasks before: all of them count for the claim.
        """
        key = task.request, task.claim, task.kind
        if key not in self._recorders:
            self._recorders[key] = Recorder(authored_by(self.prepared(task.request).rule.target))
        return self._recorders[key]

    def limits(self, task: Task) -> Limits | None:
        """Return the limits of the task's rule; functions of ours have none."""
        return self.requests[task.request].limits if task.request >= 0 else None

    def served_with(self, number: int) -> int:
        """Return the first request whose workers may serve this one: its own, or that of a rule of ours beside it."""
        if number < 0 or not self._shipped(number):
            return number
        limits = self.requests[number].limits
        return next(n for n, each in enumerate(self.requests) if each.limits == limits and self._shipped(n))

    def _shipped(self, number: int) -> bool:
        if number not in self._ours:
            file = source_file(self.prepared(number).rule.target)
            self._ours[number] = file is not None and any(map(file.is_relative_to, OURS))
        return self._ours[number]

    def runs_the_rule(self, task: Task) -> bool:
        """Return True if the task runs code of the rule's author; other tasks can run here, and be shared."""
        if task.kind not in (LIVENESS, ORACLES):
            return task.kind != FUNCTION or task.request >= 0
        network = self.prepared(task.request).networks[task.network]
        ours = type(network).__module__.startswith(RecurrentNetwork.__module__.rpartition(".")[0])
        return not ours or isinstance(network, WrittenNetwork)


def perform(task: Task, context: Context, progress: Progress) -> Data:
    """Perform a task here and now, and return its result as plain data.

    Raises:
        GradcheckError: the rule, or its claim, does not let the task be performed.
    """
    start = time.monotonic()
    fresh.taken()
    result = _PERFORM.get(task.kind, _evidence)(task, context, progress)
    made = {"made": places} if (places := fresh.taken()) else {}
    return {"seconds": time.monotonic() - start, **result, **made}


def _fixed(claim: Claim) -> bool:
    """Return True for a claim about the result of each call, whatever the noise."""
    return isinstance(claim, (LagClaim, Equals)) and not isinstance(claim, Unbiased)


def _purity(task: Task, context: Context, progress: Progress) -> Data:
    results = [c for c in context.prepared(task.request).claims.values() if _fixed(c)]
    kind = purity.Purity(purity.SIZES if task.first else purity.SIZES[:1], results if task.first else ())
    return {"finding": finding_to_data(kind.gather(context.case(task), progress))}


def _liveness(task: Task, context: Context, progress: Progress) -> Data:
    case = context.case(task)
    sizes = context.effort(task.request).enclosure_sizes
    found = liveness.visibility(
        case.network, sizes[-1 if task.network == 0 else 0], case.seed, case.weighted, case.rule.of
    )
    return {"holds": found.alive, "statement": found.statement}


def _oracles(task: Task, context: Context, progress: Progress) -> Data:
    case = context.case(task)
    network, of = case.network, case.rule.of
    if task.network:
        found = oracles.agreement(network, oracles.SMALL_SIZE, with_sympy=False, of=of)
    else:
        found = oracles.agreement(network, of=of)
    disagreement = found.blame or f"the oracles disagree on {network}: {found.statement}"
    return {"holds": found.holds, "statement": found.statement if found.holds else disagreement}


def _evidence(task: Task, context: Context, progress: Progress) -> Data:
    """Perform one piece of a plan; those beyond a full audit are asked for by number."""
    plan = context.plan(task)
    number = task.inputs.get("further")
    if number is None:
        piece = next(piece for piece in plan.pieces if piece.label == task.piece)
    else:
        assert plan.further is not None
        piece = plan.further(number)
    with watching(Tried()) as tried, watching(context.recorder(task)) as recorder:
        part = run_piece(plan, piece, task.inputs.get("before", ()), progress)
    result = part_to_data(part)
    if part.compared and task.kind in COMPARED:
        result |= {"ran": recorder.as_data(), "tried": tried.as_data()}
    if task.kind == counted.KIND:
        counts = counts_of(context.prepared(task.request).rule.target)
        result["counts"] = [[list(map(list, at)), dict(found)] for at, found in counts.items()]
    return result


def _screening(task: Task, context: Context, progress: Progress) -> Data:
    blocks = context.requests[task.request].effort == "full"
    others = len(screened(context.prepared(task.request).networks)) - 1
    limits = limits_of_others(others) if task.network else FIRST
    with watching(Tried()) as tried:
        found = branches.screened(context.case(task), context.recorder(task), blocks, progress, limits)
    return {"reached": [reach.as_data() for reach in found], "tried": tried.as_data()}


def _exploration(task: Task, context: Context, progress: Progress) -> Data:
    seen = Seen()
    seen.add(task.inputs["seen"])
    case, recorder = context.case(task), context.recorder(task)
    compared = branches.compared(case, recorder, seen)
    found = branches.explore(case, recorder, seen, progress, others=task.inputs["others"])
    if task.inputs["compares"]:
        found += branches.with_equalities(case) + branches.with_all_values(case, recorder)
    return {"reached": [reach.as_data() for reach in found], "compared": compared}


def _constants(task: Task, context: Context, progress: Progress) -> Data:
    case = context.case(task)
    return {"explained": constants.explain(case, witness_from(task.inputs["witness"], case.network))}


def _counterexample(task: Task, context: Context, progress: Progress) -> Data:
    case = context.case(task)
    witness = witness_from(task.inputs["witness"], case.network)
    if isinstance(case.claim, Aligned):
        problem = misaligned.find(case, witness)
        example = None if problem is None else to_data(misaligned.counterexample(case, problem, witness))
        return {"found": None if example is None else {"example": example}}
    if isinstance(case.claim, Stable):
        case, violation = counterexamples.at_extremes(case, witness)
    else:
        violation = counterexamples.find(case, witness)
    if violation is None:
        return {"found": None}
    found = {
        "example": to_data(counterexamples.counterexample(case, violation)),
        "sizes": str(violation.problem.sizes),
        "at": list(dataclasses.astuple(violation.problem.sizes)),
        "settings": dict(violation.settings),
        "arrays": arrays_as_data(violation.problem),
        "dtype": violation.dtype,
    }
    return {"found": found}


def _diagnosis(task: Task, context: Context, progress: Progress) -> Data:
    case, found = context.case(task), task.inputs
    problem = problem_from(found["arrays"], case.network, Sizes(*found["at"]))
    return {"cause": diagnose(case, found["settings"], problem, dtype=found["dtype"], progress=progress)}


def _function(task: Task, context: Context, progress: Progress) -> Data:
    return {"record": to_data(context.functions[task.piece](progress))}


_PERFORM: dict[str, Callable[[Task, Context, Progress], Data]] = {
    PURITY: _purity,
    LIVENESS: _liveness,
    ORACLES: _oracles,
    CONSTANTS: _constants,
    SCREENING: _screening,
    EXPLORATION: _exploration,
    COUNTEREXAMPLE: _counterexample,
    DIAGNOSIS: _diagnosis,
    FUNCTION: _function,
}
