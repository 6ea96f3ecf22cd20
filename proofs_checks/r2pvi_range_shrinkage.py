"""Robust values lie closer together than rewards allow: nature restarts from the least state."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import LinearMDP, TVBall, TVPenalty
from mdptheory.solvers import linear_evaluate
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered
from proofs_checks._linear_cases import is_policy, is_small, mixed, random_policy
from proofs_checks._linear_oracles import plan
from proofs_checks._soft_cases import random_model

RADII = (0.05, 0.1, 0.25, 0.5, 1.0)
WEIGHTS = (0.1, 0.25, 0.5, 0.75, 3.0)


@case
class Case:
    """A model, a policy, and what nature may do.

    Attributes
    ----------
    mdp : LinearMDP
        The model.
    pi : array of shape (H, S, A)
        A policy.
    radius : float
        Of the ball, common to all factors; in (0, 1].
    weight : array of shape (H, d)
        Of the penalty; positive.
    """

    mdp: LinearMDP
    pi: FloatArray
    radius: float
    weight: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The policy's robust values, by the library.

    Attributes
    ----------
    case : Case
        The instance.
    ball, penalty : array of shape (H + 1, S)
        Values in the ball and under the penalty.
    """

    case: Case
    ball: FloatArray
    penalty: FloatArray

    @property
    def left(self) -> FloatArray:
        """Steps left at each step, shape (H,)."""
        return np.arange(self.case.mdp.horizon, 0, -1.0)


def sample(rng: np.random.Generator) -> Case:
    """Draw a corridor, or a random model, and a policy."""
    special = int(rng.integers(3))
    mdp = split(rng) if special == 0 else random_model(rng) if special == 1 else mixed(rng)
    radius = float(rng.choice(RADII))
    weight = rng.choice(np.array(WEIGHTS), (mdp.horizon, mdp.n_factors))
    return Case(mdp, random_policy(rng, mdp), radius, np.asarray(weight))


def split(rng: np.random.Generator) -> LinearMDP:
    """Build two absorbing states, one paid 1 and one paid nothing."""
    phi = np.eye(2)[:, None, :]
    horizon = int(rng.integers(2, 6))
    theta = np.tile([1.0, 0.0], (horizon, 1))
    return LinearMDP(phi, theta, np.broadcast_to(np.eye(2), (horizon, 2, 2)), 0)


def run(case: Case) -> Trace:
    """Evaluate the policy twice."""
    values = [
        linear_evaluate(case.mdp, case.pi, ambiguity).v
        for ambiguity in (TVBall(case.radius), TVPenalty(case.weight))
    ]
    return Trace(case, values[0], values[1])


def admissible(case: Case) -> bool:
    """Tell whether the model is small, the ball no point, the weights positive."""
    mdp = case.mdp
    if case.weight.shape != (mdp.horizon, mdp.n_factors) or not 0.01 <= case.radius <= 1:
        return False
    return is_small(mdp) and is_policy(mdp, case.pi) and bool((case.weight >= 0.01).all())


# ---- links --------------------------------------------------------------------------------------


def values(trace: Trace) -> Iterator[Check]:
    """Compare the library's values with the second route's."""
    case = trace.case
    scale = float(case.mdp.horizon)
    ball = plan(case.mdp, TVBall(case.radius), case.pi).v
    penalty = plan(case.mdp, TVPenalty(case.weight), case.pi).v
    yield from Check.equal(trace.ball, ball, scale=scale)
    yield from Check.equal(trace.penalty, penalty, scale=scale)


def spans(v: FloatArray) -> FloatArray:
    """Return the range of values at each step, shape (H,)."""
    return np.asarray(np.ptp(v[:-1], axis=1))


def ball_range(trace: Trace, *, steps: int = 0) -> Checks:
    """Bound max V_h - min V_h by (1 - (1 - rho)^(steps left)) / rho."""
    rho, left = trace.case.radius, trace.left - steps
    bound = (1 - (1 - rho) ** left) / rho
    return Check.worst(spans(trace.ball), bound, trivial=trace.left)


def penalty_range(trace: Trace, *, share: float = 1.0) -> Checks:
    """Bound max V_h - min V_h by 1 + min(largest weight of the step, steps left - 1)."""
    most = trace.case.weight.max(axis=1) * share
    return Check.worst(
        spans(trace.penalty), 1 + np.minimum(most, trace.left - 1), trivial=trace.left
    )


# ---- broken versions ----------------------------------------------------------------------------


def nominal(trace: Trace) -> FloatArray:
    """Evaluate without nature."""
    return plan(trace.case.mdp, None, trace.case.pi).v


def two_states(rng: np.random.Generator) -> Case:
    """Draw the corridor and levels."""
    drawn, mdp = sample(rng), split(rng)
    weight = rng.choice(np.array(WEIGHTS), (mdp.horizon, 2))
    return Case(mdp, random_policy(rng, mdp), drawn.radius, np.asarray(weight))


CHAIN = Chain(
    id="r2pvi.range_shrinkage",
    title="Ranges of robust values under total variation",
    source="ball: Liu and Xu, NeurIPS 2024, Lemma 5.1; penalty derived here",
    statement=(
        "With rewards in [0, 1] and n steps left, the values of any policy lie within (1 - (1 -"
        " rho)^n)/rho of each other if every factor may move by rho in total variation, and within"
        " 1 + min(largest weight of the step, n - 1) if moving is paid by weights."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="nature keeps the lowest mass, or moves what gains; backward induction in NumPy",
    links=(
        Link("values", "the library's values = the second route's", values),
        Link("ball", "max V_h - min V_h <= (1 - (1 - rho)^(H - h)) / rho", ball_range),
        Link("penalty", "max V_h - min V_h <= 1 + min(max_i weight_hi, H - 1 - h)", penalty_range),
    ),
    twins=(
        Twin(
            "nominal",
            "the values of rho = 0, and of no penalty, are taken",
            sample=two_states,
            run=altered(run, ball=nominal, penalty=nominal),
            expect_link=("values", "ball", "penalty"),
        ),
        Twin(
            "one_step_less",
            "the bound counts one step less",
            sample=two_states,
            links={"ball": partial(ball_range, steps=1)},
            expect_link="ball",
        ),
        Twin(
            "half_weight",
            "the bound has half the weight, as for the L1 distance",
            sample=two_states,
            links={"penalty": partial(penalty_range, share=0.5)},
            expect_link="penalty",
        ),
    ),
)
"""Tight: two absorbing states, one paid 1 and one paid nothing."""
