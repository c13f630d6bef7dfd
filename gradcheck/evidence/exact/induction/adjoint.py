"""Backward recursion of the gradient, from the network's forward equations, and its quantities by name.

With lambda(t) the cotangent of a(t) from the losses after t,
    lambda(T) = 0,  lambda(t-1) = J(t)^T (lambda(t) + dL_t/da(t))
    contribution of t: (dstep(t)/dTheta)^T (lambda(t) + dL_t/da(t)) + the readout's own share of dL_t/dTheta
    and (da(0)/dTheta)^T lambda(0) where the start is learned
The products are those of the reference's reverse pass, `reference.tape`. The cotangent of a function's argument,
dL/ds(t), is the sum of (lambda(t) + dL_t/da(t)) times the derivatives da(t)/ds(t), which dual numbers give.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....reference import lags
from ....reference.functions import DERIVATIVES
from ....reference.networks import base as networks
from ....reference.networks import start
from ....reference.scalars.base import Field
from ....reference.scalars.dual import DualField
from ....reference.tape import vjp
from ....reference.tree import leaves, map_nest
from ....reference.typing import State
from .models import Numbers, StateModel, nothing, parameter_names, parameter_values, shaped
from .quantities import Inputs, Named
from .stepping import Contribution


@dataclass(frozen=True)
class Stretch:
    """Some steps: a and lambda before the first and after each, and the contribution of each step.

    Attributes:
        inputs: What the steps read; entry t - 1 belongs to step t.
        states: Numbers of a(t), by t from 0 on.
        cotangents: Numbers of lambda(t), by t from 0 on.
        contributions: Entry t - 1 is that of step t.
    """

    inputs: Sequence[Inputs]
    states: Sequence[Numbers]
    cotangents: Sequence[Numbers]
    contributions: Sequence[Contribution]


class Adjoint:
    """The backward recursion on one number system.

    Args:
        model: The network's state, which it goes back along.
    """

    def __init__(self, model: StateModel) -> None:
        self.model, self.problem, self.field = model, model.problem, model.field

    def nothing(self) -> Numbers:
        """Return lambda after the last step."""
        return [self.field.convert(0)] * self.model.N

    def stretch(self, numbers: Numbers, last: Numbers, inputs: Sequence[Inputs]) -> Stretch:
        """Return some steps, from a before the first and lambda after the last."""
        states = [numbers]
        for each in inputs:
            states.append(self.model.advance(states[-1], *each)[0])
        cotangents, shown = [last], list[Contribution]()
        for before, each in zip(reversed(states[:-1]), reversed(inputs), strict=True):
            earlier, contribution = self._back(before, cotangents[-1], each)
            cotangents.append(earlier)
            shown.append(contribution)
        return Stretch(inputs, states, cotangents[::-1], shown[::-1])

    def at_start(self, first: Numbers) -> Contribution:
        """Return what lambda(0) contributes, through a start that is learned."""
        if not start.is_learned(self.problem.network):
            return nothing(self.problem, self.field)
        _, pull = vjp(lambda p: start.learned(self.problem.network, p), self.problem.parameters)
        return shaped(self.model.flat_parameters(pull(self.model.state(first))[0]), self.problem)

    def _back(self, before: Numbers, later: Numbers, each: Inputs) -> tuple[Numbers, Contribution]:
        network, parameters, model = self.problem.network, self.problem.parameters, self.model
        state, step = vjp(lambda p, a: networks.step(network, p, a, each.x), parameters, model.state(before))
        u, pull = vjp(lambda p, a: networks.readout(network, p, a, len(each.y)), parameters, state)
        own, entering = pull(each.weight * lags.output_error(network, u, each.y))
        through, earlier = step(map_nest(lambda a, b: a + b, entering, model.state(later)))
        pairs = zip(model.flat_parameters(own), model.flat_parameters(through), strict=True)
        return model.flat(earlier), shaped([a + b for a, b in pairs], self.problem)

    def quantities(self, stretch: Stretch, at: int, window: int) -> Named:
        """Return the quantities between step `at` and the next, and of `window` steps after it, the plainest first."""
        model, problem = self.model, self.problem
        made = dict(zip(parameter_names(problem), parameter_values(problem, self.field), strict=True))
        for ahead in range(window + 1):
            t = at + ahead
            when = f"(t+{ahead})" if ahead else "(t)"
            named = {f"later dL/d{n}": v for n, v in zip(model.states(), stretch.cotangents[t], strict=True)}
            named.update(zip(model.states(), stretch.states[t], strict=True))
            if ahead:
                before, later = stretch.states[t - 1], stretch.cotangents[t]
                named.update(self._of_step(before, later, stretch.inputs[t - 1], stretch.contributions[t - 1]))
            made.update({name + when: value for name, value in named.items()})
        return made

    def _of_step(self, before: Numbers, later: Numbers, each: Inputs, contribution: Contribution) -> Named:
        """Return what a step reads, its errors, and the cotangents of its functions' arguments."""
        network, parameters, field, model = self.problem.network, self.problem.parameters, self.field, self.model
        made: Named = {}
        for name, array in (("x", each.x), ("y", each.y), ("w", each.weight)):
            made.update({f"{name}[{n}]": value for n, value in enumerate(field.natives(array))})
        state = networks.step(network, parameters, model.state(before), each.x)
        u, pull = vjp(lambda a: networks.readout(network, parameters, a, len(each.y)), state)
        error = each.weight * lags.output_error(network, u, each.y)
        made.update({f"u[{n}]": value for n, value in enumerate(field.natives(u))})
        made.update({f"e[{n}]": value for n, value in enumerate(field.natives(error))})
        entering = [value for array in leaves(pull(error)[0]) for value in field.natives(array)]
        total = [a + b for a, b in zip(entering, later, strict=True)]
        made.update({f"own dL/d{n}": value for n, value in zip(model.states(), entering, strict=True)})
        made.update({f"dL/d{n}": value for n, value in zip(model.states(), total, strict=True)})
        for n, (slope, column) in enumerate(self._kicked(model.state(before), each)):
            made[f"slope{n}"] = slope
            made[f"dL/ds{n}"] = sum((a * b for a, b in zip(total, column, strict=True)), field.convert(0))
        shares = (value for array in contribution.values() for value in array.reshape(-1).tolist())
        made.update({f"dL/d{name}": value for name, value in zip(parameter_names(self.problem), shares, strict=True)})
        return made

    def _kicked(self, before: State, each: Inputs) -> Iterator[tuple[Any, Numbers]]:
        """Yield, for each function that a step takes, its derivative there, and those of a(t) by its argument."""
        place = 0
        while True:
            dual = _Kicking(self.field, place)
            parameters = {
                name: dual.join(array, np.zeros_like(array)) for name, array in self.problem.parameters.items()
            }
            state = map_nest(lambda a, on=dual: on.join(a, np.zeros_like(a)), before)
            after = self.problem.network.step(parameters, state, dual.join(each.x, np.zeros_like(each.x)))
            if dual.slope is None:
                return
            yield dual.slope, [v for a in leaves(after) for v in self.field.natives(dual.tangents(a))]
            place += 1


class _Kicking(DualField):
    """Dual numbers in which the argument of one of the functions, counted in order, moves by eps."""

    def __init__(self, inner: Field, place: int) -> None:
        super().__init__(inner)
        self.place, self.met, self.slope = place, 0, None

    def function(self, name: str, value: Any) -> Any:
        result = super().function(name, value)
        if self.met == self.place:
            slope = DERIVATIVES[name](value.primal, result.primal)
            self.slope = slope.value
            result = type(result)(result.primal, result.tangent + slope)
        self.met += 1
        return result
