"""`gradcheck.parametrize`: one test per rule and claim."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from .audits import SESSIONS
from .requests import ClaimTest, Request

if TYPE_CHECKING:
    from ..reference.claims import Claim
    from ..reference.networks.base import RecurrentNetwork
    from ..reference.problem import Problem

Test = TypeVar("Test", bound=Callable[..., Any])
MARKER = "gradcheck"
_ARGUMENT = "verdict"


def parametrize(
    rules: Sequence[Any],
    claims: Sequence[Claim] | None = None,
    networks: Sequence[RecurrentNetwork] | None = None,
    *,
    effort: str | None = None,
    expected: Mapping[str, str] | None = None,
    problems: Sequence[Problem] | str | Path | None = None,
) -> Callable[[Test], Test]:
    """Make a test function one test per rule and claim, called "rule-claim" and marked `gradcheck`.

    The function takes the argument `verdict`, a `gradcheck.Verdict`. Nothing is audited while tests are collected.
    An entry of `rules` that is no rule fails in a test of its own.

    Args:
        rules: The rules to audit.
        claims: The claims to judge, in place of those that each rule declares.
        networks: The networks to judge on, in place of those that each rule declares.
        effort: "quick" (the default: a few small sizes) or "full" (the sizes of `gradcheck audit`).
        expected: Claims known to be false, each with the reason, in place of what each rule declares. Where such a
            claim is refuted its test is an xfail; where it holds its test fails.
        problems: Problems to judge on beside those that gradcheck makes: a list, or the path of a file of them.

    Returns:
        A decorator for the test function.

    Raises:
        GradcheckError: `rules` is no list or is empty, there is no such effort, or the function does not take
            `verdict`.
    """
    from ..reference.errors import GradcheckError

    if not isinstance(rules, (list, tuple)) or not rules:
        raise GradcheckError(f"parametrize needs a list of rules, at least one; got {rules!r}")
    if effort not in (None, "full", "quick"):
        raise GradcheckError(f"there is no effort {effort!r}; choose one of full, quick")
    tests = [test for rule in rules for test in _claim_tests(rule, claims, networks, effort, expected, problems)]
    parameters = [pytest.param(test, id=f"{test.request.name}-{test.claim}".replace(" ", "")) for test in tests]

    def decorate(test: Test) -> Test:
        if _ARGUMENT not in inspect.signature(test).parameters:
            name = getattr(test, "__name__", repr(test))
            raise GradcheckError(f"{name} must take the argument {_ARGUMENT}: def {name}({_ARGUMENT}): ...")

        @functools.wraps(test)
        def judged(*arguments: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            named[_ARGUMENT] = SESSIONS[-1].verdict(named[_ARGUMENT])
            return test(*arguments, **named)

        return cast(Test, pytest.mark.parametrize(_ARGUMENT, parameters)(judged))

    return decorate


def _claim_tests(
    target: Any,
    claims: Sequence[Claim] | None,
    networks: Sequence[RecurrentNetwork] | None,
    effort: str | None,
    expected: Mapping[str, str] | None,
    problems: Any,
) -> list[ClaimTest]:
    from ..reference.claims import checked_expectations, with_stable
    from ..reference.errors import GradcheckError
    from ..rules.adapt import as_rule

    try:
        rule = as_rule(target, claims=claims, networks=networks)
        names = [str(claim) for claim in rule.declaration.claims]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise GradcheckError(f"two claims are both printed {twice}; give their targets names of their own")
        known = None if expected is None else checked_expectations(expected, rule.declaration.claims)
    except GradcheckError as error:
        name = getattr(target, "__name__", None) or type(target).__name__
        return [ClaimTest(Request(name, target, (), None, effort), "unusable", str(error))]
    declared = rule.declaration.claims
    request = Request(
        rule.name,
        target,
        declared,
        tuple(networks) if networks else None,
        effort,
        known,
        declared=claims is None,
        problems=problems,
    )
    return [ClaimTest(request, claim) for claim in dict.fromkeys(["pure", *map(str, with_stable(declared))])]


def claim_test(item: pytest.Item) -> ClaimTest | None:
    """Return what a collected test was parametrized with, or None if it is none of ours."""
    callspec = getattr(item, "callspec", None)
    value = callspec.params.get(_ARGUMENT) if callspec is not None else None
    return value if isinstance(value, ClaimTest) else None
