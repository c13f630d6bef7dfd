"""How each figure grows with T and with I, log-log: measured points, and a line through those that were fitted.

Drawn 80 mm wide, the column of a journal, with letters that are legible there; SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.reference.errors import GradcheckError

from .growth import FITTED, Line

WIDTH, HEIGHT = 80 / 25.4, 68 / 25.4
"""Inches."""
SETTINGS: dict[Any, Any] = {
    "font.size": 7.0,
    "legend.fontsize": 6.0,
    "axes.titlesize": 7.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.5,
    "lines.linewidth": 0.9,
    "lines.markersize": 3.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "gradcheck",
}
_COLOURS = ("#0072b2", "#d55e00", "#009e73")  # of Okabe and Ito's palette: colour-blind readers tell them apart
_MARKERS = ("o", "s", "^")
_STEPS = ("-", "--", ":")


def draw(lines: Sequence[Line], folder: Path) -> list[Path]:
    """One file per figure and size along which it grows. Raises `GradcheckError` without matplotlib or a folder."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise GradcheckError("plots need matplotlib: pip install matplotlib") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GradcheckError(f"plots cannot be written to {folder}: {error.strerror}; name a folder") from None
    written = []
    for figure, along in dict.fromkeys((line.figure, line.along) for line in lines):
        path = folder / f"{figure.replace(' ', '_')}_{along}.svg"
        with matplotlib.rc_context(SETTINGS):
            drawn = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
            _plot(drawn.subplots(), [line for line in lines if (line.figure, line.along) == (figure, along)])
            drawn.savefig(path, metadata={"Date": None})
        written.append(path)
    return written


def legend(line: Line) -> str:
    """The label, the fitted exponent, and the counted one."""
    counted = f"{line.along}^{line.counted}" if line.counted != 1 else line.along
    return f"{line.label}, {line.other}: {line.along}^{line.exponent:.2f}, counted {counted}"


def _plot(axes: Any, lines: Sequence[Line]) -> None:
    for line, colour, marker, step in zip(lines, _COLOURS, _MARKERS, _STEPS, strict=False):
        sizes, seconds = np.array(line.sizes, dtype=float), np.array(line.seconds)
        last = sizes[-FITTED:]
        middle = np.exp(np.log(seconds[-FITTED:]).mean() - line.exponent * np.log(last).mean())
        axes.plot(sizes, seconds, marker, color=colour)
        axes.plot(last, middle * last**line.exponent, step, color=colour)
        axes.plot([], [], step, marker=marker, color=colour, label=legend(line))
    axes.set(xscale="log", yscale="log", xlabel=lines[0].along, ylabel="seconds", title=lines[0].figure)
    ticks = sorted({size for line in lines for size in line.sizes})
    axes.set_xticks(ticks, [str(size) for size in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.22), handlelength=2.4)
