"""Loss curves of all rules on two small tasks that need memory, over several seeds.

    delayed copy   inputs are +1 or -1 at random, the target at t is the input of step t - 4
    adding         each step has a number of [0, 1) and a mark; the target at the end is the sum of the two marked ones
Every rule starts at the same parameters for a seed and sees the same sequences. Nothing is claimed of the curves: they
show a typical course, and how far seeds lie apart. The tasks are smaller versions of the usual ones.

Sources: Hochreiter & Schmidhuber 1997, "Long short-term memory", section 5.4, for adding; Murray 2019, "Local online
learning in recurrent networks with random feedback", for a delayed output.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...algorithms import KFRTRL, RTRL, UORO, artbp, bptt, risk_gradient, truncated_bptt
from ...algorithms.online import is_stochastic
from ...records import Figure
from ...reference.network import Network, Sizes
from ...reference.noise import SampledNoise
from ...reference.problem import Problem, empirical_risk
from ...reference.typing import Parameters

SEEDS = 5
STEPS = 100
EVERY = 10
"""Steps between two measurements of the loss."""
SEQUENCES, HELD_OUT = 2, 8
"""Sequences of a step of descent, and those on which the loss is measured."""
DELAY = 4
SECTION = "Loss curves"


@dataclass(frozen=True)
class Task:
    """A task: its name, sizes, learning rate, and the way to draw inputs, targets and loss weights."""

    name: str
    sizes: Sizes
    rate: float
    draw: Callable[[np.random.Generator, Sizes], tuple[Any, Any, Any]]


def _copy(rng: np.random.Generator, sizes: Sizes) -> tuple[Any, Any, Any]:
    inputs = rng.choice([-1.0, 1.0], size=(sizes.T, 1))
    targets, weights = np.zeros((sizes.T, 1)), np.zeros(sizes.T)
    targets[DELAY:], weights[DELAY:] = inputs[:-DELAY], 1 / (sizes.T - DELAY)
    return inputs, targets, weights


def _add(rng: np.random.Generator, sizes: Sizes) -> tuple[Any, Any, Any]:
    inputs, targets, weights = np.zeros((sizes.T, 2)), np.zeros((sizes.T, 1)), np.zeros(sizes.T)
    inputs[:, 0] = rng.random(sizes.T)
    marked = (rng.integers(0, sizes.T // 2), rng.integers(sizes.T // 2, sizes.T))
    inputs[marked, 1] = 1
    targets[-1], weights[-1] = inputs[marked, 0].sum(), 1
    return inputs, targets, weights


TASKS = (
    Task("delayed copy", Sizes(T=10, I=8, D=1, K=1), 0.25, _copy),
    Task("adding", Sizes(T=8, I=8, D=2, K=1), 0.1, _add),
)


def rules() -> dict[str, Any]:
    """Return the rules of the curves, by the names in legends. RTRL stands for all exact ones beside BPTT."""
    return {
        "BPTT": bptt,
        "RTRL": RTRL,
        "truncated at 2": functools.partial(truncated_bptt, tau=2),
        "UORO": UORO(balanced=True),
        "KF-RTRL": KFRTRL(balanced=True),
        "ARTBP, c = 1/4": functools.partial(artbp, c=0.25),
    }


@dataclass(frozen=True)
class Curves:
    """Losses on held-out sequences.

    Attributes:
        task: The task.
        steps: Steps of descent at which the loss was measured.
        losses: Rule to an array (seeds, measurements).
    """

    task: Task
    steps: tuple[int, ...]
    losses: Mapping[str, Any]


def curves() -> list[Curves]:
    """Return the curves of every task."""
    steps = tuple(range(0, STEPS + 1, EVERY))
    return [Curves(task, steps, {name: _over_seeds(rule, task) for name, rule in rules().items()}) for task in TASKS]


def _over_seeds(rule: Any, task: Task) -> Any:
    return np.array([learn(rule, task, seed, STEPS) for seed in range(SEEDS)])


def learn(rule: Any, task: Task, seed: int, steps: int) -> list[float]:
    """Return the loss on held-out sequences before the first step of descent and after each `EVERY` steps.

    Args:
        rule: The rule.
        task: The task.
        seed: Chooses the parameters, the sequences, and a stochastic rule's noise.
        steps: Steps of descent.
    """
    rng = np.random.default_rng((seed, 1))
    parameters = _start(task.sizes, rng)
    held_out = _sequences(task, np.random.default_rng((seed, 2)), parameters, HELD_OUT)
    noise = SampledNoise((seed, 3), held_out[0].inputs) if is_stochastic(rule) else None
    losses = [float(empirical_risk(held_out))]
    for step in range(1, steps + 1):
        gradient = risk_gradient(rule, _sequences(task, rng, parameters, SEQUENCES), noise=noise)
        parameters = {name: w - task.rate * gradient[name] for name, w in parameters.items()}
        if step % EVERY == 0:
            losses.append(float(empirical_risk([each.replace(parameters=parameters) for each in held_out])))
    return losses


def _start(sizes: Sizes, rng: np.random.Generator) -> Parameters:
    """Draw W and V of variance 1/fan-in, and an orthogonal R."""
    W, V = rng.normal(size=(sizes.D, sizes.I)), rng.normal(size=(sizes.I, sizes.K)) / np.sqrt(sizes.I)
    R, _ = np.linalg.qr(rng.normal(size=(sizes.I, sizes.I)))
    return {"W": W / np.sqrt(sizes.D), "R": R, "V": V}


def _sequences(task: Task, rng: np.random.Generator, parameters: Parameters, count: int) -> list[Problem]:
    made = []
    for _ in range(count):
        inputs, targets, weights = task.draw(rng, task.sizes)
        made.append(Problem(dict(parameters), inputs, targets, loss_weights=weights, network=Network("tanh")))
    return made


def figure(found: Curves) -> Figure:
    """Return the median over seeds of each rule's loss."""
    steps = [float(step) for step in found.steps]
    return Figure(
        f"learning-{found.task.name.replace(' ', '-')}",
        f"Loss curves: {found.task.name}",
        "step of gradient descent",
        "loss on held-out sequences",
        {name: (steps, np.median(losses, axis=0).tolist()) for name, losses in found.losses.items()},
        f"Medians over {SEEDS} seeds; the table below has their range. {_size(found.task)}, learning rate "
        f"{found.task.rate:g}, {SEQUENCES} sequences a step. BPTT and RTRL lie on one line.",
        section=SECTION,
    )


def table(found: Curves) -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the table of the losses after the last step: median, least and largest over seeds."""
    rows = tuple(
        (name, *(f"{value:.4f}" for value in (np.median(end), end.min(), end.max())))
        for name, end in ((name, losses[:, -1]) for name, losses in found.losses.items())
    )
    header = ("rule", "median loss", "least", "largest")
    return f"Loss after {STEPS} steps: {found.task.name}, {SEEDS} seeds", header, rows


def _size(task: Task) -> str:
    return f"T = {task.sizes.T}, I = {task.sizes.I}"
