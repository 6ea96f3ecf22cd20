"""The drawing of figure 1."""

from typing import Any

import numpy as np

from mdptheory._typing import FloatArray
from paper_figures.r2pvi import _published as published
from paper_figures.r2pvi._style import COLOURS, REFERENCE, SHADES, band, reference

DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)))
HOLLOW: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "white", "markersize": 4.5}
MARKERS = {"PEVI": "o", "R2PVI-TV": "s", "R2PVI-KL": "D", "R2PVI-χ²": "^", "DRPVI": "v"}


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw the four panels."""
    fig.set_size_inches(10.6, 9.2)
    axes = fig.subplots(2, 2)
    _perturbed(axes[0, 0], data)
    _weights(axes[0, 1], data)
    _levels(axes[1, 0], data)
    _put(axes[1, 1], data)
    _legend(fig)


def _perturbed(ax: Any, data: dict[str, Any]) -> None:
    x = data["shifts"]
    lines = [
        ("PEVI", "PEVI", "PEVI", "-"),
        ("R2PVI-TV", "R2PVI-TV", "TV", "-"),
        ("R2PVI-KL", "R2PVI-KL", "KL", "-"),
        ("R2PVI-χ², the program's minimum", "R2PVI-χ²", "chi2", "-"),
        ("R2PVI-χ², maximum", "R2PVI-χ²", "", (0, (4, 1.5))),
    ]
    for k, (label, name, key, style) in enumerate(lines):
        colour = COLOURS[name]
        looks = {"label": label, "linestyle": style, "linewidth": 3.0 if k == 3 else 1.6}
        band(ax, x, data["a_mean"][k], data["a_ends"][k], colour, **looks)
        if key:
            ax.plot(x, published.FIG_1A[key], MARKERS[name], color=colour, **HOLLOW)
    _references(ax, x, data["lines_a"])
    ax.set_title("(a) all weights 0.1, ‖ξ‖ = 0.2")
    _axis(ax, "perturbation q (probability)")
    _below(ax, 3)


def _weights(ax: Any, data: dict[str, Any]) -> None:
    x = data["shifts"]
    _references(ax, x, data["lines_b"])
    for k, weight in enumerate(data["weights"]):
        band(
            ax, x, data["b_mean"][k], data["b_ends"][k], SHADES[k], label=f"R2PVI-TV, λ = {weight}"
        )
        ends = [published.FIG_1B[q][k] for q in (0.0, 1.0)]
        ax.plot([0.0, 1.0], ends, MARKERS["R2PVI-TV"], color=SHADES[k], **HOLLOW)
    ax.set_title("(b) four weights, ‖ξ‖ = 0.3")
    _axis(ax, "perturbation q (probability)")
    _below(ax, 2)


def _levels(ax: Any, data: dict[str, Any]) -> None:
    x, names = data["levels"], ("DRPVI", "DRPVI, exact", "R2PVI-TV")
    _references(ax, x[[0, -1]], np.repeat(data["lines_a"][:, -1:], 2, axis=1))
    for k, name in enumerate(names):
        colour = COLOURS[name.partition(",")[0]]
        if name == "DRPVI, exact":
            ax.plot(x, data["c_mean"][k], color=colour, linewidth=0.7, label="DRPVI, exact maximum")
            continue
        label = "DRPVI, x = ρ" if name == "DRPVI" else "R2PVI-TV, x = λ"
        band(ax, x, data["c_mean"][k], data["c_ends"][k], colour, label=label)
        ax.plot(x, published.FIG_1C[name], MARKERS[name], color=colour, **HOLLOW)
    ax.set_title("(c) at q = 1, ‖ξ‖ = 0.2")
    _axis(ax, "radius ρ (total variation) or weight λ (reward)")
    _below(ax, 3)


def _put(ax: Any, data: dict[str, Any]) -> None:
    x = data["p_up"]
    ax.plot(x, data["oracle"], color=REFERENCE, linewidth=1.0)
    ax.annotate(
        "optimal stopping at each p", (0.33, 14.0), color="#666666", fontsize=8, va="center"
    )
    ax.plot([], [], color=COLOURS["DRPVI"], linewidth=0.7, label="DRPVI, exact maximum")
    ax.plot([], [], color="#BBBBBB", linewidth=4.0, label="range over data sets")
    for name, symbol, aside in (
        ("PEVI", "", 0.0),
        ("R2PVI-TV", "λ", -0.012),
        ("DRPVI", "ρ", 0.012),
    ):
        levels = published.FIG_1D_LEVELS.get(name, (0.0,))
        for k, level in enumerate(levels):
            label = f"{name}, {symbol} = {level:g}" if symbol else name
            _rule(ax, x + aside, data[f"d_{name}"][k], COLOURS[name], label, DASHES[k])
            ax.plot(x, published.FIG_1D[name][k], MARKERS[name], color=COLOURS[name], **HOLLOW)
            if name == "DRPVI":
                exact = data["d_DRPVI, exact"][k].mean(axis=0)
                ax.plot(x, exact, color=COLOURS[name], linewidth=0.7, linestyle=DASHES[k])
    ax.set_yscale("function", functions=(_root, np.square))
    ticks = (0, 0.25, 1, 2, 4, 6, 9, 15, 20)
    ax.set_yticks(ticks, [f"{y:g}" for y in ticks])
    ax.set_ylim(0.0, 22.0)
    ax.set_xticks(x)
    ax.set_title("(d) American put")
    ax.set_xlabel("probability of an up move p (trained at 0.5)")
    ax.set_ylabel("expected payoff (price units, root scale)")
    _below(ax, 3)


def _rule(ax: Any, x: Any, values: FloatArray, colour: str, label: str, style: Any) -> None:
    """Draw the mean over the data sets, and their range as bars."""
    mean = values.mean(axis=0)
    ax.plot(x, mean, color=colour, linestyle=style, label=label)
    ax.vlines(x, values.min(axis=0), values.max(axis=0), color=colour, linewidth=3.0, alpha=0.18)


def _root(y: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(y, 0.0))


def _references(ax: Any, x: FloatArray, lines: FloatArray) -> None:
    reference(ax, x, lines[1], dashed=False)
    reference(ax, x, lines[0], dashed=True)


def _axis(ax: Any, label: str) -> None:
    ax.set_xlabel(label)
    ax.set_ylabel("expected total reward (3 steps)")


def _below(ax: Any, ncols: int) -> None:
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=ncols, fontsize=7.5)


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color="#444444", label="computed here", linewidth=1.6),
        Line2D([], [], color="#444444", marker="o", label="published", **HOLLOW),
        Line2D([], [], color=REFERENCE, label="exact, u+ first", linewidth=1.0),
        Line2D([], [], color=REFERENCE, label="exact, u- first", linewidth=1.0, linestyle="--"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=4)
