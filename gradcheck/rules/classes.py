"""Rules that are classes: their methods' arguments and contributions are checked, and errors say what was wanted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..algorithms.online import NOISE, is_stochastic, run_online, starts_with_noise, stepping
from ..algorithms.passes import run_passes
from ..reference import wanted
from ..reference.claims import Declaration
from ..reference.errors import GradcheckError
from ..reference.noise import Noise
from ..reference.problem import Problem


class WrongResult(GradcheckError):
    """Raised where a rule's result is not a gradient of the arrays that it declares.

    Attributes:
        shapes: The shapes of the result's arrays by name, empty if the result is no dict of arrays.
    """

    def __init__(self, message: str, shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
        self.shapes = shapes or {}
        super().__init__(message)


def settings_of(declaration: Declaration, name: str, T: int) -> list[dict[str, int]]:
    """List the keyword arguments that a declaration has for T steps; see `Rule.settings`."""
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


def online_function(target: Any, name: str, declaration: Declaration, weighted: bool) -> Callable[..., Any]:
    """Return a function of a problem that steps through the sequence and sums up the contributions.

    Args:
        target: A class or an instance.
        name: Its name, for messages.
        declaration: Its declaration, for its settings.
        weighted: Pass the loss weight.

    Raises:
        GradcheckError: A method takes other arguments, or the class needs some.
    """
    stochastic = is_stochastic(target)
    whole = f"the online rule {name}"
    _check_making(target, whole, name, declaration)
    at_start = [NOISE] if starts_with_noise(target) else []
    if at_start and not stochastic:
        raise GradcheckError(f"start of {name} takes noise and step does not; give step the parameter noise too")
    _check_method(target, whole, "start", ["network", "parameters", "initial_state", *at_start])
    weight = ["weight"] if weighted else []
    _check_method(
        target, f"the online rule {name}", "step", ["state", "x", "y", *weight, *([NOISE] if stochastic else [])]
    )
    if hasattr(target, "finish"):
        _check_method(target, whole, "finish", ["state"])

    def function(problem: Problem, noise: Noise | None = None, /, **settings: int) -> Any:
        instance = target(**settings) if isinstance(target, type) else target
        return run_online(_Stepped(instance, name, tuple(problem.parameters)), problem, weighted=weighted, noise=noise)

    return function


def passes_function(target: Any, name: str, declaration: Declaration, weighted: bool) -> Callable[..., Any]:
    """Return a function of a problem that runs both passes of a rule and sums up the contributions.

    Args:
        target: A class or an instance.
        name: Its name, for messages.
        declaration: Its declaration, for its settings.
        weighted: Pass the loss weight.

    Raises:
        GradcheckError: A method takes other arguments, or the class needs some.
    """
    whole = f"the rule in passes {name}"
    _check_making(target, whole, name, declaration)
    _check_method(target, whole, "start", ["network", "parameters", "initial_state"])
    _check_method(target, whole, "forward", ["state", "x"])
    _check_method(target, whole, "backward", ["cotangent", "kept", "y", *(["weight"] if weighted else [])])
    for method, taken in (("end", "state"), ("finish", "cotangent")):
        if hasattr(target, method):
            _check_method(target, whole, method, [taken])

    def function(problem: Problem, **settings: int) -> Any:
        instance = target(**settings) if isinstance(target, type) else target
        return run_passes(_Passing(instance, name, tuple(problem.parameters)), problem, weighted=weighted)

    return function


def _check_making(target: Any, whole: str, name: str, declaration: Declaration) -> None:
    if isinstance(target, type):
        try:
            chosen = settings_of(declaration, name, 1)[0]
            inspect.signature(target).bind(**chosen)
        except TypeError as error:
            raise GradcheckError(
                f"{whole} cannot be made without arguments ({error}); give its settings defaults, or pass an instance"
            ) from None


class _Contributing:
    """A rule whose contributions are checked before they are added up."""

    def __init__(self, rule: Any, name: str, parameters: tuple[str, ...]) -> None:
        self.rule, self.name, self.parameters = rule, name, parameters
        self.start = rule.start
        self.contributed = False

    def _pair(self, result: Any, method: str, wanted: str) -> tuple[Any, Any]:
        if not isinstance(result, tuple) or len(result) != 2:
            what = f"a tuple of {len(result)}" if isinstance(result, tuple) else f"a {type(result).__name__}"
            raise WrongResult(f"{method} of {self.name} returned {what}; return {wanted}")
        return result

    def _contributed(self, result: Any, method: str, first: str) -> tuple[Any, Any]:
        """Return a pair of what is carried on and a checked contribution."""
        carried, part = self._pair(result, method, f"({first}, contribution)")
        swapped = self._gradient(carried) and not self._gradient(part)
        hint = f"; the {first} comes first: return ({first}, contribution)" if swapped else ""
        return carried, self._contribution(part, method, hint)

    def _require_any(self, where: str, finish: str) -> None:
        if not self.contributed:
            raise WrongResult(
                f"{self.name} contributed nothing in any step; return a dict of arrays from {where}, or define {finish}"
            )

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


class _Stepped(_Contributing):
    """An online rule that checks each contribution before `run_online` adds it up."""

    def __init__(self, rule: Any, name: str, parameters: tuple[str, ...]) -> None:
        super().__init__(rule, name, parameters)
        self.step = stepping(rule, self._step)

    def _step(self, *arguments: Any) -> Any:
        return self._contributed(self.rule.step(*arguments), "step", "state")

    def finish(self, state: Any) -> Any:
        last = self._contribution(self.rule.finish(state), "finish") if hasattr(self.rule, "finish") else None
        self._require_any("step", "finish(state) to return what is left after the last step")
        return last


class _Passing(_Contributing):
    """A rule in passes that checks what each method returns before `run_passes` uses it."""

    def __init__(self, rule: Any, name: str, parameters: tuple[str, ...]) -> None:
        super().__init__(rule, name, parameters)
        self.end = getattr(rule, "end", None)

    def forward(self, state: Any, x: Any) -> Any:
        return self._pair(self.rule.forward(state, x), "forward", "(state, kept)")

    def backward(self, *arguments: Any) -> Any:
        return self._contributed(self.rule.backward(*arguments), "backward", "cotangent")

    def finish(self, cotangent: Any) -> Any:
        last = self._contribution(self.rule.finish(cotangent), "finish") if hasattr(self.rule, "finish") else None
        self._require_any("backward", "finish(cotangent) to return what is left after step 1")
        return last


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
    form = f"{method} of {name} is {method}{shown}; wanted {method}({', '.join(wanted)})"
    if not _binds(signature, *given, *wanted):
        other = [each for each in wanted if each != "weight"] if "weight" in wanted else [*wanted, "weight"]
        weight = method in ("step", "backward") and _binds(signature, *given, *other)
        hint = "; a rule declared with weighted=True takes the loss weight too, others do not" if weight else ""
        if weight and NOISE not in wanted:
            hint += f"; one that draws has a last parameter named {NOISE}"
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
