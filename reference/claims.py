"""Claims about a rule, as data, and the decorator by which a rule declares it.

A claim about the gradient says which lags the rule keeps: `claim.keeps(t, k, T)` is whether the loss
at time t counts the parameters' use at time t - k (t = 1..T, k = 0..t-1). `Exact` keeps them all.
A claim's numbers may be given by name: `Truncated("tau")` is a claim about the rule's keyword
argument tau, judged at every value that the declaration's `settings` list.

A claim about lags names the arrays whose gradient the rule returns: `Exact(of=("parameters", "inputs"))`, see `wanted`.
A claim that promises a gradient allows for rounding norm-wise: each entry may be off by what rounding does to the
largest entry of its array, as in QR or FFT. With `rounding="entrywise"` each entry must be within its own allowance.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

from . import wanted
from .errors import GradcheckError
from .network import DEFAULT_NETWORK, RecurrentNetwork
from .networks.base import not_a_network

Settings = Mapping[str, int]
R = TypeVar("R")
ENTRYWISE: Literal["entrywise"] = "entrywise"
NORMWISE: Literal["normwise"] = "normwise"
"""The roundings that a claim may allow for."""
OPTIONS = ("of", "rounding")
"""Arguments that any claim about lags has: the arrays whose gradient is claimed, and how they may be rounded."""


@dataclass(frozen=True)
class Claim:
    """Something that is claimed of a rule. `kind` is its name on the command line."""

    kind: ClassVar[str] = "claim"
    judged: ClassVar[bool] = True
    """True if this version has evidence for it; a claim without is NOT RUN."""
    of_expectation: ClassVar[bool] = False
    """True if it is about a rule's expectation over its noise, not about each of its results."""

    def bind(self, settings: Settings) -> Claim:
        """Return this claim with each name replaced by its number. Raises `GradcheckError` for a missing name."""
        changes = {}
        for name in self.arguments():
            value = getattr(self, name)
            if isinstance(value, str):
                if value not in settings:
                    raise GradcheckError(f"{self} needs the setting {value!r}; got {dict(settings) or 'none'}")
                changes[name] = settings[value]
        return dataclasses.replace(self, **changes) if changes else self

    @classmethod
    def arguments(cls) -> tuple[str, ...]:
        """Return the names of the arguments that say which lags, or what, is claimed; `OPTIONS` are none of them."""
        return tuple(f.name for f in dataclasses.fields(cls) if f.name not in OPTIONS)

    def __str__(self) -> str:
        return self._printed([str(getattr(self, name)) for name in self.arguments()])

    def _printed(self, values: list[str]) -> str:
        return f"{self.kind}({', '.join(values)})" if values else self.kind


@dataclass(frozen=True)
class GradientClaim(Claim):
    """A claim that the rule returns a certain gradient, to within rounding.

    rounding: "normwise" for a rule that may round each entry as the largest of its array, "entrywise" for one that
    must round each entry as its own size allows.
    """

    rounding: str = field(default=NORMWISE, kw_only=True)

    def __post_init__(self) -> None:
        if self.rounding not in (ENTRYWISE, NORMWISE):
            raise GradcheckError(f"rounding must be {ENTRYWISE!r} or {NORMWISE!r}; got {self.rounding!r:.60}")

    def _printed(self, values: list[str]) -> str:
        return super()._printed([*values, *([f"rounding={ENTRYWISE}"] if self.rounding == ENTRYWISE else [])])


@dataclass(frozen=True)
class LagClaim(GradientClaim):
    """A claim that the rule returns the gradient restricted to certain lags.

    of: the kinds of arrays whose gradient it returns, among "parameters", "inputs" and "initial_state".
    """

    of: wanted.Of = field(default=wanted.DEFAULT, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "of", wanted.checked(self.of))

    def _printed(self, values: list[str]) -> str:
        return super()._printed([*values, *([f"of={'+'.join(self.of)}"] if self.of != wanted.DEFAULT else [])])

    @property
    def _result(self) -> str:
        """The result that is claimed, in words."""
        return "the gradient" + (f" of {wanted.described(self.of)}" if self.of != wanted.DEFAULT else "")

    def keeps(self, t: int, k: int, T: int) -> bool:
        raise NotImplementedError

    @property
    def sentence(self) -> str:
        raise NotImplementedError


def _require_length(value: Any, what: str) -> None:
    if isinstance(value, str):
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise GradcheckError(f"{what} must be a whole number of steps, at least 1; got {value!r}")


@dataclass(frozen=True)
class Exact(LagClaim):
    """The rule returns dL/dTheta for the full sequence, and dL/dx(t) and dL/da(0) if it says so by `of`."""

    kind: ClassVar[str] = "exact"

    def keeps(self, t: int, k: int, T: int) -> bool:
        return True

    @property
    def sentence(self) -> str:
        return f"the result is {self._result}"


@dataclass(frozen=True)
class Truncated(LagClaim):
    """The rule returns the sum of the lags k < tau: truncated BPTT, windowed."""

    tau: int | str
    kind: ClassVar[str] = "truncated"

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_length(self.tau, "tau")

    def keeps(self, t: int, k: int, T: int) -> bool:
        return k < int(self.tau)

    @property
    def sentence(self) -> str:
        return f"the result is {self._result} restricted to lags below {self.tau}"


@dataclass(frozen=True)
class Chunked(LagClaim):
    """The graph is cut every `length` steps and the state carried over: lags k <= (t-1) mod length."""

    length: int | str
    kind: ClassVar[str] = "chunked"

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_length(self.length, "length")

    def keeps(self, t: int, k: int, T: int) -> bool:
        return k <= (t - 1) % int(self.length)

    @property
    def sentence(self) -> str:
        return f"the result is {self._result} cut at every multiple of {self.length} steps"


@dataclass(frozen=True)
class Windowed(LagClaim):
    """BPTT(h; h') of Williams and Peng 1990.

    Every h' steps, and at the end, the losses since the last pass are sent back through the last h steps. A
    loss m steps before the pass keeps lags k < h - m. h' = 1 is `Truncated(h)`; h' = h is `Chunked(h)` where
    h divides T or reaches it, since the last pass still goes back h steps.
    """

    horizon: int | str
    stride: int | str
    kind: ClassVar[str] = "windowed"

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_length(self.horizon, "horizon")
        _require_length(self.stride, "stride")
        if isinstance(self.horizon, int) and isinstance(self.stride, int) and self.stride > self.horizon:
            raise GradcheckError(
                f"BPTT(h; h') needs h' <= h, or losses between passes are lost; got h={self.horizon}, h'={self.stride}"
            )

    def keeps(self, t: int, k: int, T: int) -> bool:
        stride = int(self.stride)
        passed = min(-(-t // stride) * stride, T)
        return k < int(self.horizon) - (passed - t)

    @property
    def sentence(self) -> str:
        of = f" for {wanted.described(self.of)}" if self.of != wanted.DEFAULT else ""
        return f"the result is that of BPTT(h={self.horizon}; h'={self.stride}){of}"


def _keywords(target: Any) -> list[str]:
    """Return the keyword-only arguments of a function, or of the class of an online rule."""
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return []
    words = (inspect.Parameter.KEYWORD_ONLY, *([inspect.Parameter.POSITIONAL_OR_KEYWORD] * isinstance(target, type)))
    return [each.name for each in parameters if each.kind in words]


@dataclass(frozen=True)
class Equals(GradientClaim):
    """The rule returns what `target`, another rule, returns: its own published definition.

    A target that has keyword arguments of the rule's gets their values, so that one definition serves every setting.

    differs: True for a rule that is no exact gradient by design. On each network the target must then differ from the
        gradient on some live problem, at some setting; if it never does, the claim is refuted, since equality with such
        a target would be exactness under another name, or shows nothing.
    """

    target: Callable[..., Any]
    differs: bool = field(default=False, kw_only=True)
    kind: ClassVar[str] = "equals"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.target) and not hasattr(self.target, "step"):
            raise GradcheckError(f"Equals takes a rule, such as a function of a problem; got {self.target!r:.60}")
        if not isinstance(self.differs, bool):
            raise GradcheckError(f"differs must be True or False; got {self.differs!r:.60}")

    def bind(self, settings: Settings) -> Claim:
        """Return this claim with the settings that its target takes bound to it."""
        shared = {name: settings[name] for name in _keywords(self.target) if name in settings}
        if not shared:
            return self
        made: Any = self.target
        target = made(**shared) if isinstance(made, type) else functools.partial(made, **shared)
        return dataclasses.replace(self, target=target)

    @classmethod
    def arguments(cls) -> tuple[str, ...]:
        return ("target",)

    def __str__(self) -> str:
        return self._printed([self._name, *(["differs=True"] if self.differs else [])])

    @property
    def sentence(self) -> str:
        text = f"the result is that of {self._name}"
        return f"{text}, which is not the gradient" if self.differs else text

    @property
    def _name(self) -> str:
        function = getattr(self.target, "func", self.target)
        return str(getattr(function, "__name__", None) or type(function).__name__)


@dataclass(frozen=True)
class Pure(Claim):
    """Right keys, shapes and dtype, finite values, inputs untouched, nothing kept between calls or shared by them.

    threads: False for a rule that promises one call at a time, such as one that works in buffers of its module.
    """

    threads: bool = field(default=True, kw_only=True)
    kind: ClassVar[str] = "pure"

    @classmethod
    def arguments(cls) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class Stable(Claim):
    """Float results are finite and accurate wherever the gradient is a float: |s| and |u| up to 1e4, down to 1e-300.

    `Exact` is about the formula, this claim about the program. A rule that claims a result makes it too.
    """

    kind: ClassVar[str] = "stable"

    @property
    def sentence(self) -> str:
        return "results at extreme values"


@dataclass(frozen=True)
class Unbiased(Exact):
    """The rule's expectation over its noise is the gradient; by `of`, that of inputs and initial state too."""

    kind: ClassVar[str] = "unbiased"
    of_expectation: ClassVar[bool] = True

    @property
    def sentence(self) -> str:
        return f"the expectation of the result over its noise is {self._result}"


@dataclass(frozen=True)
class Aligned(Claim):
    """Wherever the gradient is not zero, the inner product of the rule's expectation with it is positive.

    The expectation is over the rule's noise, on each problem by itself; a rule without noise is its own expectation. So
    this is no claim about the mean over problems, by which a rule that climbs on a tenth of them could pass. The inner
    product is over all entries of all arrays that the rule returns. A small step against such a rule's result lowers
    the loss: it is a direction of descent.

    Few rules are aligned on every problem of a network. With `given` the claim is about the problems that the rule
    declares, or that are added, and no others: @rule(Aligned(given=True), problems=[...]).
    """

    given: bool = field(default=False, kw_only=True)
    kind: ClassVar[str] = "aligned"
    of_expectation: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.given, bool):
            raise GradcheckError(f"given must be True or False; got {self.given!r:.60}")

    @classmethod
    def arguments(cls) -> tuple[str, ...]:
        return ()

    def __str__(self) -> str:
        return self._printed(["given"] if self.given else [])

    @property
    def sentence(self) -> str:
        where = "on each problem given" if self.given else "wherever the gradient is not zero"
        return f"the inner product with the gradient is positive {where}"


@dataclass(frozen=True)
class Online(Claim):
    """The rule's contributions do not depend on the future, and its storage does not grow with T."""

    kind: ClassVar[str] = "online"


@dataclass(frozen=True)
class Cost(Claim):
    """Bounds on the cost of the rule: O(time) operations for a sequence of T steps, O(storage) numbers kept at once.

    Each is an expression in T, I, D, K and the rule's settings: sums, products, whole powers and quotients by products,
    such as "T*I*(I + K + D)" or "T*I**3/block". What is not given is not claimed. Storage is beside the problem's own
    numbers.
    """

    time: str | None = None
    storage: str | None = None
    kind: ClassVar[str] = "cost"

    def bind(self, settings: Settings) -> Claim:
        return self

    def __str__(self) -> str:
        given = {"time": self.time, "storage": self.storage}
        return f"{self.kind}({', '.join(f'{what}={text}' for what, text in given.items() if text is not None)})"


CLAIMS: dict[str, type[Claim]] = {
    c.kind: c for c in (Exact, Truncated, Chunked, Windowed, Equals, Pure, Stable, Unbiased, Aligned, Online, Cost)
}


def parse_claim(text: str) -> Claim:
    """Parse a claim from the command line: "exact", "truncated(3)", "cost(time=T*I**2)", "exact(rounding=entrywise)".

    The arrays whose gradient is claimed are joined by +, as in "exact(of=parameters+inputs)".
    Raises `GradcheckError` naming the claims that exist.
    """
    name, _, rest = text.strip().partition("(")
    options: dict[str, Any] = {}
    spoken = {kind: claim.arguments() for kind, claim in CLAIMS.items()}
    del spoken[Equals.kind]
    if name not in spoken:
        judged = [f"{kind}({', '.join(names)})" if names else kind for kind, names in spoken.items()]
        judged = [text for text, kind in zip(judged, spoken, strict=True) if CLAIMS[kind].judged]
        there = f"there is no claim {text!r}; choose one of {', '.join(judged)}"
        if name == Equals.kind:
            there = (
                "equals takes a rule, which no command line can pass; write @gradcheck.rule(gradcheck.Equals(other))"
            )
        raise GradcheckError(there)
    if name == Cost.kind:
        return _parse_cost(text, rest)
    arguments = [part.strip() for part in rest.rstrip(") ").split(",") if part.strip()]
    if name == Aligned.kind and arguments in (["given"], ["given=True"], ["given=true"]):
        return Aligned(given=True)
    names = spoken[name]
    while arguments and issubclass(CLAIMS[name], LagClaim) and arguments[-1].partition("=")[0].strip() in OPTIONS:
        option, _, value = arguments.pop().partition("=")
        options[option.strip()] = _option(option.strip(), value.strip("\"' "))
    if len(arguments) != len(names) or not all(a.lstrip("-").isdigit() for a in arguments):
        example = f"{name}({', '.join('3' * len(names))})"
        wanted = f"{name}({', '.join(names)}) with whole numbers, such as {example}" if names else name
        raise GradcheckError(f"cannot read the claim {text!r}; write {wanted}")
    return CLAIMS[name](*(int(a) for a in arguments), **options)


def _option(name: str, text: str) -> Any:
    return tuple(part.strip() for part in text.split("+")) if name == "of" else text


def _code(claim: Claim) -> str:
    """Return a claim as code, without the arguments that have their default."""
    given = ((f.name, getattr(claim, f.name)) for f in dataclasses.fields(claim) if getattr(claim, f.name) != f.default)
    return f"{type(claim).__name__}({', '.join(f'{name}={value!r}' for name, value in given)})"


def not_a_claim(given: Any) -> str:
    """Return why the value is no claim, and what to write instead; empty if it is one."""
    if isinstance(given, Claim):
        return ""
    if isinstance(given, type) and issubclass(given, Claim):
        arguments = ", ".join("..." for f in dataclasses.fields(given) if f.default is dataclasses.MISSING)
        return (
            f"{given.__name__} is not a claim yet; write it with parentheses: gradcheck.{given.__name__}({arguments})"
        )
    if callable(given):
        name = getattr(given, "__name__", None) or repr(given)
        return f"{name} is not a claim; write claims in parentheses: @gradcheck.rule(gradcheck.Exact())"
    if isinstance(given, str):
        with contextlib.suppress(GradcheckError):
            return f"{given!r} is not a claim but a text; write gradcheck.{_code(parse_claim(given))}"
    if isinstance(given, (list, tuple)):
        return f"{given!r} is not a claim; write claims one after another, without brackets"
    return f"{given!r} is not a claim; write gradcheck.Exact(), gradcheck.Truncated(3), ..."


def _parse_cost(text: str, rest: str) -> Cost:
    given = dict(part.split("=", 1) for part in rest.strip().removesuffix(")").split(",") if "=" in part)
    named = {what.strip(): bound.strip() for what, bound in given.items()}
    if not named or set(named) - {"time", "storage"}:
        raise GradcheckError(f"cannot read the claim {text!r}; write cost(time=T*I**2), cost(storage=T*I), or both")
    return Cost(**named)


def with_stable(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return the claims, with `Stable()` before them where one is about the result and it is not among them."""
    given = tuple(claims)
    results = any(isinstance(claim, (LagClaim, Equals)) and not isinstance(claim, Unbiased) for claim in given)
    return (Stable(), *given) if results and Stable() not in given else given


def check_wanted(claims: Iterable[Claim], networks: Iterable[RecurrentNetwork]) -> None:
    """Raise `GradcheckError` where a claim is about the gradient of an array that a network does not let vary."""
    for claim in claims:
        for network in networks:
            if isinstance(claim, LagClaim) and (refusal := wanted.refusal(network, claim.of)):
                raise GradcheckError(f"{claim} cannot be claimed: {refusal}")


def checked_expectations(expected: Any, claims: Iterable[Claim]) -> tuple[tuple[str, str], ...]:
    """Return the expectations. Raises `GradcheckError` if one has no reason, or is about no claim that is made."""
    if not isinstance(expected, Mapping):
        raise GradcheckError(
            f'expected must be a dict of claims and reasons, {{"exact": "truncated on purpose"}}; got {expected!r:.60}'
        )
    known = dict.fromkeys([*map(str, claims), Pure.kind, Stable.kind])
    kinds = {name.partition("(")[0] for name in known}
    for claim, reason in expected.items():
        if claim not in known and claim not in kinds:
            there = ", ".join(known)
            raise GradcheckError(f"no claim {claim!r} is made, so none is expected to fail; there is {there}")
        if not isinstance(reason, str) or not reason.strip():
            raise GradcheckError(f"why is {claim} expected to fail? Give a reason as text; got {reason!r:.60}")
    return tuple(expected.items())


@dataclass(frozen=True)
class Declaration:
    """Declaration of a rule about itself. `settings(T)` lists the keyword arguments to judge it at, for T steps."""

    claims: tuple[Claim, ...] = ()
    networks: tuple[RecurrentNetwork, ...] = (DEFAULT_NETWORK,)
    weighted: bool = False
    settings: Callable[[int], Iterable[dict[str, int]]] | None = None
    expected: tuple[tuple[str, str], ...] = ()
    """Claims, as printed or by kind, that are known to be false, and why."""
    problems: tuple[Any, ...] = ()
    """Problems to judge it on, beside those that gradcheck makes."""


def every(name: str) -> Callable[[int], Iterable[dict[str, int]]]:
    """Return settings for a length `name`: 1 to T + 1, one past the sequence."""
    return lambda T: [{name: n} for n in range(1, T + 2)]


def rule(
    *claims: Claim,
    networks: Sequence[RecurrentNetwork] | None = None,
    weighted: bool = False,
    settings: Callable[[int], Iterable[dict[str, int]]] | None = None,
    expected: Mapping[str, str] | None = None,
    problems: Sequence[Any] = (),
) -> Callable[[R], R]:
    """Declare what a rule claims. The function or class comes back unchanged, with the declaration attached.

    claims: what it is judged on; `Pure()` always is, and `Stable()` beside a claim about the result. networks: what it
    supports, the fully recurrent tanh network with identity output and squared error if left out. weighted: whether it
    reads `problem.loss_weights` (an online rule's `step` then takes a fourth argument, the weight).
    settings: for a rule with keyword arguments, the values to judge it at, as a function of T. expected: claims that
    are known to be false, as printed or by kind, and why: {"exact": "truncated on purpose"}; one that holds after all
    is reported. problems: list of `Problem`, to judge it on beside those that gradcheck makes, for code that these do
    not reach. Raises `GradcheckError` for something that is not a claim, and an expectation about none of them.
    """
    for claim in claims:
        if refusal := not_a_claim(claim):
            raise GradcheckError(refusal)
    if networks is not None and not isinstance(networks, Iterable):
        raise GradcheckError(f"networks must be a list; got {networks!r:.60}; write networks=[...]")
    declared = tuple(networks) if networks is not None else (DEFAULT_NETWORK,)
    if not declared:
        raise GradcheckError("networks is empty: a rule must support at least one network")
    for network in declared:
        if refusal := not_a_network(network):
            raise GradcheckError(refusal)
    if not isinstance(problems, (list, tuple)):
        raise GradcheckError(f"problems must be a list of gradcheck.Problem; got {problems!r:.60}")
    check_wanted(claims, declared)
    known = checked_expectations(expected or {}, claims)
    declaration = Declaration(claims, declared, weighted, settings, known, tuple(problems))

    def declare(function: R) -> R:
        function.__gradcheck__ = declaration  # type: ignore[attr-defined]
        return function

    return declare
