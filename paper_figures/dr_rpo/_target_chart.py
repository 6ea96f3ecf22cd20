"""The drawing of figure 1."""

from typing import Any

import numpy as np

from paper_figures.dr_rpo._style import COLOURS, DASHED, DOTTED, TAU_SHADES
from paper_figures.r2pvi._style import REFERENCE, band, reference

LOOKS: tuple[tuple[str, str, Any], ...] = (
    ("LSVI-UCB", COLOURS["LSVI-UCB"], "-"),
    ("KL-LSVI-UCB, τ = 0.05", COLOURS["KL-LSVI-UCB"], (0, (5, 1.2, 1, 1.2))),
    ("DR-LSVI-UCB, ρ = 0.3", COLOURS["DR-LSVI-UCB"], DASHED),
    ("DR-LSVI-UCB, ρ = 0.5", COLOURS["DR-LSVI-UCB"], "-"),
    ("DR-RPO, ρ = 0.5, τ = 0.3", TAU_SHADES[0.3], "-"),
    ("DR-RPO, ρ = 0.5, τ = 0.05", TAU_SHADES[0.05], "-"),
    ("DR-RPO, ρ = 0.5, τ = 0.01", TAU_SHADES[0.01], "-"),
)
LINEAR_BELOW = 0.01


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw one column a size, three rows."""
    n = len(data["xi"])
    fig.set_size_inches(11.2, 10.2)
    axes = fig.subplots(3, n, sharey="row", squeeze=False)
    for i in range(n):
        _target(axes[0, i], data, i)
        axes[0, i].set_title(f"‖ξ‖ = {data['xi'][i]:g}")
        _radius(axes[1, i], data, i)
        _regret(axes[2, i], data, i)
    axes[0, 0].set_ylabel("expected total reward (3 steps)")
    axes[1, 0].set_ylabel("expected total reward at q = 1")
    axes[2, 0].set_ylabel("exact regret of the episode (reward)")
    _legend(fig)


def _target(ax: Any, data: dict[str, Any], i: int) -> None:
    x = data["shifts"]
    reference(ax, x, data[f"lines_{i}"][1], dashed=False)
    reference(ax, x, data[f"lines_{i}"][0], dashed=True)
    for k, (_, colour, style) in enumerate(LOOKS):
        mean = data[f"reward_{i}"][k].mean(axis=0)
        band(ax, x, mean, data[f"reward_ends_{i}"][k], colour, linestyle=style)
    ax.set_xlabel("perturbation q of the target (probability)")


def _radius(ax: Any, data: dict[str, Any], i: int) -> None:
    x = data["radii"]
    ax.axvline(float(data[f"threshold_{i}"]), color=REFERENCE, linestyle=DOTTED, linewidth=1.3)
    for j, tau in enumerate(data["taus"]):
        colour = TAU_SHADES.get(float(tau), COLOURS["DR-LSVI-UCB"])
        mean, ends = data[f"last_{i}"][j].mean(axis=-1), data[f"last_ends_{i}"][j]
        band(ax, x, mean, ends, colour, marker="o", markersize=3)
        if tau > 0.0:
            ax.plot(x, data[f"exact_{i}"][j], color=colour, linewidth=0.8)
        else:
            low, high = data[f"exact_{i}"][j][[0, -1]]
            at = float(data[f"threshold_{i}"])
            ax.plot([x[0], at, at, x[-1]], [low, low, high, high], color=colour, linewidth=0.8)
    ax.set_xlabel("radius ρ (total variation)")


def _regret(ax: Any, data: dict[str, Any], i: int) -> None:
    edges = data["blocks"]
    x = np.sqrt((edges[:-1] + 1.0) * edges[1:].clip(1))  # blocks' middles, on the log scale
    for k, (_, colour, style) in enumerate(LOOKS):
        mean, ends = data[f"block_{i}"][k].mean(axis=0), data[f"block_ends_{i}"][k]
        band(ax, x, mean, ends, colour, linestyle=style, linewidth=1.4)
    ax.set_xscale("log")
    ax.set_yscale("symlog", linthresh=LINEAR_BELOW, linscale=0.5)
    ax.set_ylim(-0.0005, 2.0)
    ticks = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
    ax.set_yticks(ticks, [f"{y:g}" for y in ticks])
    ax.set_xticks((1, 3, 10, 30, 100), ("1", "3", "10", "30", "100"))
    ax.minorticks_off()
    ax.set_xlabel("episode")


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=c, linestyle=s, label=label) for label, c, s in LOOKS]
    handles += [
        Line2D([], [], color=REFERENCE, linewidth=1.0, label="always u+ first"),
        Line2D([], [], color=REFERENCE, linewidth=1.0, linestyle=DASHED, label="always u- first"),
        Line2D([], [], color=REFERENCE, linewidth=0.8, label="thin: exact policy (middle row)"),
        Line2D([], [], color=REFERENCE, linestyle=DOTTED, label="ρ where it changes, τ = 0"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8)
    fig.suptitle("DR-RPO (reconstruction), our protocol: learnt in 100 nominal episodes")
