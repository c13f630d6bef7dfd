"""The wheel: one import root from three folders, whole, and at home beside an outsider's own folders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import gradcheck.reference.problem  # noqa: F401

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
pytestmark = [pytest.mark.processes, pytest.mark.slow]
RAISES = "raise RuntimeError('an outsider\\'s own package was imported')\n"


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    """What a command prints, the checkout not on its path; fails unless it exits with `status`."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    output = done.stdout + done.stderr
    assert done.returncode == status, f"{command} exited with {done.returncode}, wanted {status}:\n{output}"
    return output


def packages_in(root: Path, folders: Mapping[str, str]) -> set[str]:
    """Every package under `folders` (import name to folder), by its import name."""
    return {
        ".".join((package, *init.parent.relative_to(root / folder).parts))
        for package, folder in folders.items()
        for init in (root / folder).rglob("__init__.py")
    }


def test_listed_packages_are_those_of_the_tree() -> None:
    listed = PYPROJECT["tool"]["setuptools"]["packages"]
    assert listed == sorted(packages_in(ROOT, PYPROJECT["tool"]["setuptools"]["package-dir"]))


def test_an_unlisted_package_is_seen(tmp_path: Path) -> None:
    for folder in ("reference", "reference/new"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    assert packages_in(tmp_path, {"gradcheck.reference": "reference"}) == {
        "gradcheck.reference",
        "gradcheck.reference.new",
    }


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a clean copy of the checkout."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for folder in PYPROJECT["tool"]["setuptools"]["package-dir"].values():
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", dist, source, cwd=dist)
    (built,) = dist.glob("*.whl")
    return built


def files_of_the_tree() -> set[str]:
    """Every file of the packages' folders, by its path in a wheel."""
    return {
        f"{package.replace('.', '/')}/{path.relative_to(ROOT / folder).as_posix()}"
        for package, folder in PYPROJECT["tool"]["setuptools"]["package-dir"].items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_has_one_root_and_every_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    inside = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert {name.split("/")[0] for name in inside} == {"gradcheck"}
    assert inside == files_of_the_tree(), f"only in one of wheel and checkout: {sorted(inside ^ files_of_the_tree())}"
    assert "gradcheck/py.typed" in inside
    assert any(name.startswith("gradcheck/report/templates/") for name in inside)
    assert any(name.endswith("/LICENSE") for name in names - inside)


def runtime_closure() -> Iterator[metadata.Distribution]:
    """The installed distributions that pyproject.toml's dependencies need, theirs included."""
    todo = [Requirement(text) for text in PYPROJECT["project"]["dependencies"]]
    seen = set()
    while todo:
        requirement = todo.pop()
        distribution = metadata.distribution(requirement.name)
        for extra in ("", *requirement.extras):
            if (key := (re.sub(r"[-_.]+", "-", requirement.name).lower(), extra)) not in seen:
                seen.add(key)
                yield distribution
                needs = (Requirement(text) for text in distribution.requires or ())
                todo += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts folder of a virtual environment with the wheel and what it declares, and nothing else.

    The dependencies are linked from this environment and pip is kept off the network, so it installs the wheel only
    if what is linked satisfies every requirement.
    """
    home = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", home, cwd=home)
    paths = sysconfig.get_paths("venv", vars={"base": str(home), "platbase": str(home)})
    for distribution in runtime_closure():
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            link = Path(paths["purelib"]) / top
            if not link.exists():
                link.symlink_to(distribution.locate_file(top))
    scripts = Path(paths["scripts"])
    run(scripts / "python", "-m", "pip", "install", "--no-index", wheel, cwd=home)
    return scripts


@pytest.fixture
def outsider(tmp_path: Path) -> Path:
    """A project with its own `algorithms` and `reference`, and the README's rule."""
    for name in ("algorithms", "reference"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(RAISES)
    rule = re.search(r"Save this as `my_rule.py`:\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert rule is not None, "README.md no longer shows my_rule.py"
    (tmp_path / "my_rule.py").write_text(rule[1])
    return tmp_path


def test_every_module_imports_beside_an_outsiders_folders(environment: Path, outsider: Path) -> None:
    program = (
        "import importlib, pkgutil, sys, gradcheck\n"
        "for m in pkgutil.walk_packages(gradcheck.__path__, 'gradcheck.'):\n"
        "    if m.name.split('.')[-1] != '__main__' and '.libraries.' not in m.name:\n"
        "        importlib.import_module(m.name)\n"
        "print({'reference', 'algorithms'} & set(sys.modules), 'gradcheck.reference.problem' in sys.modules)\n"
    )
    assert run(environment / "python", "-c", program, cwd=outsider).strip() == "set() True"


def test_the_outsiders_folders_would_raise(environment: Path, outsider: Path) -> None:
    assert "own package was imported" in run(environment / "python", "-c", "import reference", cwd=outsider, status=1)


def test_audit_beside_an_outsiders_folders(environment: Path, outsider: Path) -> None:
    assert "PROVED" in run(environment / "gradcheck", "audit", "my_rule:bptt", "--effort", "quick", cwd=outsider)


def test_the_suite_tests_one_copy() -> None:
    folders = {ROOT / folder for folder in PYPROJECT["tool"]["setuptools"]["package-dir"].values()}
    files = {n: m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "gradcheck" and m.__file__}
    assert "gradcheck.reference.problem" in files
    strays = {n: f for n, f in files.items() if not folders & set(Path(f).parents)}
    assert not strays, f"a mix of two copies: {strays}"
    assert not {"reference", "algorithms"} & set(sys.modules)


def test_processes_that_tests_start_load_the_checkout(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import gradcheck.reference.problem as p; print(p.__file__)"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(shown) == ROOT / "reference" / "problem.py"
