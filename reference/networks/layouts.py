"""Parameters of shipped cells in the layouts of torch and flax, and back.

Each conversion moves numbers and computes nothing, so it carries gradients as well as parameters.

Source: the documentation of torch.nn.RNN, LSTM, GRU and Linear, https://docs.pytorch.org/docs/stable/nn.html; that of
flax.linen.SimpleCell, LSTMCell and GRUCell, https://flax.readthedocs.io.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import GradcheckError
from ..typing import Array, Parameters
from .cell import CellNetwork
from .gated import GRU
from .lstm import LSTM
from .simple import IRNN, Elman
from .stacked import Stacked

_TORCH_GATES: dict[type[CellNetwork], tuple[str, ...]] = {
    Elman: ("",), IRNN: ("",), LSTM: ("_i", "_f", "_z", "_o"), GRU: ("_r", "_z", "_n"),
}  # fmt: skip
"""The order in which torch stacks gates."""
_FLAX_GATES: dict[type[CellNetwork], dict[str, str]] = {
    Elman: {"": ""}, IRNN: {"": ""}, LSTM: {"_i": "i", "_f": "f", "_z": "g", "_o": "o"},
    GRU: {"_r": "r", "_z": "z", "_n": "n"},
}  # fmt: skip
"""The names of gates in flax."""


def from_torch(network: CellNetwork, state_dict: Mapping[str, Any]) -> dict[str, Array]:
    """Return the parameters of a cell from those of torch's layer and its linear readout.

    Args:
        network: `Elman(biases=2)` for nn.RNN, `LSTM(biases=2)` for nn.LSTM, with its projection, `GRU("tanh",
            reset="after", biases=2)` for nn.GRU, or `Stacked` layers of one of these; biases=0 for bias=False.
        state_dict: Tensors or arrays by torch's names, weight_ih_l0 (gates I, D) and so on, and those of the readout:
            readout.weight (K, I), and readout.bias (K,) with a readout bias.

    Returns:
        The parameters by name, arrays of the dtype of the tensors.

    Raises:
        GradcheckError: torch has no such layer, or a name or a shape is not that of the layer.
    """
    given = {name: _array(value) for name, value in state_dict.items()}
    _check_names(_torch_names(network), given)
    parameters: dict[str, Array] = {}
    for number, prefix, cell in _layers(network):
        gates, ends = _torch_gates(cell), f"_l{number}"
        for torch_name, own in _torch_kinds(cell):
            whole = given[torch_name + ends]
            if whole.shape[0] % len(gates):
                raise GradcheckError(
                    f"{torch_name}{ends} has shape {whole.shape}; wanted {len(gates)} gates in its rows"
                )
            for gate, part in zip(gates, np.split(whole, len(gates)), strict=True):
                parameters[f"{prefix}{own}{gate}"] = part.T
        if getattr(cell, "projection", 0):
            parameters[f"{prefix}P"] = given["weight_hr" + ends].T
    parameters["V"] = given["readout.weight"].T
    if network.readout_bias:
        parameters["b_y"] = given["readout.bias"]
    return _in_order(network, parameters)


def to_torch(network: CellNetwork, parameters: Parameters) -> dict[str, Array]:
    """Return the parameters of a cell, or a gradient, in torch's layout.

    Args:
        network: As for `from_torch`.
        parameters: The arrays by name.

    Returns:
        The arrays by torch's names, those of the readout as readout.weight and readout.bias.

    Raises:
        GradcheckError: torch has no such layer, or a parameter is missing.
    """
    _check_names(_names(network), parameters)
    given: dict[str, Array] = {}
    for number, prefix, cell in _layers(network):
        gates, ends = _torch_gates(cell), f"_l{number}"
        for torch_name, own in _torch_kinds(cell):
            given[torch_name + ends] = np.concatenate([parameters[f"{prefix}{own}{gate}"].T for gate in gates])
        if getattr(cell, "projection", 0):
            given["weight_hr" + ends] = parameters[f"{prefix}P"].T
    given["readout.weight"] = parameters["V"].T
    if network.readout_bias:
        given["readout.bias"] = parameters["b_y"]
    return given


def from_flax(network: CellNetwork, params: Mapping[str, Any]) -> dict[str, Array]:
    """Return the parameters of a cell from those of flax.linen's cell and a dense readout.

    Args:
        network: `Elman()` for SimpleCell, `LSTM()` for LSTMCell and OptimizedLSTMCell, `GRU("tanh", reset="after")` for
            GRUCell, each with one bias.
        params: The cell's own, {"ii": {"kernel": (D, I)}, ...}, and readout: {"kernel": (I, K)}, with "bias" (K,) for a
            readout bias.

    Returns:
        The parameters by name.

    Raises:
        GradcheckError: flax has no such cell, or a name is not one of the cell's.
    """
    given = {f"{module}.{name}": _array(value) for module, own in params.items() for name, value in own.items()}
    pairs = dict(_flax_pairs(network))
    _check_names(list(pairs), given)
    return _in_order(network, {own: given[theirs] for theirs, own in pairs.items()})


def to_flax(network: CellNetwork, parameters: Parameters) -> dict[str, dict[str, Array]]:
    """Return the parameters of a cell, or a gradient, in the layout of flax.linen.

    Args:
        network: As for `from_flax`.
        parameters: The arrays by name.

    Returns:
        The arrays by module and name.

    Raises:
        GradcheckError: flax has no such cell, or a parameter is missing.
    """
    _check_names(_names(network), parameters)
    params: dict[str, dict[str, Array]] = {}
    for theirs, own in _flax_pairs(network):
        module, name = theirs.split(".")
        params.setdefault(module, {})[name] = parameters[own]
    return params


def _layers(network: CellNetwork) -> Iterator[tuple[int, str, CellNetwork]]:
    """Yield each layer: its number, what its parameters' names begin with, and its cell."""
    if not isinstance(network, Stacked):
        yield 0, "", network
        return
    if (
        network.residual
        or len({(type(cell), cell.activation, tuple(cell.options().items())) for cell in network.layers}) > 1
    ):
        raise GradcheckError(f"torch has no layers like {network}; wanted cells that are alike, without residuals")
    for number, cell in enumerate(network.layers):
        yield number, f"layer{number}.", cell


def _torch_gates(cell: CellNetwork) -> tuple[str, ...]:
    functions = ("tanh", "relu") if isinstance(cell, Elman) else ("tanh",)
    options = {"forget": "gate", "peepholes": False, "reset": "after"}
    differing = [name for name, value in options.items() if getattr(cell, name, value) != value]
    if getattr(cell, "biases", 0) == 1:
        differing.append("biases")
    if type(cell) not in _TORCH_GATES or cell.activation.name not in functions or differing:
        raise GradcheckError(
            f"torch has no layer like {cell.cell_text()}; it has Elman(biases=2) with tanh or relu, LSTM(biases=2) "
            'and GRU(reset="after", biases=2) with tanh, or the same with biases=0'
        )
    return _TORCH_GATES[type(cell)]


def _torch_kinds(cell: Any) -> list[tuple[str, str]]:
    """Return torch's names of matrices and biases, and what a gate's own names begin with."""
    biases = [("bias_ih", "Wb"), ("bias_hh", "Rb")] if cell.biases else []
    return [("weight_ih", "W"), ("weight_hh", "R"), *biases]


def _torch_names(network: CellNetwork) -> list[str]:
    names: list[str] = []
    for number, _, cell in _layers(network):
        _torch_gates(cell)
        kinds = [name for name, _ in _torch_kinds(cell)] + ["weight_hr"] * bool(getattr(cell, "projection", 0))
        names += [f"{name}_l{number}" for name in kinds]
    return [*names, "readout.weight", *["readout.bias"] * network.readout_bias]


def _flax_pairs(network: CellNetwork) -> Iterator[tuple[str, str]]:
    """Yield the names of a parameter in flax, as module.name, and here."""
    functions = ("tanh", "relu") if isinstance(network, Elman) else ("tanh",)
    options = {"forget": "gate", "peepholes": False, "projection": 0, "reset": "after", "biases": 1}
    differing = [name for name, value in options.items() if getattr(network, name, value) != value]
    if type(network) not in _FLAX_GATES or network.activation.name not in functions or differing:
        raise GradcheckError(
            f"flax has no cell like {network.cell_text()}; it has Elman(), LSTM() and "
            'GRU(reset="after"), each with one bias'
        )
    for own, theirs in _FLAX_GATES[type(network)].items():
        yield f"i{theirs}.kernel", f"W{own}"
        yield f"h{theirs}.kernel", f"R{own}"
        yield (f"h{theirs}.bias" if isinstance(network, LSTM) else f"i{theirs}.bias"), f"b{own}"
    if isinstance(network, GRU):
        yield "hn.bias", "Rb_n"
    yield "readout.kernel", "V"
    if network.readout_bias:
        yield "readout.bias", "b_y"


def _names(network: CellNetwork) -> list[str]:
    return [*network.weights(1, 1), "V", *["b_y"] * network.readout_bias]


def _in_order(network: CellNetwork, parameters: Parameters) -> dict[str, Array]:
    return {name: parameters[name] for name in _names(network)}


def _check_names(wanted: list[str], given: Mapping[str, Any]) -> None:
    if set(wanted) != set(given):
        raise GradcheckError(f"wanted the parameters {', '.join(wanted)}; got {', '.join(given)}")


def _array(value: Any) -> Array:
    """Return a tensor of any framework as an array of its own."""
    for method in ("detach", "cpu", "numpy"):
        if hasattr(value, method):
            value = getattr(value, method)()
    return np.array(value)
