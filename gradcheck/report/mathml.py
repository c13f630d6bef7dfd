"""Formulas and prose of a report: LaTeX to MathML that browsers draw, code and formulas within sentences."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator

from .libraries import need
from .words import clean, unbroken

_BOLD_ITALIC = {"A": 0x1D468, "a": 0x1D482, "\u0391": 0x1D71C, "\u03b1": 0x1D736}
_BOLD = {"A": 0x1D400, "a": 0x1D41A, "0": 0x1D7CE, "\u0391": 0x1D6A8, "\u03b1": 0x1D6C2}
_SYMBOLS = {"\u2207": ("\U0001d6c1", "\U0001d735"), "\u2202": ("\U0001d6db", "\U0001d74f")}
# The converter passes over what is missing in unfinished LaTeX; such a tree is not MathML.
_ARITY = {"mfrac": 2, "msup": 2, "msub": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3, "mroot": 2}
_INLINE = re.compile(r"`([^`\n]+)`|\$(?!\s)([^$\n]+?)(?<!\s)\$(?!\d)")


_POWER = re.compile(r"(\b(?:2|10|[TIDK]|[a-z]+)|\))\^(-?\d+)\b")
_SIZE = re.compile(r"(?<![\w^&;])[TIDK](?![\w'])")
_MINUS = re.compile(r"(?<=[\w)] )-(?=\u00a0)")
_CODE_POWER = re.compile(r"(?<=[\w)])\*\*(-?\d+)")
_CODE_PRODUCT = re.compile(r"(?<=[\w)])\*(?=[\w(])")
_PRODUCT = re.compile(r"(?<=[\w)\]])\*(?=[\w(])")
_LONG = 60
"""Letters of code within prose that stands on lines of its own."""


def is_prose(text: str) -> bool:
    """Return True for a sentence, with or without formulas between dollar signs, and False for a formula."""
    if "$" in text:
        return True
    return not re.search(r"[\\^_{}]", text) and len(re.findall(r"[A-Za-z]{3,}", text)) >= 2


def parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pieces of prose: ("words", text), ("code", text between backticks), ("formula", LaTeX)."""
    text, last = clean(text), 0
    for found in _INLINE.finditer(text):
        yield "words", plain_notation(text[last : found.start()])
        code, latex = found.groups()
        yield ("code", code) if code else ("formula", latex)
        last = found.end()
    yield "words", plain_notation(text[last:])


def plain_notation(text: str) -> str:
    """Return text whose Python products and powers are written as in print: T*I**2 becomes T I^2."""
    return _CODE_PRODUCT.sub(" ", _CODE_POWER.sub(r"^\1", text))


def formula(latex: str, *, display: bool = True) -> str:
    """Return markup for a formula: <math>, or the source as <code> where it cannot be read. Everything is escaped.

    Raises:
        GradcheckError: latex2mathml is not installed.
    """
    converter = need("latex2mathml.converter", "typesetting formulas")
    try:
        math = converter.convert_to_element(clean(latex), display="block" if display else "inline")
        _mend(math)
    except Exception:  # an unreadable formula is shown as its source; the report is not lost for it
        return f'<code class="latex">{html.escape(clean(latex))}</code>'
    math.attrib.pop("xmlns", None)
    # Read aloud, and copied, as the source; the structure stays readable to software that knows MathML.
    math.set("alttext", clean(latex))
    return ET.tostring(math, encoding="unicode")


def _mend(element: ET.Element) -> None:
    if len(element) != _ARITY.get(element.tag, len(element)):
        raise ValueError(f"{element.tag} has {len(element)} parts")
    # The converter leaves character references in the text and escapes nothing: resolved here, they are
    # escaped when the tree is written.
    element.text = html.unescape(element.text) if element.text else element.text
    variant = element.get("mathvariant", "")
    if variant in ("bold-italic", "bold") and element.text:
        # Browsers follow MathML Core, which knows no mathvariant but "normal": use the bold letters of Unicode.
        del element.attrib["mathvariant"]
        element.text = "".join(_bold(c, italic=variant == "bold-italic") for c in element.text)
    for n, child in enumerate(element):
        _mend(child)
        following = element[n + 1].text if n + 1 < len(element) else None
        if child.tag == "mo" and child.text and len(child.text) > 1 and child.text.isalpha():
            # A named function: an operator's wide spaces on both sides would tear it from its argument.
            child.set("lspace", "0.17em")
            child.set("rspace", "0em" if html.unescape(following or "").startswith("(") else "0.17em")
            child.set("mathvariant", "normal")
        elif child.tag == "mo" and child.text in ("\u22a4", "\u22a5"):
            child.tag = "mi"
        elif child.tag == "mi" and child.text in tuple("\u230a\u230b\u2308\u2309"):
            child.tag = "mo"


def _bold(letter: str, *, italic: bool) -> str:
    if letter in _SYMBOLS:
        return _SYMBOLS[letter][italic]
    starts = _BOLD_ITALIC if italic and not letter.isdigit() else _BOLD
    for first, length in (("A", 26), ("a", 26), ("0", 10), ("\u0391", 25), ("\u03b1", 25)):
        if first in starts and 0 <= ord(letter) - ord(first) < length:
            return chr(starts[first] + ord(letter) - ord(first))
    return letter


def inline(text: str) -> str:
    """Return escaped markup for prose: `code` between backticks, a formula between single dollar signs.

    It is to stand between tags and not in an attribute: quotes stay as they are.
    """
    write: dict[str, Callable[[str], str]] = {
        "words": _words,
        "code": _code,
        "formula": lambda latex: formula(latex, display=False),
    }
    return _tied("".join(write[kind](piece) for kind, piece in parts(text)))


def _code(text: str) -> str:
    """Return escaped code; a long formula stands on lines of its own, which break between factors."""
    markup = html.escape(text, quote=False)
    if len(text) <= _LONG:
        return f"<code>{markup}</code>"
    return f'<code class="long">{_PRODUCT.sub("*<wbr>", markup)}</code>'


def _tied(markup: str) -> str:
    """Return markup without a line break between a formula and the punctuation that follows it."""
    return re.sub(r"(<math\b(?:(?!</math>).)*</math>[,.;:!?)]+)", r'<span class="tie">\1</span>', markup, flags=re.S)


def _words(text: str) -> str:
    """Return escaped text with formulas, such as 4 T I^2 - 3 T <= 2^-60, set as in a book.

    Powers are raised, sizes are italic, and a line breaks before a sign and not within a product.
    """
    text = text.replace(" <= ", " \u2264 ").replace(" >= ", " \u2265 ")
    text = _MINUS.sub("\u2212", unbroken(text))
    text = _POWER.sub(
        lambda found: f"{found[1]}<sup>{found[2].replace('-', chr(0x2212))}</sup>", html.escape(text, quote=False)
    )
    return _SIZE.sub(r"<var>\g<0></var>", text)
