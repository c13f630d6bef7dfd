"""Faults that show where the numbers of a problem lie otherwise in memory, or under keys in another order."""

from __future__ import annotations

from .fault import Fault
from .hidden import FLOATS, NUMPY, RESULT, hidden
from .patched import Change

_UNFOLD = "    net = unfold(problem)\n"


def _stored(id: str, effect: str, body: str, seen: str = "") -> Fault:
    """Return a fault whose body changes `problem` before the shipped code runs."""
    changes = (NUMPY, Change("bptt", _UNFOLD + RESULT, body + _UNFOLD + RESULT))
    return hidden(id, "storage", effect, "purity", changes, seen=seen, breaks="pure")


FAULTS = (
    _stored(
        "read-in-memory-order",
        "R is flattened in the order of memory and read row by row: an array in Fortran order is transposed.",
        '    R = problem.parameters["R"]\n'
        '    read = R.ravel(order="K").reshape(R.shape)\n'
        '    problem = problem.replace(parameters={**problem.parameters, "R": read})\n',
        "foreign functions that take a pointer and sizes, and no strides",
    ),
    _stored(
        "strides-not-asked",
        "The inputs are read from the address of the first, one after the other: a view of other data has gaps.",
        f"    if {FLOATS}:\n"
        "        x = problem.inputs\n"
        "        D = x.shape[1]\n"
        "        step = abs(x.itemsize)\n"
        "        if x.strides[1] >= 0 and x.strides[0] >= 0:\n"
        "            read = np.lib.stride_tricks.as_strided(x, x.shape, (D * step, step))\n"
        "            problem = problem.replace(inputs=read.copy())\n",
    ),
    _stored(
        "parameters-by-position",
        "Parameters are paired with W, R and V by their order in the dict.",
        '    parameters = dict(zip("WRV", problem.parameters.values()))\n'
        "    problem = problem.replace(parameters=parameters)\n",
        "lists of weights, as get_weights of Keras returns them",
    ),
    hidden(
        "gradients-by-identity",
        "storage",
        "Gradients are kept by the id of their parameter: tied weights get one gradient.",
        "purity",
        (
            Change(
                "bptt", RESULT,
                RESULT.replace("    return", "    gradient =")
                + "    kept = {id(array): gradient[name] for name, array in problem.parameters.items()}\n"
                "    return {name: kept[id(array)].copy() for name, array in problem.parameters.items()}\n",
            ),
        ),
        breaks="pure",
    ),
)  # fmt: skip
