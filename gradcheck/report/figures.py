"""Drawing a `Figure` record as an inline SVG that follows the page's colours."""

from __future__ import annotations

import io
import math
import re
from typing import Any

from ..records import Figure
from .coverage import power_of_ten
from .libraries import need
from .words import clean

# Okabe and Ito's palette without its yellow, which white paper swallows: told apart by colour-blind readers.
# The page may override each by a CSS variable, --series-1 and so on, to suit a dark background.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_INK = "#010203"  # stands for the colour of the text around the figure until `_themed` puts that in
_PAPER = "#fefefe"  # and this for the colour behind it
_DASHES = {"solid": "-", "dashed": "--", "dotted": ":", "dashdot": "-."}
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gradcheck",
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.0,
}


def draw(figure: Figure) -> str:
    """Return a figure as an <svg> element, the same bytes each time. Labels are plain text, without LaTeX.

    On a logarithmic axis zeros stand on a line of their own, marked 0, below the smallest positive value. Of series
    that coincide the earlier are drawn wider, so that they show on both sides of the later.

    Raises:
        GradcheckError: matplotlib is not installed.
    """
    matplotlib = need("matplotlib", "drawing figures")
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context():
        # From the defaults and not from the user's own settings, so that a report is the same everywhere.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        canvas = Canvas(figsize=(5.2, 3.4), layout="constrained")
        FigureCanvasSVG(canvas)
        axes = canvas.add_subplot()
        _plot(figure, axes)
        labels = [clean(label) for label in figure.series]
        if len(labels) > 1:
            columns = max(1, min(len(labels), 3, 75 // (max(map(len, labels)) + 6)))
            legend = canvas.legend(
                axes.lines[: len(labels)], labels, loc="outside upper left", ncols=columns, frameon=False, fontsize=9
            )
            for text in legend.get_texts():
                text.set_parse_math(False)
        stream = io.StringIO()
        canvas.savefig(
            stream, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    return _themed(stream.getvalue(), figure.id)


def remarks(figure: Figure) -> list[str]:
    """Return what the drawing cannot show, in sentences for the caption."""
    values = [y for _, ys in figure.series.values() for y in ys]
    lost = sum(not math.isfinite(y) for y in values)
    sentences = []
    if _floor(figure) is not None and any(y == 0 for y in values):
        sentences.append("Hollow marks on the line 0 are exact zeros, which a logarithmic axis has no place for.")
    if any(_beneath(figure)):
        sentences.append("Of lines that coincide, the earlier ones are drawn wider.")
    if lost:
        sentences.append(f"{lost} {'value is' if lost == 1 else 'values are'} not finite and not drawn.")
    return sentences


def _floor(figure: Figure) -> float | None:
    """Return the place of zeros on a logarithmic axis, below all else; None where the axis must be linear."""
    values = [y for _, ys in figure.series.values() for y in ys if math.isfinite(y)]
    positive = [_within(y) for y in values if y > 0]
    if not figure.log_y or not positive or min(values) < 0:
        return None
    decades = math.log10(max(positive)) - math.log10(min(positive))
    return float(10.0 ** max(-306, math.floor(math.log10(min(positive))) - max(1, round(decades / 8))))


def _beneath(figure: Figure) -> list[int]:
    """Return for each series the number of later ones that the eye cannot tell from it."""
    series = [dict(zip(xs, ys, strict=False)) for xs, ys in figure.series.values()]
    return [sum(_coincide(mine, other, figure.log_y) for other in series[n + 1 :]) for n, mine in enumerate(series)]


def _coincide(mine: dict[float, float], other: dict[float, float], logarithmic: bool) -> bool:
    pairs = [(mine[x], other[x]) for x in mine.keys() & other.keys()]
    if not pairs:
        return False
    largest = max(abs(y) for pair in pairs for y in pair)
    near = [abs(a - b) <= (0.2 * min(abs(a), abs(b)) if logarithmic else 0.02 * largest) for a, b in pairs]
    return sum(near) > 0.7 * len(near)


def _within(y: float) -> float:
    # Powers of ten beside the ends of the axis must be floats too.
    return min(max(y, 1e-300), 1e300)


def _plot(figure: Figure, axes: Any) -> None:
    floor, beneath = _floor(figure), _beneath(figure)
    for n, (label, (xs, ys)) in enumerate(figure.series.items()):
        widths = {"linewidth": 1.5 + 2.5 * beneath[n], "markersize": 4.0 + 3.0 * beneath[n]}
        colour, marker = PALETTE[n % len(PALETTE)], _MARKERS[n % len(_MARKERS)]
        # Past the palette's end colours and marks repeat, and the dashes tell the series apart.
        style = figure.styles.get(label, list(_DASHES)[n // len(PALETTE) % len(_DASHES)])
        style = _DASHES.get(style, style if style in _DASHES.values() else "-")
        drawn = [y if math.isfinite(y) else math.nan for y in ys]
        if floor is not None:
            drawn = [floor if y == 0 else _within(y) for y in drawn]
        every = max(1, len(xs) // 24)
        axes.plot(xs, drawn, color=colour, linestyle=style, marker=marker, markevery=every, clip_on=False, **widths)
    if floor is not None:
        points = [(n, x, y) for n, (xs, ys) in enumerate(figure.series.values()) for x, y in zip(xs, ys, strict=True)]
        _logarithmic(axes, floor, [(x, n) for n, x, y in points if y == 0])
    axes.set_xlabel(clean(figure.xlabel), parse_math=False)
    axes.set_ylabel(clean(figure.ylabel), parse_math=False)
    axes.grid(axis="y", color=_INK, alpha=0.12, linewidth=0.6)
    axes.margins(x=0.03)
    if figure.log_x:
        _logarithmic_across(axes, {x for xs, _ in figure.series.values() for x in xs})
    elif all(float(x).is_integer() for xs, _ in figure.series.values() for x in xs):
        axes.xaxis.get_major_locator().set_params(integer=True)


def _logarithmic_across(axes: Any, places: set[float]) -> None:
    """Make the horizontal axis logarithmic, with ticks where the values are, or at some of them."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    ticks = sorted(places)
    axes.xaxis.set_major_locator(FixedLocator(ticks[:: max(1, -(-len(ticks) // 9))]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _logarithmic(axes: Any, floor: float, zeros: list[tuple[float, int]]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_yscale("log")
    values = [y for line in axes.lines for y in line.get_ydata() if math.isfinite(y) and y > floor]
    low, high = round(math.log10(floor)), math.ceil(math.log10(max(values)))
    first = low + 1 if zeros else math.floor(math.log10(min(values)))
    step = max(1, math.ceil((high - first) / 7))
    powers = list(range(high, first - 1, -step))
    names = {10.0**power: power_of_ten(power) for power in powers}
    if zeros:
        # Ticks too near the line of zeros would read as if 0 had a place on the scale.
        names = {place: name for place, name in names.items() if place >= 10.0 ** (low + max(1, step // 2))}
        _break(axes, floor, min(names))
        names[floor] = "0"
        for x, n in zeros:
            # The earlier the larger, so that marks of several series on one spot are all seen.
            size = 4.5 + min(5.0, 2.5 * sum(other > n for place, other in zeros if place == x))
            mark = {"marker": _MARKERS[n % len(_MARKERS)], "markersize": size, "markeredgewidth": 1.2}
            colours = {"markerfacecolor": _PAPER, "markeredgecolor": PALETTE[n % len(PALETTE)]}
            axes.plot([x], [floor], linestyle="none", clip_on=False, zorder=3, **mark, **colours)
    axes.yaxis.set_major_locator(FixedLocator(sorted(names)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: names[min(names, key=lambda p: abs(p - value))]))
    axes.set_ylim(floor if zeros else 10.0**first, 10.0**high * (1.0 if high > math.log10(max(values)) else 1.2))


def _break(axes: Any, floor: float, first: float) -> None:
    """Draw two strokes across the axis between the line of zeros and the scale: no distance can be read there."""
    low, middle = math.log10(floor), (math.log10(floor) + math.log10(first)) / 2
    stroke = 0.008 * (math.log10(axes.get_ylim()[1]) - low)
    places = [10.0 ** (middle - stroke), 10.0 ** (middle + stroke)]
    across = {"transform": axes.get_yaxis_transform(), "clip_on": False, "zorder": 4}
    axes.plot([0, 0], places, color=_PAPER, linewidth=3, solid_capstyle="butt", **across)
    axes.plot([0, 0], places, linestyle="none", marker=[(-1, -0.4), (1, 0.4)], color=_INK, markersize=8, **across)


def _themed(svg: str, name: str) -> str:
    """Return the bare <svg> element: the page's font and colours, ids that no other figure of the page has."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    width, height = re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2]
    svg = re.sub(r"<svg[^>]*>", f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">', svg, count=1)
    svg = re.sub(r"'DejaVu Sans'", "inherit", svg)
    svg = re.sub(r"font: ([\d.]+)px inherit", r"font-size: \1px", svg)
    svg = svg.replace(_INK, "currentColor").replace(_PAPER, "var(--paper, #ffffff)")
    for n, colour in enumerate(PALETTE, start=1):
        svg = svg.replace(colour, f"var(--series-{n}, {colour})")
    prefix = re.sub(r"\W+", "-", name) + "-"
    svg = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{prefix}", svg)
    return _slim(svg.strip())


def _slim(svg: str) -> str:
    """Return the same drawing in a third of the bytes: pages are attached to papers and sent around."""
    # A tenth of a point is half a pixel of the sharpest screen. Numbers in labels are no coordinates and stay.
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d)\d+", r"\1", tag[0]), svg)
    svg = re.sub(r"\s+", " ", svg).replace("> <", "><")
    svg = re.sub(r'<path d="[^"]*" style="fill: none"/>', "", svg)  # backgrounds, of no colour
    svg = re.sub(r' transform="rotate\(-0 [^"]*"|; font-family: inherit', "", svg)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
    while (fewer := re.sub(r"<(g|defs)></\1>|<g>((?:<(?:path|use|text)\b[^>]*/>)+)</g>", r"\2", svg)) != svg:
        svg = fewer
    return svg
