"""The drawing of figure 3."""

from typing import Any

import numpy as np

from paper_figures.r2pvi._style import COLOURS, REFERENCE, band, reference

NAMES = ("R2PVI-TV", "R2PVI-KL", "R2PVI-χ²")
WEIGHTS = ((0.5, 0.2, 0.05), (1.5, 1.0, 0.5))
MODES = ("options with a proof", "published options")
DASHED = (0, (4, 1.6))
STYLES: tuple[Any, Any] = ("-", DASHED)


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw exact planning on the left, learners beside it."""
    fig.set_size_inches(12.0, 7.4)
    axes = fig.subplots(2, 3)
    _exact(axes[0, 0], data, "gain")
    axes[0, 0].axhline(0.0, color=REFERENCE, linewidth=0.9)
    axes[0, 0].set_ylabel("gain of u+ over u- at the first step (reward)")
    axes[0, 0].set_title("exact: what u+ gains")
    note = "solid: leak 0.05\ndashed: no leak"
    axes[0, 0].text(0.97, 0.97, note, transform=axes[0, 0].transAxes, ha="right", va="top")
    _exact(axes[1, 0], data, "value")
    axes[1, 0].set_ylabel("robust optimal value (reward)")
    axes[1, 0].set_title("exact: robust value")
    for i, mode in enumerate(MODES):
        _rewards(axes[i, 1], data, i)
        axes[i, 1].set_title(f"{mode}, K = {data['episodes'][0]}")
        _first(axes[i, 2], data, i)
        axes[i, 2].set_title(f"{mode}, more episodes")
    _legend(fig)


def _exact(ax: Any, data: dict[str, Any], key: str) -> None:
    x = data["weights"]
    for j, name in enumerate(NAMES):
        ax.plot(x, data[key][1, j], color=COLOURS[name])
        ax.plot(x, data[key][0, j], color=COLOURS[name], linestyle=DASHED, linewidth=1.2)
    ax.set_xscale("log")
    ax.set_xlabel("weight λ of the penalty (reward)")


def _looks() -> list[tuple[str, Any]]:
    lines: list[tuple[str, Any]] = [(COLOURS[name], "-") for name in NAMES]
    lines += [(COLOURS[name], DASHED) for name in NAMES]
    return [*lines, (COLOURS["PEVI"], "-")]


def _rewards(ax: Any, data: dict[str, Any], i: int) -> None:
    x = data["shifts"]
    for k, (colour, style) in enumerate(_looks()):
        mean, ends = data[f"reward_{i}"][k], data[f"reward_ends_{i}"][k]
        band(ax, x, mean, ends, colour, linestyle=style, linewidth=2.0 if style == "-" else 1.6)
    for k, dashed in ((1, False), (0, True)):
        reference(ax, x, data["lines"][k], dashed=dashed)
    ax.set_xlabel("perturbation q (probability)")
    ax.set_ylabel("expected total reward (3 steps)")


def _first(ax: Any, data: dict[str, Any], i: int) -> None:
    x = data["episodes"]
    for k, (colour, style) in enumerate(_looks()):
        ends = np.moveaxis(data["first_ends"][i, k], -1, 0)
        band(ax, x, data["first"][i, k], ends, colour, linestyle=style, marker="o", markersize=3)
    for y, name in zip(data["u"], ("u-", "u+"), strict=True):
        ax.axhline(y, color=REFERENCE, linewidth=0.9, linestyle="-" if name == "u+" else DASHED)
    ax.set_xscale("log")
    ax.set_ylim(0.07, 0.53)
    ax.set_yticks([0.1, 0.2, 0.3, 0.4, 0.5], ["0.1 = u-", "0.2", "0.3", "0.4", "0.5 = u+"])
    ax.set_xlabel("episodes K")
    ax.set_ylabel("mean weight u of the first action")


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLOURS[name], linestyle=style, label=f"{name}, λ = {weight:g}")
        for j, name in enumerate(NAMES)
        for style, weight in zip(STYLES, (row[j] for row in WEIGHTS), strict=True)
    ]
    handles += [
        Line2D([], [], color=REFERENCE, linewidth=1.0, label="always u+ first"),
        Line2D([], [], color=REFERENCE, linewidth=1.0, linestyle=DASHED, label="always u- first"),
        Line2D([], [], color=COLOURS["PEVI"], label="PEVI"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8)
