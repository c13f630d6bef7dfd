"""The gradient that torch's own layers compute: nn.RNN, nn.Linear and backward().

pip install torch
gradcheck audit examples/torch_rnn.py:torch_rnn
"""

import torch

import gradcheck


@gradcheck.rule(gradcheck.Exact())
def torch_rnn(problem):
    """torch.nn.RNN with a torch.nn.Linear readout, without biases."""
    tensor = {name: torch.from_numpy(array.copy()) for name, array in problem.arrays().items()}
    D, I = problem.parameters["W"].shape
    rnn = torch.nn.RNN(D, I, nonlinearity="tanh", bias=False, dtype=tensor["W"].dtype)
    readout = torch.nn.Linear(I, tensor["V"].shape[1], bias=False, dtype=tensor["W"].dtype)
    weights = {"W": rnn.weight_ih_l0, "R": rnn.weight_hh_l0, "V": readout.weight}
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(tensor[name].T)

    states, _ = rnn(tensor["inputs"], tensor["initial_state"][None])
    (0.5 * (readout(states) - tensor["targets"]) ** 2).sum().backward()
    return {name: weight.grad.T.numpy().copy() for name, weight in weights.items()}
