"""Every formula of the report, typeset, against what it should read."""

from __future__ import annotations

import ast
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradcheck.report.html import statement_markup
from gradcheck.report.mathml import formula, is_prose, parts

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "reference/lecture").glob("*.py"), *(ROOT / "gradcheck/chapters").rglob("*.py")]
SIGNS = {
    "partial": "∂", "sum": "∑", "delta": "δ", "top": "⊤", "cdots": "⋯", "ldots": "…", "le": "≤", "ge": "≥", "ne": "≠",
    "neq": "≠", "eta": "η", "tau": "τ", "rho": "ρ", "theta": "θ", "infty": "∞", "subseteq": "⊆", "times": "×",
    "in": "∈",
    "odot": "⊙",
    "nabla": "∇", "ell": "ℓ", "mid": "∣", "nmid": "∤", "iff": "⟺", "Rightarrow": "⇒", "bmod": "mod",
    "prime": "′", "circ": "∘", "to": "→", "leftarrow": "←", "lfloor": "⌊", "rfloor": "⌋",
}  # fmt: skip
SILENT = {"left", "right", "boldsymbol", "operatorname", "mathrm", "mathcal", "text", "frac", "quad", "qquad"}


def spoken(latex: str) -> str:
    """What LaTeX reads from left to right, without spaces: an own small reader, which knows nothing of MathML."""
    text = re.sub(r"\\hat\{(\\boldsymbol\{\w\}|\w)\}", r"\1^", latex.replace("^", "{}").replace("_", "{}"))
    text = text.replace("\\|", "‖").replace("\\{", "\x01").replace("\\}", "\x02")
    text = re.sub(r"\\[,;:! ]", "", text)

    def sign(found: re.Match[str]) -> str:
        assert found[1] in SIGNS or found[1] in SILENT, f"the test does not know \\{found[1]} in {latex}"
        return SIGNS.get(found[1], "")

    text = re.sub(r"\\([A-Za-z]+)", sign, text)
    assert "\\" not in text, latex
    text = re.sub(r"[{}]", "", text).replace("\x01", "{").replace("\x02", "}")
    return normal(text.replace("'", "′").replace("-", "−"))


def normal(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text.replace("ˆ", "^")).split()).replace("-", "−")


def strings() -> Iterator[str]:
    """The texts in the sources of the chapters that are printed: those with a formula in them."""
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        documents = {
            ast.get_docstring(n, clean=False)
            for n in ast.walk(tree)
            if isinstance(n, (ast.Module, ast.FunctionDef, ast.ClassDef))
        }
        pieces = {id(p) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for p in n.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in pieces:
                if node.value not in documents and re.search(r"\$[^$]+\$|\\[a-z]{2,}", node.value):
                    yield node.value


PRINTED = sorted(set(strings()))
FORMULAS = sorted(
    {latex for text in PRINTED if is_prose(text) for kind, latex in parts(text) if kind == "formula"}
    | {text for text in PRINTED if not is_prose(text)}
)


def test_all_formulas_are_here() -> None:
    assert len(PRINTED) > 100 and len(FORMULAS) > 120


@pytest.mark.parametrize("latex", FORMULAS)
def test_a_formula_reads_as_written(latex: str) -> None:
    markup = formula(latex)
    assert markup.startswith("<math"), f"cannot be typeset: {latex}"
    assert normal("".join(ET.fromstring(markup).itertext())) == spoken(latex)


@pytest.mark.parametrize("text", PRINTED)
def test_no_sign_of_tex_is_left_in_what_is_read(text: str) -> None:
    page = re.sub(r'alttext="[^"]*"|<code>.*?</code>', "", statement_markup(text))
    read = "".join(ET.fromstring(f"<p>{page.replace('&nbsp;', ' ')}</p>").itertext())
    assert not re.search(r"[$\\]|\*\*", read), read
    if is_prose(text):
        outside = "".join(piece for kind, piece in parts(text) if kind == "words")
        assert all(word in read for word in outside.split() if word.isalpha()), "words were typeset as a formula"


@pytest.mark.parametrize("garbled", [r"we have $T/I$ such blocks, hence $\mathcal{O}(T I^3)$", "local in time ($T$)"])
def test_a_sentence_typeset_as_a_formula_is_seen(garbled: str) -> None:
    assert is_prose(garbled)
    read = "".join(ET.fromstring(formula(garbled)).itertext()) if formula(garbled).startswith("<math") else garbled
    assert "$" in read or "wehave" in read or "localintime" in read
