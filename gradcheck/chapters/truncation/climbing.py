"""Effect of influence balancing on descent: rows of the chapter, and NumPy programs that show them."""

from __future__ import annotations

from ...records import Counterexample, Statement, Strength
from ..verdicts import judged
from .balancing import (
    POSITIVE,
    STEPS,
    UNITS,
    TiedNetwork,
    as_predicted,
    climbs,
    factor,
    falls,
    fraction,
    influence,
    limit,
    slope,
    turning_horizon,
    unimodal,
    untied_slope,
    walks,
)

_PROGRAM = f"""\
import numpy as np

A = (np.eye({UNITS}) + np.eye({UNITS}, k=1)) / 2
b = np.where(np.arange({UNITS}) < {POSITIVE}, 1.0, -1.0)
m, term = [0.0], b
for tau in range(1, {STEPS} + 1):
    m.append(m[-1] + term[0])
    term = A @ term
"""
_SHOWN = """\
for tau in range(1, len(m)):
    print(f'tau = {tau}: influence {m[tau]:.6g}')
"""
_DESCENT = f"""\
T, eta = {STEPS}, 1 / 128  # a(0) = 0, x = 1, loss a_1(T)^2 / 2, a_1(T) = m[T] * theta
for tau in (1, 20, 40, 41, T):
    theta = 1.0
    for step in range(3):
        print(f'tau = {{tau}}, step {{step}}: loss {{(m[T] * theta) ** 2 / 2:.6g}}')
        theta -= eta * (m[T] * theta) * m[tau]
"""


def _example(entry: str, *, expected: str, got: str, gap: str, shown: str) -> Counterexample:
    facts = {"network": TiedNetwork.name, "units": UNITS, "with plus": POSITIVE, "steps": STEPS}
    return Counterexample(facts, entry, expected, got, gap, "0", "computed in exact rationals", _PROGRAM + shown)


def statements() -> list[Statement]:
    """Return the rows of the chapter."""
    return [_influence(), _descent()]


def _influence() -> Statement:
    turn, exact = turning_horizon(), influence(STEPS)
    values = [influence(horizon) for horizon in range(1, 513)]
    agree = all(
        fraction(slope(tau)) == fraction(untied_slope(tau)) == exact * influence(tau) for tau in (1, turn - 1, turn)
    )
    top = max(values)
    peaks = [horizon for horizon, value in enumerate(values, start=1) if value == top]
    turns = influence(1) > 0 > limit() and turn > 1
    naive = judged(
        "the truncated influence has the sign of the influence",
        not turns,
        "the sign does not turn",
        kind="enumeration",
        strength=Strength.PROVED,
        otherwise=f"The influence is {limit()} in the limit, but {influence(1)} at a horizon of 1, {influence(10)} at "
        f"10, at most {float(top):.3f} at {' and '.join(map(str, peaks))}, still {float(influence(turn - 1)):.3f} at "
        f"{turn - 1}, and negative from {turn} on ({float(influence(turn)):.3f}).",
        counterexample=_example(
            f"m({turn - 1})", expected="negative, as the limit", got=str(influence(turn - 1)),
            gap=str(influence(turn - 1) - limit()), shown=_SHOWN,
        ),
    )  # fmt: skip
    holds = judged(
        f"it has the sign of the influence from {turn} on",
        turns and unimodal(values) and all(v < 0 for v in values[turn - 1 :]) and values[-1] > limit() and agree,
        f"Positive up to {turn - 1}, negative from {turn} on, in exact rationals; it rises to its maximum, then only "
        f"falls, to its limit {limit()}. `reference.lags` on a network with one shared parameter, and the shipped "
        "`truncated_bptt` on the lecture's network, give the same rationals.",
        kind="enumeration",
        strength=Strength.PROVED,
        scope=f"every horizon up to {len(values)}; beyond, by the argument in `chapters/truncation/balancing.py`",
        maximum=str(top),
        before_the_turn=str(influence(turn - 1)),
        after_the_turn=str(influence(turn)),
    )
    return Statement(
        "truncation-influence", "What truncation can do to descent", "Influence balancing: a short horizon sees the "
        "wrong sign",
        r"\mathrm{sign} \, m(\tau) = \mathrm{sign} \, m(\infty), \quad"
        r" m(\tau) = e_1^\top \sum_{k < \tau} A^k b", naive,
        rf"\mathrm{{sign}} \, m(\tau) = \mathrm{{sign}} \, m(\infty) \;\iff\; \tau \ge {turn}", holds,
        comment=f"{UNITS} linear units, each fed by itself and the next one (halves of each); one parameter enters "
        f"the first {POSITIVE} with plus and the last {UNITS - POSITIVE} with minus. The far units outvote the near "
        "ones, but late.",
    )  # fmt: skip


def _descent() -> Statement:
    turn, walked = turning_horizon(), walks()
    predicted = all(as_predicted(values, tau) for tau, values in walked.items())
    up = [tau for tau, values in walked.items() if climbs(values)]
    down = [tau for tau, values in walked.items() if falls(values)]
    naive = judged(
        "descent with the truncated gradient lowers the loss",
        not up,
        "it fell at every horizon tried",
        kind="enumeration",
        strength=Strength.PROVED,
        otherwise=f"At horizons {', '.join(map(str, up))} of a sequence of {STEPS} steps the loss rises at every step, "
        f"by the factors {', '.join(f'{float(factor(tau)):.3f}' for tau in up)}, though the learning rate, 1/128, is "
        "one at which the exact gradient descends. No learning rate mends it: each step is taken uphill.",
        counterexample=_example(
            f"the loss after one step at tau = {turn - 1}", expected=f"< {walked[turn - 1][0]}",
            got=str(walked[turn - 1][1]), gap=str(walked[turn - 1][1] - walked[turn - 1][0]), shown=_DESCENT,
        ),
    )  # fmt: skip
    holds = judged(
        f"it lowers the loss here if and only if the horizon is at least {turn}",
        predicted and up == [tau for tau in walked if tau < turn] and down == [tau for tau in walked if tau >= turn]
        and all((factor(tau) > 1) == (tau < turn) for tau in range(1, STEPS + 1)),
        "Each step multiplies the loss by $(1 - \\eta\\, m(\\tau)\\, m(T))^2$, exactly: above 1 while $m(\\tau)$ and "
        "$m(T)$ differ "
        f"in sign, below 1 from $\\tau = {turn}$ on. The exact gradient, at $\\tau = T$, descends by "
        f"{float(factor(STEPS)):.3f} each step.",
        kind="enumeration",
        strength=Strength.PROVED,
        scope=f"one quadratic loss at T = {STEPS}, learning rate 1/128; run at horizons {', '.join(map(str, walked))}, "
        "and the factor at every horizon up to T",
        losses={str(tau): [float(v) for v in values] for tau, values in walked.items()},
    )  # fmt: skip
    return Statement(
        "truncation-descent", "What truncation can do to descent", "Descent that climbs",
        r"L(\theta - \eta \, \mathrm{truncated}_\tau(\theta)) < L(\theta) \text{ for small } \eta > 0", naive,
        rf"L(\theta - \eta \, \mathrm{{truncated}}_\tau(\theta)) < L(\theta) \;\iff\; \tau \ge {turn}", holds,
        comment="The lecture says that with truncation training is not guaranteed to converge. Here it is guaranteed "
        "not to.",
    )  # fmt: skip
