"""Repeated retraining where predictions move what they predict."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.errors import InvalidModelError
from mdptheory.models import PerformativeGaussian
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks

ROUNDS = 12
STRONGEST = 0.9
OFFSETS = np.array([-2.0, -0.5, -0.125, 0.125, 0.5, 2.0])
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(4)  # exact for the squares at hand


@case
class Case:
    """A model and where retraining starts.

    Attributes
    ----------
    m, eps, s, bias : float
        As in `PerformativeGaussian`.
    start, other : float
        Two first predictions.
    """

    m: float
    eps: float
    s: float
    bias: float
    start: float
    other: float

    @property
    def model(self) -> PerformativeGaussian:
        """The model of these numbers."""
        return PerformativeGaussian(self.m, self.eps, self.s, self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Two sequences of predictions.

    Attributes
    ----------
    case : Case
        The instance.
    model : PerformativeGaussian
        Its model.
    first, second : array of shape (ROUNDS + 1,)
        Predictions from both starts.
    """

    case: Case
    model: PerformativeGaussian
    first: FloatArray
    second: FloatArray

    @property
    def error(self) -> FloatArray:
        """Distances of the first sequence from the stable point."""
        return np.abs(self.first - self.model.stable_point)

    @property
    def width(self) -> float:
        """Size of the numbers at hand."""
        return 1.0 + float(np.abs(self.first).max()) + abs(self.model.stable_point)


def draw(rng: np.random.Generator, low: int, high: int) -> Case:
    """Draw numbers in quarters; the strength is in twentieths, of either sign."""
    eps = float(rng.integers(low, high + 1)) / 20 * float(rng.choice([-1.0, 1.0]))
    m, bias, start, other = (float(x) / 4 for x in rng.integers(-8, 9, 4))
    return Case(m, eps, float(rng.integers(0, 5)) / 4, bias, start, other)


def sample(rng: np.random.Generator) -> Case:
    """Draw predictions that move x by at most 0.9 of themselves."""
    return draw(rng, 0, 18)


def strong(rng: np.random.Generator) -> Case:
    """Draw predictions that move x by more than themselves."""
    return draw(rng, 21, 30)


def admissible(case: Case) -> bool:
    """Tell whether the numbers are moderate and the strength is below 1."""
    try:
        model = case.model
    except InvalidModelError:
        return False
    sizes = [abs(x) for x in (case.m, case.s, case.bias, case.start, case.other)]
    return model.contraction <= STRONGEST and max(sizes) <= 100.0


def run(case: Case) -> Trace:
    """Retrain from both starts."""
    model = case.model
    return Trace(case, model, *(model.retrain(x, ROUNDS) for x in (case.start, case.other)))


# ---- links --------------------------------------------------------------------------------------


def expected_loss(
    model: PerformativeGaussian, theta: FloatArray, deployed: FloatArray
) -> FloatArray:
    """Integrate the loss by Gauss's rule, without the model's own formula."""
    x = model.m + model.eps * deployed[..., None] + model.s * NODES
    loss = (theta[..., None] - x) ** 2 / 2 - model.bias * x
    return loss @ WEIGHTS / WEIGHTS.sum()


def minimises(trace: Trace) -> Checks:
    """Expect no other prediction to have less risk under what the last one brought about."""
    now, then = trace.first[:-1, None], trace.first[1:, None]
    best = expected_loss(trace.model, then, now)
    others = expected_loss(trace.model, then + OFFSETS, now)
    return Check.nonpositive(best - others, scale=trace.width**2, slack=1e-9 * trace.width**2)


def contracts(trace: Trace, *, power: int = 1) -> Checks:
    """Hold the distance of two sequences to |eps| times that of the round before."""
    apart = np.abs(trace.first - trace.second)
    factor = trace.model.contraction**power
    return Check.worst(apart[1:], factor * apart[:-1], scale=trace.width)


def exact(trace: Trace) -> Checks:
    """Expect the error after t rounds to be |eps|^t times the first one."""
    powers = trace.model.contraction ** np.arange(ROUNDS + 1)
    return Check.equal(trace.error, powers * trace.error[0], scale=trace.width)


def forgets(trace: Trace) -> Checks:
    """Hold the error after t rounds to 0.9^t times the first one."""
    powers = STRONGEST ** np.arange(ROUNDS + 1)
    return Check.worst(trace.error, powers * trace.error[0], scale=trace.width)


def optimal(trace: Trace, *, point: str = "optimal_point") -> Checks:
    """Expect no prediction to have less risk under what it brings about itself."""
    best = np.array(getattr(trace.model, point))
    rivals = np.append(best + OFFSETS, [trace.model.stable_point, trace.model.optimal_point])
    found = expected_loss(trace.model, best, best)
    others = expected_loss(trace.model, rivals, rivals)
    size = (1.0 + float(np.abs(rivals).max())) ** 2
    return Check.nonpositive(found - others, scale=size, slack=1e-9 * size)


def gap(trace: Trace, *, power: int = 2) -> Checks:
    """Expect stable and optimal point to be |bias eps| / (1 - eps)^2 apart."""
    model = trace.model
    claimed = abs(model.bias * model.eps) / (1.0 - model.eps) ** power
    return Check.equal(abs(model.optimal_point - model.stable_point), claimed, scale=trace.width)


def stale(case: Case) -> Trace:
    """Retrain on what the last prediction but one brought about."""
    model, found = case.model, []
    for x in (case.start, case.other):
        seen = [x, x]
        for _ in range(ROUNDS):
            seen.append(model.m + model.eps * seen[-2])
        found.append(np.array(seen[1:]))
    return Trace(case, model, *found)


CHAIN = Chain(
    id="fair.performative",
    title="Retraining on what predictions bring about contracts by their strength",
    source="Perdomo, Zrnic, Mendler-Dünner, Hardt 2020, in a normal instance; constants ours",
    statement=(
        "x ~ N(m + eps theta, s^2), loss (theta - x)^2 / 2 - b x: retraining has"
        " |theta_t - theta_s| = |eps|^t |theta_0 - theta_s|, theta_s = m / (1 - eps); the risk is"
        " least at theta_o = theta_s + b eps / (1 - eps)^2."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="expected losses by Gauss-Hermite quadrature, compared at other predictions",
    links=(
        Link("minimises", "theta_(t+1) has the least risk on D(theta_t)", minimises),
        Link("contracts", "|G(a) - G(b)| <= |eps| |a - b|", contracts),
        Link("exact", "|theta_t - theta_s| = |eps|^t |theta_0 - theta_s|", exact),
        Link("forgets", "|theta_t - theta_s| <= 0.9^t |theta_0 - theta_s|", forgets),
        Link("optimal", "no theta has less risk on D(theta) than theta_o", optimal),
        Link("gap", "|theta_o - theta_s| = |b eps| / (1 - eps)^2", gap),
    ),
    twins=(
        Twin(
            "strong",
            "predictions move x by more than themselves",
            sample=strong,
            expect_link="forgets",
        ),
        Twin(
            "stale",
            "each round learns from what the last prediction but one brought about",
            run=stale,
            expect_link=("minimises", "contracts", "exact"),
        ),
        Twin(
            "stable_is_best",
            "the stable point is claimed to be optimal",
            links={"optimal": partial(optimal, point="stable_point")},
            expect_link="optimal",
        ),
        Twin(
            "one_factor",
            "the gap is claimed with one factor 1 - eps",
            links={"gap": partial(gap, power=1)},
            expect_link="gap",
        ),
        Twin(
            "squared",
            "distances are claimed to shrink by eps^2",
            links={"contracts": partial(contracts, power=2)},
            expect_link="contracts",
        ),
    ),
)
"""Tight on every link: the instance is solved exactly."""
