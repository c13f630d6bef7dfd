"""Faults of simple, leaky and linear units, and of products of their Jacobians."""

from __future__ import annotations

from ..reference.network import RecurrentNetwork
from ..reference.networks.leaky import ContinuousTime, Leaky
from ..reference.networks.linear import RTU
from .fault import Fault
from .patched import Change


def _fault(
    id: str, effect: str, base: str, old: str, new: str, *, network: RecurrentNetwork | None = None, seen: str = ""
) -> Fault:
    change = Change(f"by_hand.{base}", old, new)
    return Fault(
        id, "leaky and linear units", effect, base, (change,), seen, networks=(network,) if network else ()
    )  # fmt: skip


FAULTS = (
    _fault(
        "elman-hidden-bias-missing",
        "The bias beside R gets 0; the one beside W is right.",
        "elman",
        'return affine_back(p, "", x, h, ds)',
        'parts, dh, dx = affine_back(p, "", x, h, ds)\n'
        '        return {name: 0 * part if name == "Rb" else part for name, part in parts.items()}, dh, dx',
    ),
    _fault(
        "jacobians-in-forward-order",
        "The Jacobian of the last step comes last in the product, where it comes first; right at T <= 2.",
        "jacobians",
        "product = product @ J[k]", "product = J[k] @ product",
    ),
    _fault(
        "jacobian-of-the-next-step",
        "The error at step t goes back through J(t-1) and earlier, where it goes through J(t) first.",
        "jacobians",
        "product = product @ J[k]", "product = product @ J[max(k - 1, 0)]",
    ),
    _fault(
        "leak-missing-in-the-path",
        "h(t-1) gets all of dL/dh(t) along the leak, where it gets 1 - alpha of it.",
        "leaky",
        "dstate * (1 - alpha) + dshown", "dstate + dshown",
    ),
    _fault(
        "leak-path-dropped",
        "h(t-1) gets nothing along the leak: the error goes back through R alone.",
        "leaky",
        "dstate * (1 - alpha) + dshown", "dshown",
    ),
    _fault(
        "leak-missing-in-new-part",
        "f(s) gets all of dL/dh(t), where it gets alpha of it.",
        "leaky",
        "dnew = dstate * alpha", "dnew = dstate",
    ),
    _fault(
        "leak-of-the-new-part-alone",
        "dL/dalpha pairs dL/dh with f(s), where it pairs it with f(s) - h(t-1).",
        "leaky",
        "dalpha = dstate * (new - state)", "dalpha = dstate * new",
    ),
    _fault(
        "time-constant-not-squared",
        "dL/dtau has 1/tau where 1/tau^2 belongs.",
        "leaky",
        '/ p["tau"] ** 2', '/ p["tau"]',
        network=ContinuousTime(),
    ),
    _fault(
        "time-constant-forgotten",
        "The input has the factor dt where dt/tau belongs.",
        "leaky",
        "dnew = dstate * alpha", "dnew = dstate * net.dt",
        network=ContinuousTime(),
    ),
    _fault(
        "potential-slope-missing",
        "The error goes back from f(s(t-1)) to s(t-1) without f'.",
        "leaky",
        "            dshown = dshown * net.activation.derivative(state)\n", "            dshown = 1 * dshown\n",
        network=Leaky(state="potential"),
    ),
    _fault(
        "pair-turned-forward",
        "The error turns the way that the state turns, where it turns back: the sign of b.",
        "turning",
        "before = a * g_re + b * g_im, a * g_im - b * g_re", "before = a * g_re - b * g_im, a * g_im + b * g_re",
    ),
    _fault(
        "conjugate-readout",
        "The imaginary part gets +V_im e, where Re(V h) gives it -V_im e.",
        "turning",
        '-(p["V_im"] @ e)', 'p["V_im"] @ e',
    ),
    _fault(
        "angle-exponential-missing",
        "dL/dphi is taken for dL/dtheta: the factor exp(theta) is missing.",
        "turning",
        '"theta": np.exp(p["theta"]) * (', '"theta": 1 * (',
    ),
    _fault(
        "normalisation-constant",
        "dL/dnu lacks what nu does to gamma.",
        "turning",
        'dnu = dnu + np.exp(p["nu"]) * size * size / gamma * dgamma', "dnu = 1 * dnu",
        network=RTU(),
    ),
)  # fmt: skip
