"""Calls of a rule: whose code an error is laid to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcheck.problems.lively import lively_problem
from gradcheck.reference import errors
from gradcheck.reference.errors import UnsupportedOperation
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.call import run
from gradcheck.rules.failures import RuleFailed

BESIDE = [Path(errors.__file__).parent.with_name("reference_rules"), Path(np.__file__).parent.with_name("numpy_rules")]


@pytest.mark.parametrize("folder", BESIDE, ids=lambda folder: folder.name)
def test_a_folder_beside_ours_is_the_authors(folder: Path) -> None:
    scope: dict[str, Any] = {"UnsupportedOperation": UnsupportedOperation}
    code = "def rule(problem):\n    raise UnsupportedOperation('exp', 'mine', 'it is not there')\n"
    exec(compile(code, str(folder / "rule.py"), "exec"), scope)
    problem = lively_problem(Network(), Sizes(2, 2, 1, 1), 0).over(RationalField())
    with pytest.raises(RuleFailed) as caught:
        run(as_rule(scope["rule"]), problem)
    assert caught.value.where.startswith(f"{folder / 'rule.py'}:2"), str(caught.value)
