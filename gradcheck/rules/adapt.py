"""Adapter of functions, classes and instances to the interface of a `Rule`.

A user passes a function of a problem, or an online rule: a class (or an instance) with
`start(network, parameters, initial_state) -> state` and `step(state, x, y) -> (state, contribution)`
(`step(state, x, y, weight)` if it is declared weighted), and optionally `finish(state) -> contribution`.
The gradient is the sum of the contributions. A rule of the whole sequence may be a class too, given as passes: `start`,
`forward(state, x) -> (state, kept)` and `backward(cotangent, kept, y) -> (cotangent, contribution)`.
A stochastic rule takes `noise` after the problem, or as the last argument of `step` and, if it likes, of `start`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..algorithms.cells import SIDE_BY_SIDE
from ..algorithms.online import NOISE, is_stochastic
from ..algorithms.passes import is_in_passes
from ..reference import wanted
from ..reference.claims import (
    Claim,
    Cost,
    Declaration,
    Equals,
    Exact,
    LagClaim,
    Pure,
    Settings,
    Stable,
    Unbiased,
    check_wanted,
    not_a_claim,
)
from ..reference.errors import GradcheckError
from ..reference.networks.base import Capabilities, RecurrentNetwork, ask, not_a_network, shapes
from ..reference.noise import Noise
from ..reference.problem import Problem
from ..reference.wanted import INITIAL_STATE, INPUTS
from .classes import WrongResult as WrongResult
from .classes import online_function, passes_function, settings_of
from .load import load_rule as load_rule
from .sources import Source, by_content, reseeded


@dataclass(frozen=True)
class Rule:
    """A rule under audit.

    Attributes:
        name: Its name in reports.
        function: Takes a problem, noise if the rule is stochastic, and settings as keywords, and returns the raw
            result, unchecked.
        declaration: Its claims, networks and settings.
        online: True for an online rule.
        passes: True for a rule given as passes.
        origin: Module and qualified name of the code, as "module:name".
        summary: First paragraph of the docstring.
        target: The object that the user passed.
        assumed: True if it declares no claim, and `Exact()` is assumed.
        source: Makes the noise of each call of a stochastic rule; None for any other rule.
        drawn: For the expectation of a stochastic rule, that rule; see `expectation`.
    """

    name: str
    function: Callable[..., Any]
    declaration: Declaration
    online: bool
    origin: str
    summary: str
    target: Any = None
    assumed: bool = False
    source: Source | None = None
    drawn: Rule | None = None
    passes: bool = False

    def __call__(self, problem: Problem, settings: Settings | None = None) -> Any:
        drawing = () if self.source is None else (self.source(problem.inputs),)
        return self.function(problem, *drawing, **(settings or {}))

    @property
    def stochastic(self) -> bool:
        """True for a rule that draws from noise."""
        return self.source is not None

    @property
    def of_class(self) -> bool:
        """True for a rule that is a class with methods, or an instance of one: online, or given as passes."""
        return self.online or self.passes

    @property
    def reseeded(self) -> bool:
        """True for a rule that may draw from global generators, which are seeded before each call."""
        return self.stochastic and not is_stochastic(self.target)

    @property
    def averaged(self) -> bool:
        """True for the expectation of a stochastic rule."""
        return self.drawn is not None

    def within(self, function: Callable[..., Any]) -> Rule:
        """Return a rule that calls a function of a problem and settings, which calls this rule and gives it noise."""
        return dataclasses.replace(self, function=function, source=None)

    def drawing(self, source: Source) -> Rule:
        """Return this rule with other noise. A rule that is not stochastic has none, and is returned as it is."""
        return dataclasses.replace(self, source=source) if self.stochastic else self

    @functools.cached_property
    def of(self) -> wanted.Of:
        """The kinds of arrays whose gradient it returns: those of its declared claims, and of those it is judged on."""
        return wanted_by(*_declaration(self.target).claims, *self.declaration.claims) or wanted.DEFAULT

    def settings(self, T: int) -> list[dict[str, int]]:
        """List the keyword arguments to audit the rule at on sequences of T steps.

        Returns:
            The arguments of each run; one empty dict for a rule without settings.

        Raises:
            GradcheckError: The declared function failed, or returned anything but a nonempty list of dicts.
        """
        return settings_of(self.declaration, self.name, T)


def wanted_by(*claims: Claim) -> wanted.Of:
    """Return the kinds of arrays whose gradient claims are about; none for claims about no result."""
    found, met, waiting = set[str](), list[Any](), list(claims)
    while waiting:
        claim = waiting.pop()
        if isinstance(claim, LagClaim):
            found.update(claim.of)
        elif isinstance(claim, Equals) and not any(claim.target is each for each in met):
            met.append(claim.target)
            own = declared_claims(claim.target)
            waiting += [each for each in own if isinstance(each, (LagClaim, Equals))] or [Exact()]
    return tuple(kind for kind in wanted.KINDS if kind in found)


def as_rule(
    target: Any,
    *,
    claims: Sequence[Claim] | None = None,
    networks: Sequence[RecurrentNetwork] | None = None,
    weighted: bool | None = None,
) -> Rule:
    """Adapt a function, a class or an instance to a `Rule`.

    Args:
        target: A function of a problem, a class or an instance of an online rule or one in passes, or a `Rule`.
        claims: Replaces the declared claims.
        networks: Replaces the declared networks.
        weighted: Replaces the declaration that the rule supports loss weights.

    Raises:
        GradcheckError: `target` cannot be a rule, or a claim or network is none. The message says what was wanted.
    """
    _check_all("claims", claims, not_a_claim, "gradcheck.Exact(), gradcheck.Truncated(3), ...")
    example = 'gradcheck.Network("tanh", "identity", "squared_error"), ...'
    _check_all("networks", networks, not_a_network, example)
    if networks is not None and not networks:
        raise GradcheckError("networks is empty; name at least one network, or leave it out")
    rule = target if isinstance(target, Rule) else _made(target, weighted)
    changes: dict[str, Any] = {}
    if claims is not None:
        changes["claims"] = tuple(claims)
        rule = dataclasses.replace(rule, assumed=False)
    if networks is not None:
        changes["networks"] = tuple(networks)
    if weighted is not None:
        changes["weighted"] = weighted
    if changes:
        rule = dataclasses.replace(rule, declaration=dataclasses.replace(rule.declaration, **changes))
    if not rule.stochastic and not rule.averaged and any(isinstance(c, Unbiased) for c in rule.declaration.claims):
        rule = dataclasses.replace(rule, function=reseeded(rule.function), source=by_content)
    _check_wanted(rule)
    return rule


def _check_wanted(rule: Rule) -> None:
    """Raise `GradcheckError` where a rule returns the gradient of an array that one of its networks has none of."""
    check_wanted(rule.declaration.claims, rule.declaration.networks)
    for network in rule.declaration.networks:
        if refusal := wanted.refusal(network, rule.of):
            raise GradcheckError(f"{rule.name} returns the gradient of {wanted.described(rule.of)}: {refusal}")
    if rule.of_class and wanted.INPUTS in rule.of:
        what = "an online rule" if rule.online else "given as passes"
        raise GradcheckError(
            f"{rule.name} is {what}, which sees one step at a time, and the gradient of inputs has a row for "
            "every step, seen or not; leave inputs out of its claims, or write a function of the problem"
        )


def _check_all(what: str, given: Any, refused: Callable[[Any], str], such_as: str) -> None:
    if given is not None and not isinstance(given, (list, tuple)):
        raise GradcheckError(f"{what} must be a list; got {given!r}; write [{such_as}]")
    for each in given or ():
        if refusal := refused(each):
            raise GradcheckError(refusal)


def _made(target: Any, weighted: bool | None) -> Rule:
    declaration, name = _declaration(target), _name(target)
    assumed = not declaration.claims
    if assumed:
        declaration = dataclasses.replace(declaration, claims=(Exact(),))
    online = hasattr(target, "start") and hasattr(target, "step")
    passes = not online and is_in_passes(target)
    if not online and not hasattr(target, "__gradcheck__") and (hint := _torch_hint(target)):
        raise GradcheckError(f"{name} is a torch module, not a rule; {hint}")
    if online or passes:
        adapted = online_function if online else passes_function
        function = adapted(target, name, declaration, declaration.weighted if weighted is None else weighted)
    elif callable(target) and not isinstance(target, type):
        _check_signature(target, name)
        function = target
    else:
        raise GradcheckError(
            f"{target!r} is not a rule; pass a function of a problem, or a class with start(network, parameters, "
            f"initial_state) and step(state, x, y){_hint(target)}"
        )
    code = inspect.unwrap(getattr(target, "func", target))
    module = getattr(code, "__module__", "?")
    module = "__main__" if module == "__mp_main__" else module  # a script's name in its child processes
    origin = f"{module}:{getattr(code, '__qualname__', name)}"
    document = inspect.getdoc(code) if getattr(code, "__doc__", None) else None
    summary = (document or "").strip().split("\n\n")[0].replace("\n", " ")
    if not getattr(getattr(target, "func", target), SIDE_BY_SIDE, False):
        function = presenting(function)
    source = by_content if is_stochastic(target) else None
    return Rule(name, function, declaration, online, origin, summary, target, assumed, source, passes=passes)


def presenting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that hands problems over as their networks present them; see `Capabilities.presented`."""

    @functools.wraps(function)
    def presented(problem: Problem, *noise: Noise, **settings: Any) -> Any:
        given = ask(problem.network, Capabilities.presented, problem)
        if given is problem:
            return function(problem, *noise, **settings)
        before = given.copies()
        try:
            result = function(given, *noise, **settings)
        finally:
            given.hand_back(before)
        return _side_by_side(given, result)

    return presented


def _side_by_side(given: Any, result: Any) -> Any:
    """Return a rule's result on a presented problem with its gradients of inputs and initial state in their places."""
    if not issubclass(type(result), dict):
        return result
    moved = {key: getattr(given, key) for key in (INPUTS, INITIAL_STATE) if dict.__contains__(result, key)}
    for key, own in moved.items():
        came, needed = shapes(dict.__getitem__(result, key)), shapes(own)
        if came != needed:
            raise WrongResult(f"the result has {came} for {key}; wanted {needed}, the shape of problem.{key}")
    return given.side_by_side_of(result) if moved else result


def _hint(target: Any) -> str:
    """Return a remedy for a target that is not a rule, or an empty string."""
    if isinstance(target, ModuleType):
        return "; this is a module: pass a function in it"
    if hasattr(target, "backward"):
        missing = next(part for part in ("start", "forward", "backward") if not hasattr(target, part))
        return f", or start, forward(state, x) and backward(cotangent, kept, y); it has no {missing}"
    lacks = [part for part in ("start", "step") if not hasattr(target, part)]
    return f"; it has no {lacks[0]}" if len(lacks) == 1 else ""


def _torch_hint(target: Any) -> str:
    """Return the remedy for a torch module, a class or an instance; empty for anything else."""
    kinds = (target if isinstance(target, type) else type(target)).__mro__
    names = {f"{kind.__module__}.{kind.__name__}" for kind in kinds}
    if "torch.nn.modules.rnn.RNN" in names:
        return f"write gradcheck.torch.rule({target.__name__ if isinstance(target, type) else 'layer'})"
    if "torch.nn.modules.module.Module" in names:
        return "write a function of tensors that runs it and returns the loss, and pass gradcheck.torch.rule(function)"
    return ""


def bind_settings(rule: Rule) -> tuple[Rule, str]:
    """Bind a rule's settings to the numbers in its claims.

    For a rule that declares Truncated("tau"), the claim Truncated(3) means tau=3. Where claims name several numbers,
    or the rule declares no such claim, the rule is audited at every setting.

    Returns:
        The rule, bound or not, and a note on it for the reader. The note is empty where no claim gives a number.
    """
    own, given = _declaration(rule.target).claims, rule.declaration.claims
    numbered = [claim for claim in given if claim not in own and int in map(type, vars(claim).values())]
    if rule.declaration.settings is None or not numbered:
        return rule, ""
    note = f"{', '.join(map(str, numbered))} was judged at every setting that {rule.name} declares"
    bound = [next((b for c in own if (b := _binding(c, claim))), None) for claim in numbered]
    first = bound[0]
    alike = (
        first and all(b == first for b in bound) and all(isinstance(c, (Pure, Stable)) or c in numbered for c in given)
    )
    if not alike or rule.of_class or set(first or ()) != set(rule.settings(1)[0]):
        return rule, note
    at = functools.partial(rule.target, **(first or {}))
    declared = rule.declaration
    chosen = as_rule(at, claims=given, networks=declared.networks, weighted=declared.weighted)
    values = ", ".join(f"{name}={value}" for name, value in (first or {}).items())
    return chosen, f"{numbered[0]} was judged at {values}, the setting for which {rule.name} declares it"


def _binding(declared: Claim, claim: Claim) -> dict[str, int] | None:
    """Return the values of settings for which `declared` is `claim`, or None if there are none."""
    if type(declared) is not type(claim):
        return None
    pairs = [(getattr(declared, name), getattr(claim, name)) for name in declared.arguments()]
    found = {name: number for name, number in pairs if isinstance(name, str) and isinstance(number, int)}
    return found if all(isinstance(name, str) or name == number for name, number in pairs) else None


def _name(target: Any) -> str:
    if isinstance(target, functools.partial):
        bound = ", ".join([*map(str, target.args), *(f"{k}={v}" for k, v in target.keywords.items())])
        return f"{_name(target.func)}({bound})"
    return getattr(target, "__name__", None) or type(target).__name__


def declared_claims(target: Any) -> tuple[Claim, ...]:
    """Return the claims that a rule declares of itself, whichever it is audited on."""
    return target.declaration.claims if isinstance(target, Rule) else _declaration(target).claims


def _declaration(target: Any) -> Declaration:
    """Return the declaration of a rule.

    A `functools.partial` keeps its function's claims, at the numbers that it binds, and an online rule that is made
    those of its class, at its own. They lose claims about costs: the growth of a cost with a setting says little of its
    value at one.
    """
    own: Declaration | None = getattr(target, "__gradcheck__", None)
    if own is not None and own.settings and _is_made(target):
        return _chosen(target, own)
    if own is not None or not isinstance(target, functools.partial):
        return own or Declaration()
    inner = _declaration(target.func)
    if not inner.settings:
        return dataclasses.replace(inner, settings=None)
    claims = tuple(claim.bind(target.keywords) for claim in inner.claims if not isinstance(claim, Cost))
    return dataclasses.replace(inner, claims=claims, settings=None)


def _is_made(target: Any) -> bool:
    """Return whether a target is an instance of a rule's class, which has its settings already."""
    online = hasattr(target, "start") and hasattr(target, "step")
    return not isinstance(target, type) and (online or is_in_passes(target))


def _chosen(target: Any, declaration: Declaration) -> Declaration:
    """Return the declaration of a rule of a class that is made, at its own settings as far as it keeps them by name."""
    names = settings_of(declaration, _name(target), 1)[0]
    chosen = {name: getattr(target, name) for name in names if isinstance(getattr(target, name, None), int)}
    if chosen.keys() != names.keys():
        return declaration
    claims = tuple(claim.bind(chosen) for claim in declaration.claims if not isinstance(claim, Cost))
    return dataclasses.replace(declaration, claims=claims, settings=None)


def _check_signature(function: Callable[..., Any], name: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    required = [
        p.name
        for p in signature.parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    positional = [
        p
        for p in signature.parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if required[1:2] == [NOISE]:
        del required[1]
    if required[:1] == ["self"]:
        raise GradcheckError(f"{name}{signature} is an unbound method; pass a bound one: instance.{name}")
    if len(required) > 1 or not positional:
        raise GradcheckError(
            f"a rule takes one argument, the problem; {name} is {name}{signature}. Make settings such as tau "
            "keyword-only, or bind them with functools.partial; name the second one noise if the rule draws from it"
        )
