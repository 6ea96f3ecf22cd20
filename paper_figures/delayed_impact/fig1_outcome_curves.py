"""What one decision does to the scores of two groups later: outcome curves, and three policies.

Seven credit clusters of a public lending simulation, two groups, of which the second starts lower;
a lender that earns as much from a repaid loan as it loses by a default. Curves: expected change of
a group's mean score against the share of it that is accepted, highest clusters first; concave and
linear between dots. Markers: policies of largest utility, of all (MaxUtil), at equal acceptance
rates (DemParity) and at equal true-positive rates (EqOpt). Left: a default lowers the score by as
much as a repaid loan raises it; the lender then accepts only those who gain, and equal rates lend
to some in the second group who lose. Right: a default lowers it twice as much; now the lender's own
optimum lowers both groups' mean scores, and equal rates lower the second's most. Exact, no
sampling; prices and score changes are our choices.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory.environments import lending_loop
from mdptheory.models import DelayedImpact
from mdptheory.operators import outcome_curve
from mdptheory.solvers import demographic_parity_policy, equal_opportunity_policy, max_utility
from paper_figures._runner import Progress

POLICIES = (
    ("MaxUtil", max_utility, "s"),
    ("DemParity", demographic_parity_policy, "^"),
    ("EqOpt", equal_opportunity_policy, "o"),
)
GROUPS = (("first group", "#0072B2"), ("second group", "#D55E00"))


@dataclass(frozen=True, slots=True)
class Config:
    """What to draw.

    Attributes
    ----------
    repaid : float
        Change of the score by a repaid loan, in clusters.
    defaults : tuple of float
        Changes by a default, one panel each.
    loss : float
        What a default costs the lender; a repaid loan earns 1.
    """

    repaid: float = 1.0
    defaults: tuple[float, ...] = (-1.0, -2.0)
    loss: float = 1.0

    @classmethod
    def quick(cls) -> Self:
        """Take the same: it is exact and takes no time."""
        return cls()


def model(config: Config, default: float) -> DelayedImpact:
    """Return both groups with one kind of score change."""
    clusters = lending_loop()
    return DelayedImpact(
        clusters.cluster_probs,
        clusters.success,
        u_plus=1.0,
        u_minus=-config.loss,
        c_plus=config.repaid,
        c_minus=default,
    )


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Return curves, and rates and outcomes (policies, groups), for each kind of score change."""
    data: dict[str, Any] = {"repaid": config.repaid, "default": np.array(config.defaults)}
    for i, default in enumerate(config.defaults):
        one = model(config, default)
        for g in range(one.n_groups):
            curve = outcome_curve(one, g)
            data |= {f"curve_x_{i}_{g}": curve.rates, f"curve_y_{i}_{g}": curve.outcomes}
        found = [policy(one) for _, policy, _ in POLICIES]
        data[f"rates_{i}"] = np.array([f.rates for f in found])
        data[f"outcomes_{i}"] = np.array([f.outcomes for f in found])
        data[f"tpr_{i}"] = np.array([f.tpr for f in found])
        data[f"utility_{i}"] = np.array([f.utility for f in found])
    return data


def plot(data: dict[str, Any], fig: Any) -> None:
    """Draw one panel a kind of score change."""
    n = len(data["default"])
    fig.set_size_inches(9.8, 4.7)
    axes = fig.subplots(1, n, squeeze=False)[0]
    for i, ax in enumerate(axes):
        ax.axhspan(-10.0, 0.0, color="#F6E3E0", linewidth=0, zorder=0)
        ax.axhline(0.0, color="#888888", linewidth=0.8)
        for g, (_, colour) in enumerate(GROUPS):
            x, y = data[f"curve_x_{i}_{g}"], data[f"curve_y_{i}_{g}"]
            ax.plot(x, y, color=colour, marker=".", markersize=6)
            for k, (_, _, marker) in enumerate(POLICIES):
                at = data[f"rates_{i}"][k, g], data[f"outcomes_{i}"][k, g]
                size = (11, 8.5, 6)[k]  # policies that agree show inside each other
                ax.plot(*at, marker, mec=colour, mfc="white", mew=1.6, ms=size, zorder=4 + k)
        low = min(float(data[f"curve_y_{i}_{g}"].min()) for g in range(len(GROUPS)))
        high = max(float(data[f"curve_y_{i}_{g}"].max()) for g in range(len(GROUPS)))
        ax.set_ylim(low - 0.06 * (high - low), high + 0.08 * (high - low))
        ax.set_xlim(-0.02, 1.02)
        up, down = float(data["repaid"]), float(data["default"][i])
        ax.set_title(f"repaid +{up:g}, default −{-down:g} (clusters)")
        ax.set_xlabel("share of the group that is accepted")
    axes[0].set_ylabel("expected change of the mean score (clusters)")
    _legend(fig)


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    lines: list[Any] = [
        Line2D([], [], color=colour, marker=".", label=text) for text, colour in GROUPS
    ]
    lines += [
        Line2D([], [], color="#333333", marker=marker, mfc="white", mew=1.6, ls="", label=text)
        for text, _, marker in POLICIES
    ]
    lines.append(Patch(color="#F6E3E0", label="the group declines"))
    fig.legend(handles=lines, loc="outside lower center", ncols=6)
    fig.suptitle("Delayed impact of one decision: clusters of a public lending simulation")
