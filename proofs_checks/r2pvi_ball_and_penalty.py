"""Balls against penalties on the same divergence, and what a bolder nature costs."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import FactorAmbiguity, KLBall, KLPenalty, LinearMDP, TVBall, TVPenalty
from mdptheory.solvers import linear_evaluate, linear_plan
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered
from proofs_checks._linear_cases import is_policy, is_small, random_policy
from proofs_checks._linear_oracles import plan
from proofs_checks._soft_cases import random_model, stairs

RADII = (0.0, 0.02, 0.1, 0.3, 1.0)
WEIGHTS = (0.05, 0.2, 0.5, 1.0, 3.0)


@case
class Case:
    """A model, a policy, and two levels of each set.

    Attributes
    ----------
    mdp : LinearMDP
        The model.
    pi : array of shape (H, S, A)
        A policy.
    entropy : bool
        Whether the divergence is KL; else it is total variation.
    radius, wider : float
        Of balls, in [0, 1]; the second is the larger.
    weight, dearer : float
        Of penalties; the second is the larger.
    """

    mdp: LinearMDP
    pi: FloatArray
    entropy: bool
    radius: float
    wider: float
    weight: float
    dearer: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Optimal value and the policy's, against each nature; arrays of shape (2, H + 1, S).

    Attributes
    ----------
    case : Case
        The instance.
    ball, wider, penalty, dearer : array
        By the library.
    far : array
        Under the TV penalty with the least weight that no range of nominal values exceeds.
    """

    case: Case
    ball: FloatArray
    wider: FloatArray
    penalty: FloatArray
    dearer: FloatArray
    far: FloatArray

    @property
    def scale(self) -> float:
        """The horizon: no value is larger."""
        return float(self.case.mdp.horizon)


def sample(rng: np.random.Generator) -> Case:
    """Draw a model, stairs that end where nature wants, and levels."""
    mdp = random_model(rng)
    if not rng.integers(4):
        mdp = stairs(int(rng.integers(2, 5)), 0.25 * float(rng.integers(2)))
    radii, weights = (np.sort(rng.choice(np.array(x), 2)) for x in (RADII, WEIGHTS))
    levels = (float(x) for x in (*radii, *weights))
    return Case(mdp, random_policy(rng, mdp), bool(rng.integers(2)), *levels)


def ball(case: Case, radius: float) -> FactorAmbiguity:
    """Return the ball of the case's divergence."""
    return KLBall(radius) if case.entropy else TVBall(radius)


def penalty(case: Case, weight: float) -> FactorAmbiguity:
    """Return the penalty on the case's divergence."""
    return KLPenalty(weight) if case.entropy else TVPenalty(weight)


def run(case: Case) -> Trace:
    """Plan and evaluate against five natures."""
    nominal = [plan(case.mdp, None).v, plan(case.mdp, None, case.pi).v]
    range_ = max(float(np.ptp(v[1:], axis=1).max()) for v in nominal)
    sets = (
        ball(case, case.radius),
        ball(case, case.wider),
        penalty(case, case.weight),
        penalty(case, case.dearer),
        TVPenalty(max(range_, 1e-3)),
    )
    return Trace(case, *(library(case, one) for one in sets))


def library(case: Case, ambiguity: FactorAmbiguity) -> FloatArray:
    """Return the library's two values."""
    own = linear_evaluate(case.mdp, case.pi, ambiguity).v
    return np.array([linear_plan(case.mdp, ambiguity).v, own])


def by_definition(case: Case, ambiguity: FactorAmbiguity | None) -> FloatArray:
    """Return both values by the second route."""
    return np.array([plan(case.mdp, ambiguity).v, plan(case.mdp, ambiguity, case.pi).v])


def admissible(case: Case) -> bool:
    """Tell whether the model is small and the levels are moderate and in order."""
    ordered = 0 <= case.radius <= case.wider <= 1 and 0.02 <= case.weight <= case.dearer <= 10
    return ordered and is_small(case.mdp) and is_policy(case.mdp, case.pi)


# ---- links --------------------------------------------------------------------------------------


def values(trace: Trace) -> Iterator[Check]:
    """Compare the ball and the penalty with the second route."""
    case = trace.case
    for found, one in (
        (trace.ball, ball(case, case.radius)),
        (trace.penalty, penalty(case, case.weight)),
    ):
        own = by_definition(case, one)
        yield from Check.equal(found, own, slack=1e-8, scale=trace.scale)


def above(trace: Trace, *, share: float = 1.0) -> Checks:
    """V_ball >= V_penalty - weight * radius * (steps left - 1)."""
    case = trace.case
    left = np.maximum(np.arange(case.mdp.horizon, -1, -1.0) - 1, 0.0)[:, None]
    loss = case.weight * case.radius * left * share
    return Check.nonpositive(trace.penalty - loss - trace.ball, scale=trace.scale)


def dearer(trace: Trace) -> Checks:
    """Hold values down when moving costs less."""
    return Check.nonpositive(trace.penalty - trace.dearer, scale=trace.scale)


def wider(trace: Trace) -> Checks:
    """Hold values down when the ball is larger."""
    return Check.nonpositive(trace.wider - trace.ball, scale=trace.scale)


def nominal(trace: Trace) -> Checks:
    """Find nominal values when moving costs as much as it can gain."""
    return Check.equal(trace.far, by_definition(trace.case, None), scale=trace.scale)


# ---- broken versions ----------------------------------------------------------------------------


def swapped_radii(case: Case) -> Trace:
    """Take the smaller ball for the larger, and the cheaper penalty for the dearer."""
    trace = run(case)
    return Trace(case, trace.wider, trace.ball, trace.dearer, trace.penalty, trace.far)


def half_range(trace: Trace) -> FloatArray:
    """Take half the range as the weight, as for the L1 distance."""
    values = by_definition(trace.case, None)
    range_ = max(float(np.ptp(values[:, 1:], axis=2).max()), 2e-3)
    return library(trace.case, TVPenalty(range_ / 2))


def nominal_values(trace: Trace) -> FloatArray:
    """Evaluate without nature."""
    return by_definition(trace.case, None)


CHAIN = Chain(
    id="r2pvi.ball_and_penalty",
    title="Balls against penalties on the same divergence",
    source="derived: Lagrangian weak duality a factor and step, and induction",
    statement=(
        "For total variation and KL, a policy's value and the optimal one satisfy V_ball(rho) >="
        " V_penalty(weight) - weight rho (H - 1 - h) at step h from 0. V_penalty does not fall"
        " with the weight, V_ball does not rise with rho. The TV penalty is nominal once the"
        " weight is at least the range of the next values at every step."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="rows by bisection for their multiplier; backward induction in NumPy",
    links=(
        Link("values", "the library's values = the second route's", values),
        Link("above", "V_ball >= V_penalty - weight rho (H - 1 - h)", above),
        Link("dearer", "V_penalty(weight) <= V_penalty(larger weight)", dearer),
        Link("wider", "V_ball(larger rho) <= V_ball(rho)", wider),
        Link("nominal", "weight >= range of next values: TV penalty = nominal", nominal),
    ),
    twins=(
        Twin(
            "half_loss",
            "half of weight * rho is taken off",
            links={"above": partial(above, share=0.5)},
            expect_link="above",
        ),
        Twin(
            "nominal_penalty",
            "nominal values stand for those under the penalty",
            run=altered(run, penalty=nominal_values),
            expect_link=("values", "above", "dearer"),
        ),
        Twin(
            "swapped",
            "larger and smaller levels change places",
            run=swapped_radii,
            expect_link=("values", "dearer", "wider"),
        ),
        Twin(
            "half_range",
            "half the range is taken for the weight",
            run=altered(run, far=half_range),
            expect_link="nominal",
        ),
    ),
)
"""Tight: equalities; stairs whose steps nature may cut, at the best weight."""
