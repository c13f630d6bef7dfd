"""Rules in torch: the tanh network by a loss, by gradients, by backward in several ways; and wrong ones."""

from __future__ import annotations

from typing import Any

import torch


def states_of(p: Any, inputs: Any, a: Any) -> Any:
    states = []
    for x in inputs:
        a = torch.tanh(x @ p["W"] + a @ p["R"])
        states.append(a)
    return torch.stack(states)


def loss(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
    """Half the squared error."""
    return ((states_of(parameters, inputs, initial_state) @ parameters["V"] - targets) ** 2).sum() / 2


def weighted_loss(parameters: Any, inputs: Any, targets: Any, initial_state: Any, loss_weights: Any) -> Any:
    errors = states_of(parameters, inputs, initial_state) @ parameters["V"] - targets
    return (loss_weights @ errors**2).sum() / 2


def weights_forgotten(parameters: Any, inputs: Any, targets: Any, initial_state: Any, loss_weights: Any) -> Any:
    return loss(parameters, inputs, targets, initial_state)


def gradients(parameters: Any, *arguments: Any) -> Any:
    """A dict of gradients."""
    found = torch.autograd.grad(loss(parameters, *arguments), list(parameters.values()))
    return dict(zip(parameters, found, strict=True))


def accumulated(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> None:
    """backward once for each step's loss, the gradients added up in .grad."""
    errors = states_of(parameters, inputs, initial_state) @ parameters["V"] - targets
    for error in errors:
        ((error**2).sum() / 2).backward(retain_graph=True)


def without_readout(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
    """A loss that does not depend on V."""
    return states_of(parameters, inputs, initial_state).sum()


def in_float32(parameters: Any, *arguments: Any) -> Any:
    """A loss that is computed in float32 whatever comes."""
    return loss({key: p.float() for key, p in parameters.items()}, *(a.float() for a in arguments))


def detached(parameters: Any, *arguments: Any) -> Any:
    return loss(parameters, *arguments).detach()


def detached_every_20(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
    total, a = torch.zeros((), dtype=inputs.dtype), initial_state
    for x, y in zip(inputs.split(20), targets.split(20), strict=True):
        states = states_of(parameters, x, a)
        total = total + ((states @ parameters["V"] - y) ** 2).sum() / 2
        a = states[-1].detach()
    return total


class Kept:
    """One set of tensors for all calls of a size, whose .grad is never set back to zero."""

    def __init__(self) -> None:
        self.tensors: dict[Any, Any] = {}

    def __call__(self, parameters: Any, *arguments: Any) -> Any:
        shapes = tuple(p.shape for p in parameters.values())
        kept = self.tensors.setdefault(shapes, {key: p.detach().clone() for key, p in parameters.items()})
        for key, p in parameters.items():
            kept[key].requires_grad_(False).copy_(p.detach()).requires_grad_()
        loss(kept, *arguments).backward()
        return {key: p.grad for key, p in kept.items()}


class Detaching(torch.nn.RNN):
    """torch's layer, run in pieces of 20 steps with the state between them detached."""

    def forward(self, inputs: Any, state: Any) -> Any:
        pieces = []
        for piece in inputs.split(20, dim=1 if self.batch_first else 0):
            states, state = super().forward(piece, state)
            state = state.detach()
            pieces.append(states)
        return torch.cat(pieces, dim=1 if self.batch_first else 0), state


class Remembering(torch.nn.RNN):
    """torch's layer, which starts where the last sequence ended."""

    last: Any = None

    def forward(self, inputs: Any, state: Any) -> Any:
        state = self.last if self.last is not None and self.last.shape == state.shape else state
        states, last = super().forward(inputs, state)
        self.last = last.detach()
        return states, last


class Doubling(torch.nn.RNN):
    """torch's layer, which takes the initial state twice."""

    def forward(self, inputs: Any, state: Any) -> Any:
        return super().forward(inputs, 2 * state)


class Normalised(torch.nn.RNN):
    """A layer with a parameter more."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.gain = torch.nn.Parameter(torch.ones(1))


class NeedsHorizon(torch.nn.RNN):
    def __init__(self, horizon: int, *, units: int) -> None:
        super().__init__(units, units)
