"""Verdicts on the lecture's sentences about costs, by the counted polynomials of the shipped rules.

A statement without D and K is read with as many inputs and outputs as units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...algorithms import RTRL, Schmidhuber, bptt, truncated_bptt
from ...evidence.cost.counted import BLIND, KIND
from ...evidence.cost.counts.costs import Growth, costs_of
from ...evidence.cost.counts.growth import outgrowing
from ...evidence.cost.counts.polynomial import Polynomial, parse
from ...records import Evidence, Status, Strength, Verdict

ALL_ALIKE = {"D": parse("I"), "K": parse("I")}
BLOCKS_OF_I = {**ALL_ALIKE, "block": parse("I")}


def _counted(growth: Growth) -> Polynomial:
    """Return the counted polynomial, or 0 where the count is none, which satisfies no claim below."""
    return growth.fitted.polynomial if growth.fitted else Polynomial({})


def _judged(claim: str, seen: Growth, held: bool, text: str, refuted: bool = False) -> Verdict:
    """Return HOLDS, or REFUTED where `refuted`, if the count shows it, else INCONCLUSIVE."""
    if seen.fitted is None or not seen.steady or not held:
        text = f"this could not be shown: {text}"
        return Verdict(
            claim, Status.INCONCLUSIVE, Strength.NONE, text, (Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, text),)
        )
    status = Status.REFUTED if refuted else Status.HOLDS
    scope = f"{seen.fitted.region.text}; counted at {seen.fitted.counted} sizes, foretold at {seen.fitted.held_out}"
    return Verdict(claim, status, Strength.EXACT, text, (Evidence(KIND, status, Strength.EXACT, text, scope, BLIND),))


def bptt_storage(claim: str) -> Verdict:
    """Judge whether storage is all activations of all steps, up to a constant."""
    kept = costs_of(bptt).storage
    held = kept.reaches(_monomial("T*I")) and kept.outgrows(parse("T*(I + K) + I*(I + D + K)")) is None
    return _judged(
        claim, kept, held,
        f"the shipped BPTT keeps {_counted(kept)} numbers at once, which grows as the T I activations do",
    )  # fmt: skip


def bptt_time(claim: str) -> Verdict:
    """Judge whether time is O(T I (I + K + D))."""
    time = costs_of(bptt).time
    held = time.outgrows(parse("T*I*(I + K + D)")) is None
    return _judged(claim, time, held, f"the shipped BPTT takes {_counted(time)} operations")


def bptt_space(claim: str) -> Verdict:
    """Judge whether operations per step and weight are bounded for any number of weights."""
    time = costs_of(bptt).time
    held = time.outgrows(parse("T*(I*(I + D + K))")) is None
    most = max(_counted(time).leading().terms.values(), default=0)
    return _judged(
        claim, time, held,
        f"the {_counted(time)} operations of the shipped BPTT are at most {most} per step and weight in each of their "
        "leading terms, for I (I + D + K) weights",
    )  # fmt: skip


def truncated_time(claim: str) -> Verdict:
    """Judge the printed bound, which has no T."""
    return _truncated(claim, "tau*I*(I + K + D)", refuted=True)


def truncated_time_per_step(claim: str) -> Verdict:
    """Judge the printed bound for each step with a loss."""
    return _truncated(claim, "T*tau*I*(I + K + D)", refuted=False)


def _truncated(claim: str, bound: str, refuted: bool) -> Verdict:
    time = costs_of(truncated_bptt).time
    outgrown = time.outgrows(parse(bound))
    text = f"with a loss at every step the shipped truncated BPTT takes {_counted(time)} operations"
    if outgrown is not None:
        text += f": {time.named(outgrown)} outgrows {_printed(bound)}"
    else:
        text += ", for each of the T losses no more than tau I (I + K + D) times a constant"
    return _judged(claim, time, (outgrown is not None) is refuted, text, refuted)


def rtrl_time_local(claim: str) -> Verdict:
    """Judge whether the work of a step and the storage are without T."""
    time, kept = costs_of(RTRL).time, costs_of(RTRL).storage
    held = _counted(time).degree("T") == 1 and _counted(kept).degree("T") == 0
    return _judged(
        claim, kept, held,
        f"the shipped RTRL keeps {_counted(kept)} numbers at once, without T, and its {_counted(time)} operations are "
        "as many in every step",
    )  # fmt: skip


def rtrl_long(claim: str) -> Verdict:
    """Find the T from which on RTRL keeps less than BPTT, with one input and output; BPTT's count is for T > 4 I."""
    mine, other = costs_of(RTRL).storage, costs_of(bptt).storage
    if not (mine.fitted and other.fitted):
        return _judged(claim, mine, False, "storage of RTRL and BPTT as polynomials")
    at = {"D": 1, "K": 1}
    found = []
    for units in (4, 16, 64):
        kept = _counted(mine)({**at, "T": 1, "I": units})
        found.append(next(T for T in range(4 * units + 1, 10**6) if _counted(other)({**at, "T": T, "I": units}) > kept))
    dearer = outgrowing(_counted(costs_of(RTRL).time), _counted(costs_of(bptt).time)) is not None
    return _judged(
        claim, mine, dearer,
        f"BPTT keeps {_counted(other)} numbers and RTRL {_counted(mine)}: with one input and output BPTT keeps more "
        f"at the latest from T = {', '.join(map(str, found))} on at I = 4, 16, 64; RTRL's operations outgrow BPTT's",
    )  # fmt: skip


def rtrl_time(claim: str) -> Verdict:
    """Judge whether time is at least I^4 per step."""
    time = costs_of(RTRL).time
    return _judged(
        claim, time, time.reaches(_monomial("T*I**4")), f"the shipped RTRL takes {_counted(time)} operations in T steps"
    )


def rtrl_update(claim: str) -> Verdict:
    """Judge the leading operations for each derivative."""
    time = costs_of(RTRL).time
    held = _counted(time).leading() == parse("2*I*T*I**2*(I + D)") + _readout(time)
    return _judged(
        claim, time, held,
        "of the operations of the shipped RTRL 2 T I^4 + 2 T I^3 D lead: for each of the I^2 (I + D) derivatives and "
        "each step 2 I operations",
    )  # fmt: skip


def _readout(time: Growth) -> Polynomial:
    """Return the leading terms in K, which have nothing to do with derivatives."""
    return Polynomial({m: c for m, c in _counted(time).leading().terms.items() if "K" in dict(m)})


def rtrl_storage(claim: str) -> Verdict:
    """Judge whether storage is without T."""
    kept = costs_of(RTRL).storage
    return _judged(
        claim, kept, _counted(kept).degree("T") == 0, f"the shipped RTRL keeps {_counted(kept)} numbers at once"
    )


def _schmidhuber(bound: str, claim: str, refuted: bool = False) -> Verdict:
    """Compare the time with blocks of I steps with a bound in T and I."""
    time = costs_of(Schmidhuber).time
    alike = _counted(time).substitute(BLOCKS_OF_I)
    outgrown = outgrowing(alike, parse(bound))
    text = f"with blocks of I steps, D = K = I, the shipped algorithm takes {alike} operations"
    if refuted and outgrown is not None:
        term = Polynomial({outgrown: alike.terms[outgrown]})
        text += f": the term {term} outgrows {_printed(bound)}"
    return _judged(claim, time, (outgrown is not None) is refuted, text, refuted)


def schmidhuber_time(claim: str) -> Verdict:
    """Judge whether time is O(I^3) per step on average."""
    return _schmidhuber("T*I**3", claim)


def schmidhuber_block(claim: str) -> Verdict:
    """Judge the time of BPTT over I steps."""
    time = costs_of(bptt).time
    alike = _counted(time).substitute({**ALL_ALIKE, "T": parse("I")})
    held = outgrowing(alike, parse("I**3")) is None
    return _judged(claim, time, held, f"with T = D = K = I the shipped BPTT takes {alike} operations")


def schmidhuber_step(claim: str) -> Verdict:
    """Judge the operations that are done once in a block."""
    time = costs_of(Schmidhuber).time
    once = Polynomial({m: c for m, c in _counted(time).terms.items() if dict(m).get("block", 0) < 0})
    alike = once.substitute(BLOCKS_OF_I)
    held = bool(once.terms) and outgrowing(alike, parse("T*I**3")) is None
    return _judged(
        claim, time, held,
        f"once in a block the shipped algorithm does what comes to {once} in all: with blocks of I steps, D = I, that "
        f"is {alike}",
    )  # fmt: skip


def schmidhuber_all(claim: str) -> Verdict:
    """Compare with the time of BPTT, T I^2 with D = K = I."""
    return _schmidhuber("T*I**2", claim, refuted=True)


def schmidhuber_in_all(claim: str) -> Verdict:
    """Compare with T I^3, the corrected bound."""
    return _schmidhuber("T*I**3", claim)


def schmidhuber_storage(claim: str) -> Verdict:
    """Compare storage with the activations of I steps."""
    return _kept(claim, "I*I", refuted=True)


def schmidhuber_stored(claim: str) -> Verdict:
    """Compare storage with the activations of I steps and the derivatives."""
    return _kept(claim, "I*I + I**2*(I + I)", refuted=False)


def _kept(claim: str, bound: str, refuted: bool) -> Verdict:
    kept = costs_of(Schmidhuber).storage
    alike = _counted(kept).substitute(BLOCKS_OF_I)
    outgrown = outgrowing(alike, parse(bound))
    text = f"the shipped algorithm keeps {_counted(kept)} numbers at once, with blocks of I steps, D = K = I, {alike}"
    if refuted and outgrown is not None:
        text += f": the term {Polynomial({outgrown: alike.terms[outgrown]})} outgrows the I^2 activations"
    return _judged(claim, kept, (outgrown is not None) is refuted, text, refuted)


def _printed(bound: str) -> str:
    return str(parse(bound))


def _monomial(text: str) -> Any:
    return next(iter(parse(text).terms))


COSTS: dict[str, Callable[[str], Verdict]] = {
    "cost-bptt-storage": bptt_storage,
    "cost-bptt-time": bptt_time,
    "cost-bptt-space": bptt_space,
    "cost-truncated-time": truncated_time,
    "cost-rtrl-time-local": rtrl_time_local,
    "cost-rtrl-long": rtrl_long,
    "cost-rtrl-time": rtrl_time,
    "cost-rtrl-update": rtrl_update,
    "cost-rtrl-storage": rtrl_storage,
    "cost-schmidhuber-time": schmidhuber_time,
    "cost-schmidhuber-block": schmidhuber_block,
    "cost-schmidhuber-step": schmidhuber_step,
    "cost-schmidhuber-all": schmidhuber_all,
    "cost-schmidhuber-storage": schmidhuber_storage,
}
CORRECTED: dict[str, Callable[[str], Verdict]] = {
    "cost-truncated-time": truncated_time_per_step,
    "cost-schmidhuber-all": schmidhuber_in_all,
    "cost-schmidhuber-storage": schmidhuber_stored,
}
"""Functions that judge the corrected form of a row, by the row's id."""
