"""SymPy's gradient: its exports, its lag terms, and its passage into the polynomial ring."""

import itertools
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy as sp

from gradcheck.problems.lively import lively_problem
from gradcheck.reference import lags, symbolic
from gradcheck.reference.claims import Chunked, Exact, Truncated
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ALL_NETWORKS, ContextNetwork, Network, Sizes
from gradcheck.reference.ring import FormalReference
from gradcheck.reference.symbolic import Lowering

NET, UNDEFINED = Network(), Network().undefined()
SMALL = Sizes(2, 2, 1, 1)


def _central_difference(expression, variable, at):
    """An independent derivative: the slope of the expression itself, at 40 digits."""
    h = sp.Rational(1, 10**15)
    moved = [expression.subs({**at, variable: at[variable] + s * h}).evalf(60) for s in (1, -1)]
    return (moved[0] - moved[1]) / (2 * h)


def test_the_gradient_is_the_slope_of_the_unrolled_loss():
    loss = symbolic.unrolled_loss(NET, SMALL)
    at = {s: sp.Rational(i % 5 - 2, 3) for i, s in enumerate(sorted(loss.free_symbols, key=str))}
    for name, array in symbolic.gradient(NET, SMALL).items():
        for index in np.ndindex(*array.shape):
            slope = _central_difference(loss, symbolic.symbol(name, index), at)
            exact = array[index].subs(at).evalf(40)
            assert abs(exact - slope) < 1e-20, f"d/d{name}{index}: {exact} by SymPy, {slope} by differences"


def test_twin_a_wrong_expression_is_caught_by_the_same_slope():
    loss = symbolic.unrolled_loss(NET, SMALL)
    at = {s: sp.Rational(i % 5 - 2, 3) for i, s in enumerate(sorted(loss.free_symbols, key=str))}
    wrong = symbolic.gradient(NET, SMALL)["R"][0, 1].subs(at).evalf(40)
    slope = _central_difference(loss, symbolic.symbol("R", (1, 0)), at)
    assert abs(wrong - slope) > 1e-6, "R[0,1] and R[1,0] have the same slope: the check cannot see a transpose"


@pytest.mark.parametrize("network", [UNDEFINED, NET], ids=["f undefined", "tanh"])
def test_lag_terms_sum_to_the_gradient_without_copies(network):
    """The derivatives in the time-indexed copies W(1) = ... = W(T) sum to the derivative without copies."""
    sizes = Sizes(3, 2, 1, 1)
    reference = FormalReference(network, sizes)
    lower = Lowering(reference.field, None if network is UNDEFINED else network)
    direct = symbolic.gradient(UNDEFINED, sizes)
    summed = reference.gradient(3, Exact())
    for name, array in direct.items():
        for index in np.ndindex(*array.shape):
            # The copies' symbols carry no time after lowering, so both sides live in one ring.
            gap = lower(array[index]) - summed[name][index]
            assert gap == 0, f"{name}{index}: the lag terms miss {reference.field.show(gap)}"


def test_twin_without_its_longest_lag_the_sum_is_another():
    reference = FormalReference(UNDEFINED, Sizes(3, 2, 1, 1))
    whole, cut = reference.gradient(3, Exact()), reference.gradient(3, Truncated(2))
    assert whole["R"][0, 0] != cut["R"][0, 0], "a missing lag went unseen"


def test_lag_terms_are_those_of_the_reverse_pass():
    """SymPy's g(t, k) against `reference.lags` on the same polynomials, for every claim about lags."""
    reference = FormalReference(UNDEFINED, Sizes(3, 2, 2, 1))
    problem = reference.problem(3)
    for claim in (Exact(), Truncated(1), Truncated(2), Chunked(2)):
        pulled = lags.gradient(problem, claim.keeps)
        for name, array in reference.gradient(3, claim).items():
            natives = reference.field.natives(pulled[name])
            for a, b in zip(array.reshape(-1), natives, strict=True):
                assert a == b, f"{claim}: {name} differs by {reference.field.show(a - b)}"


def test_loss_weights_and_two_state_arrays_have_symbols():
    problem = symbolic.symbolic_problem(NET, SMALL, weighted=True)
    names = {str(symbolic.FIELD.native(w)) for w in problem.loss_weights}
    assert names == {"omega__1", "omega__2"}, names


def test_exports_name_the_lecture_s_quantities():
    matrices = symbolic.matrices(NET, SMALL)
    assert {name: m.shape for name, m in matrices.items()} == {"W": (1, 2), "R": (2, 2), "V": (2, 1)}
    assert symbolic.matrices(ContextNetwork(), SMALL)["w"].shape == (2, 1), "a vector parameter is a column"
    latex = symbolic.latex(UNDEFINED, Sizes(1, 1, 1, 1))["R"]
    assert "f'" in latex and "R_{1 1}" in latex, latex
    for name, text in symbolic.mathml(NET, Sizes(1, 1, 1, 1)).items():
        tree = ElementTree.fromstring(text)
        assert tree.find(".//mtable") is not None, f"{name}: {text[:200]}"


@pytest.mark.parametrize("network", [*ALL_NETWORKS[::7], ContextNetwork("logistic")], ids=str)
def test_the_numpy_function_is_the_gradient(network):
    sizes = Sizes(2, 2, 1, 2)
    problem = lively_problem(network, sizes, 3, weighted=True)
    compiled, pulled = symbolic.numpy_function(network, sizes)(problem), lags.gradient(problem)
    for name in pulled:
        gap = np.abs(compiled[name] - pulled[name]).max()
        # Both are sums of at most T^2 (I + D + K)^T products; 2^-40 leaves thousands of roundings.
        assert gap <= 2.0**-40 * (1 + np.abs(pulled[name]).max()), f"{name} is off by {gap}"


def test_exports_say_what_they_cannot():
    with pytest.raises(GradcheckError, match="undefined functions .*name the network's activation"):
        symbolic.numpy_function(UNDEFINED, SMALL)
    function = symbolic.numpy_function(NET, SMALL)
    with pytest.raises(GradcheckError, match="this function is for T=2"):
        function(lively_problem(NET, Sizes(3, 2, 1, 1), 0))


def test_results_are_cached():
    first = symbolic.gradient(NET, SMALL)
    assert symbolic.gradient(Network(), SMALL) is first, "an equal network was differentiated again"


@pytest.mark.parametrize("network", [n for n in ALL_NETWORKS if n.activation.name in ("tanh", "relu")], ids=str)
def test_an_instance_of_the_undefined_proof_is_the_network_s_own_derivative(network):
    """f and L put in after differentiating, against SymPy's derivative of the network with them put in before.

    Compared as numbers at 30 digits, since quotients of softmax and logarithms are no polynomials.
    """
    sizes = Sizes(2, 1, 1, 2)
    problem = lively_problem(network, sizes, 1)
    before = symbolic.numpy_function(network, sizes)(problem)
    after = lags.gradient(problem)
    for name, index in itertools.product(before, [0, -1]):
        a, b = before[name].reshape(-1)[index], after[name].reshape(-1)[index]
        assert abs(a - b) <= 1e-12 * (1 + abs(b)), f"{name}: {a} and {b}"
