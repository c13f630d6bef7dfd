"""Adapter of functions, classes and instances to the interface of a `Rule`.

A user passes a function of a problem, or an online rule: a class (or an instance) with
`start(network, parameters, initial_state) -> state` and `step(state, x, y) -> (state, contribution)`
(`step(state, x, y, weight)` if it is declared weighted), and optionally `finish(state) -> contribution`.
The gradient is the sum of the contributions. A stochastic rule takes `noise` after the problem, or as the last argument
of `step` and, if it likes, of `start`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..algorithms.cells import SIDE_BY_SIDE
from ..algorithms.online import NOISE, is_stochastic, run_online, starts_with_noise, stepping
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
from .load import load_rule as load_rule
from .sources import Source, by_content, reseeded


class WrongResult(GradcheckError):
    """Raised where a rule's result is not a gradient of the arrays that it declares.

    Attributes:
        shapes: The shapes of the result's arrays by name, empty if the result is no dict of arrays.
    """

    def __init__(self, message: str, shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
        self.shapes = shapes or {}
        super().__init__(message)


@dataclass(frozen=True)
class Rule:
    """A rule under audit.

    Attributes:
        name: Its name in reports.
        function: Takes a problem, noise if the rule is stochastic, and settings as keywords, and returns the raw
            result, unchecked.
        declaration: Its claims, networks and settings.
        online: True for an online rule.
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

    def __call__(self, problem: Problem, settings: Settings | None = None) -> Any:
        drawing = () if self.source is None else (self.source(problem.inputs),)
        return self.function(problem, *drawing, **(settings or {}))

    @property
    def stochastic(self) -> bool:
        """True for a rule that draws from noise."""
        return self.source is not None

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
        return _settings(self.declaration, self.name, T)


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


def _settings(declaration: Declaration, name: str, T: int) -> list[dict[str, int]]:
    declared = declaration.settings
    if declared is None:
        return [{}]
    try:
        listed = list(declared(T))
    except Exception as error:  # raised by the author's function
        raise GradcheckError(
            f"the settings function of {name} raised {type(error).__name__} for T={T}: {error}"
        ) from error
    if not listed or not all(isinstance(chosen, dict) for chosen in listed):
        raise GradcheckError(
            f"the settings function of {name} returned {listed!r} for T={T}; return at least one dict of keyword "
            "arguments for every T >= 1"
        )
    return listed


def as_rule(
    target: Any,
    *,
    claims: Sequence[Claim] | None = None,
    networks: Sequence[RecurrentNetwork] | None = None,
    weighted: bool | None = None,
) -> Rule:
    """Adapt a function, a class or an instance to a `Rule`.

    Args:
        target: A function of a problem, an online rule's class or instance, or a `Rule`.
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
    if rule.online and wanted.INPUTS in rule.of:
        raise GradcheckError(
            f"{rule.name} is an online rule, which sees one step at a time, and the gradient of inputs has a row for "
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
    if not online and not hasattr(target, "__gradcheck__") and (hint := _torch_hint(target)):
        raise GradcheckError(f"{name} is a torch module, not a rule; {hint}")
    if online:
        function = _online_function(target, name, declaration, declaration.weighted if weighted is None else weighted)
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
    return Rule(name, function, declaration, online, origin, summary, target, assumed, source)


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
    if not alike or rule.online or set(first or ()) != set(rule.settings(1)[0]):
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
    """Return whether a target is an instance of an online rule, which has its settings already."""
    return not isinstance(target, type) and hasattr(target, "start") and hasattr(target, "step")


def _chosen(target: Any, declaration: Declaration) -> Declaration:
    """Return the declaration of an online rule that is made, at its own settings as far as it keeps them by name."""
    names = _settings(declaration, _name(target), 1)[0]
    chosen = {name: getattr(target, name) for name in names if isinstance(getattr(target, name, None), int)}
    if chosen.keys() != names.keys():
        return declaration
    claims = tuple(claim.bind(chosen) for claim in declaration.claims if not isinstance(claim, Cost))
    return dataclasses.replace(declaration, claims=claims, settings=None)


def _online_function(target: Any, name: str, declaration: Declaration, weighted: bool) -> Callable[..., Any]:
    if isinstance(target, type):
        try:
            chosen = _settings(declaration, name, 1)[0]
            inspect.signature(target).bind(**chosen)
        except TypeError as error:
            raise GradcheckError(
                f"the online rule {name} cannot be made without arguments ({error}); give its settings defaults, or "
                "pass an instance"
            ) from None
    stochastic = is_stochastic(target)
    at_start = [NOISE] if starts_with_noise(target) else []
    if at_start and not stochastic:
        raise GradcheckError(f"start of {name} takes noise and step does not; give step the parameter noise too")
    _check_method(target, name, "start", ["network", "parameters", "initial_state", *at_start])
    weight = ["weight"] if weighted else []
    _check_method(target, name, "step", ["state", "x", "y", *weight, *([NOISE] if stochastic else [])])
    if hasattr(target, "finish"):
        _check_method(target, name, "finish", ["state"])

    def function(problem: Problem, noise: Noise | None = None, /, **settings: int) -> Any:
        instance = target(**settings) if isinstance(target, type) else target
        return run_online(_Stepped(instance, name, tuple(problem.parameters)), problem, weighted=weighted, noise=noise)

    return function


class _Stepped:
    """An online rule that checks each contribution before `run_online` adds it up."""

    def __init__(self, rule: Any, name: str, parameters: tuple[str, ...]) -> None:
        self.rule, self.name, self.parameters = rule, name, parameters
        self.start = rule.start
        self.step = stepping(rule, self._step)
        self.contributed = False

    def _step(self, *arguments: Any) -> Any:
        result = self.rule.step(*arguments)
        if not isinstance(result, tuple) or len(result) != 2:
            what = f"a tuple of {len(result)}" if isinstance(result, tuple) else f"a {type(result).__name__}"
            raise WrongResult(f"step of {self.name} returned {what}; return (state, contribution)")
        swapped = self._gradient(result[0]) and not self._gradient(result[1])
        hint = "; the state comes first: return (state, contribution)" if swapped else ""
        return result[0], self._contribution(result[1], "step", hint)

    def finish(self, state: Any) -> Any:
        last = self._contribution(self.rule.finish(state), "finish") if hasattr(self.rule, "finish") else None
        if not self.contributed:
            raise WrongResult(
                f"{self.name} contributed nothing in any step; return a dict of arrays from step, or define "
                "finish(state) to return what is left after the last step"
            )
        return last

    def _gradient(self, part: Any) -> bool:
        """Return True for a dict of the parameters, of the initial state, or of both."""
        if not isinstance(part, dict) or not part:
            return False
        return set(part) - {wanted.INITIAL_STATE} in (set(), set(self.parameters))

    def _contribution(self, part: Any, method: str, hint: str = "") -> Any:
        if part is not None and not self._gradient(part):
            what = f"the keys {', '.join(map(str, part))}" if isinstance(part, dict) else f"a {type(part).__name__}"
            raise WrongResult(
                f"{method} of {self.name} contributed {what}; return None or a dict of arrays with "
                f"{', '.join(self.parameters)}{hint}"
            )
        for key, value in (part or {}).items():
            if isinstance(value, (list, tuple)) and key != wanted.INITIAL_STATE:
                raise WrongResult(
                    f"{method} of {self.name} contributed a {type(value).__name__} for {key}; return a NumPy array"
                )
        self.contributed = self.contributed or part is not None
        return part


def _check_method(target: Any, name: str, method: str, wanted: list[str]) -> None:
    bound = not isinstance(target, type) or isinstance(
        inspect.getattr_static(target, method), (staticmethod, classmethod)
    )
    try:
        signature = inspect.signature(getattr(target, method))
    except (TypeError, ValueError):
        return
    given = [] if bound else [None]
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    shown = inspect.Signature(bare)
    form = f"{method} of the online rule {name} is {method}{shown}; wanted {method}({', '.join(wanted)})"
    if not _binds(signature, *given, *wanted):
        other = [each for each in wanted if each != "weight"] if "weight" in wanted else [*wanted, "weight"]
        weight = method == "step" and _binds(signature, *given, *other)
        hint = "; a rule declared with weighted=True takes the loss weight too, others do not" if weight else ""
        raise GradcheckError(f"{form}{hint}")
    names = list(signature.parameters)[len(given) :][: len(wanted)]
    if names != wanted and sorted(names) == sorted(wanted):
        raise GradcheckError(f"{form}: they are passed in this order, not by name")


def _binds(signature: inspect.Signature, *arguments: Any) -> bool:
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


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
