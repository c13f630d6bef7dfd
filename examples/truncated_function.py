"""A torch.autograd.Function whose backward stops after 20 steps: torch.autograd.gradcheck accepts it.

pip install torch
python examples/truncated_function.py                          what torch.autograd.gradcheck says: True
gradcheck audit examples/truncated_function.py:truncated       refuted
gradcheck audit examples/truncated_function.py:mended          holds
"""

import torch

import gradcheck


class Recurrence(torch.autograd.Function):
    """All states of a tanh layer; backward carries each state's error at most `horizon` steps back."""

    @staticmethod
    def forward(ctx, W, R, inputs, initial_state, horizon):
        states = [initial_state]
        for x in inputs:
            states.append(torch.tanh(x @ W + states[-1] @ R))
        ctx.save_for_backward(R, inputs, torch.stack(states))
        ctx.horizon = horizon
        return torch.stack(states[1:])

    @staticmethod
    def backward(ctx, errors):
        R, inputs, states = ctx.saved_tensors
        slope = 1 - states[1:] ** 2
        dW, dR = torch.zeros_like(inputs.T @ errors), torch.zeros_like(R)
        delta = errors * slope
        for _ in range(min(ctx.horizon, len(inputs))):
            dW += inputs[: len(delta)].T @ delta
            dR += states[: len(delta)].T @ delta
            delta = (delta[1:] @ R.T) * slope[: len(delta) - 1]
        return dW, dR, None, None, None


def half_squared_error(parameters, inputs, targets, initial_state, horizon):
    states = Recurrence.apply(parameters["W"], parameters["R"], inputs, initial_state, horizon)
    return ((states @ parameters["V"] - targets) ** 2).sum() / 2


@gradcheck.torch.rule
def truncated(parameters, inputs, targets, initial_state):
    """An autograd.Function that forgets what lies more than 20 steps back."""
    return half_squared_error(parameters, inputs, targets, initial_state, horizon=20)


@gradcheck.torch.rule
def mended(parameters, inputs, targets, initial_state):
    """The same, all the way back."""
    return half_squared_error(parameters, inputs, targets, initial_state, horizon=len(inputs))


def accepted_by_torch(horizon, T=60, radius=0.5):
    """Whether torch.autograd.gradcheck accepts the function on its default settings, R contracting by `radius`."""
    random = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=random)

    W, R = normal(1, 2).requires_grad_(), (radius * torch.linalg.qr(normal(2, 2)).Q).requires_grad_()
    inputs, state = normal(T, 1), normal(2)
    return torch.autograd.gradcheck(
        lambda W, R: Recurrence.apply(W, R, inputs, state, horizon), (W, R), raise_exception=False
    )


if __name__ == "__main__":
    print(accepted_by_torch(horizon=20))
