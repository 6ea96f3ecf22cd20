"""The price of robustness.

Three decisions whose transition probabilities are known up to an L1 ball of radius ψ a state and
action. A line is one policy: the best one for some assumed radius, and what it earns against the
worst kernel of the true radius on the horizontal axis; policies that earn the same are one line.
Dots mark the radii a policy was made for, the wide grey line the robust optimum. Above, the value
at the start; below, what is lost against the optimum for the true radius. No line crosses the
optimum: at each radius the policy made for it is the best one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory import TabularMDP
from mdptheory.environments import machine_replacement, population, riverswim
from mdptheory.models import L1Ball
from mdptheory.models.ambiguity import Support
from mdptheory.solvers import evaluate_robust, robust_solve
from paper_figures._runner import Progress

PROBLEMS: dict[str, tuple[Callable[[], TabularMDP], int, Support]] = {
    "riverswim": (riverswim, 0, "nominal"),
    "machine replacement": (machine_replacement, 0, "nominal"),
    "population": (population, 10, "all"),
}
COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7")


@dataclass(frozen=True, slots=True)
class Config:
    """What to run.

    Attributes
    ----------
    problems : tuple of str
        Names in `PROBLEMS`.
    assumed : tuple of float
        Radii that policies are made for.
    largest : float
        Largest true radius.
    steps : int
        True radii from 0 on, besides the assumed ones.
    tol : float
        Certified error of each value, as a share of the nominal value's size.
    """

    problems: tuple[str, ...] = tuple(PROBLEMS)
    assumed: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7)
    largest: float = 1.0
    steps: int = 41
    tol: float = 1e-8

    @classmethod
    def quick(cls) -> Self:
        """Take fewer true radii."""
        return cls(steps=13)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Make the policies, and evaluate each under every radius."""
    radii = np.union1d(np.linspace(0.0, config.largest, config.steps), config.assumed)
    data: dict[str, Any] = {
        "problems": np.array(config.problems),
        "assumed": np.array(config.assumed),
        "radii": radii,
    }
    for i, name in enumerate(config.problems):
        make, start, support = PROBLEMS[name]
        mdp = make()
        tol = config.tol * float(np.abs(robust_solve(mdp, L1Ball(0.0, support)).v).max())
        best = []
        for k, radius in enumerate(radii):
            progress(name, i * len(radii) + k, len(config.problems) * len(radii))
            best.append(robust_solve(mdp, L1Ball(float(radius), support), tol=tol))
        value = [
            [
                evaluate_robust(mdp, L1Ball(float(r), support), policy, tol=tol).v[start]
                for r in radii
            ]
            for policy in (best[int(np.searchsorted(radii, psi))].policy for psi in config.assumed)
        ]
        data[f"value_{i}"] = np.array(value)
        data[f"best_{i}"] = np.array([solution.v[start] for solution in best])
        data[f"tol_{i}"], data[f"start_{i}"] = tol, start
    return data


def plot(data: dict[str, Any], fig: Any) -> None:
    """Problems across; value above, loss below."""
    problems = [str(name) for name in data["problems"]]
    fig.set_size_inches(3.9 * len(problems), 6.0)
    axes = fig.subplots(2, len(problems), sharex=True, squeeze=False, height_ratios=[1.25, 1])
    for i, name in enumerate(problems):
        value, loss = axes[0, i], axes[1, i]
        value.set_title(f"{name}, from state {int(data[f'start_{i}'])}")
        value.plot(data["radii"], data[f"best_{i}"], color="#BBBBBB", linewidth=5, zorder=1)
        for first, members in _groups(data[f"value_{i}"], float(data[f"tol_{i}"])):
            _policy(value, loss, data, i, first, members)
        value.legend(fontsize=7.5, title="made for ψ =", title_fontsize=7.5, alignment="left")
        loss.set_xlabel("true radius ψ (L1 distance)")
    axes[0, 0].set_ylabel("worst-case value at the start\n(discounted reward)")
    axes[1, 0].set_ylabel("loss against the best policy\n(discounted reward)")


def _groups(values: Any, tol: float) -> list[tuple[int, list[int]]]:
    """Return the distinct curves: the first assumed radius of each, and all of them."""
    groups: list[tuple[int, list[int]]] = []
    for k, curve in enumerate(values):
        same = [group for first, group in groups if np.allclose(values[first], curve, atol=4 * tol)]
        if same:
            same[0].append(k)
        else:
            groups.append((k, [k]))
    return groups


def _policy(value: Any, loss: Any, data: dict[str, Any], i: int, k: int, members: Any) -> None:
    radii, curve = data["radii"], data[f"value_{i}"][k]
    label = ", ".join(f"{data['assumed'][j]:g}" for j in members)
    colour = COLOURS[k % len(COLOURS)]
    made = np.searchsorted(radii, data["assumed"][members])
    lost = data[f"best_{i}"] - curve
    value.plot(radii, curve, color=colour, label=label, linewidth=1.4)
    value.plot(radii[made], curve[made], "o", color=colour, markersize=4)
    loss.plot(radii, lost, color=colour, linewidth=1.4)
    loss.plot(radii[made], lost[made], "o", color=colour, markersize=4, clip_on=False)
