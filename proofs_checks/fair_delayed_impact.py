"""Delayed impact of threshold policies: whom which rule harms, and which policies are best."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.errors import InvalidModelError
from mdptheory.models import DelayedImpact, PolicyImpact
from mdptheory.operators import outcome_curve, policy_impact, threshold_policy
from mdptheory.solvers import demographic_parity_policy, equal_opportunity_policy, max_utility
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks

GRID = np.linspace(0.0, 1.0, 17)  # selection rates; masses are in eighths
Fill = Callable[[DelayedImpact, float], FloatArray]
Solver = Callable[[DelayedImpact], PolicyImpact]


@case
class Case:
    """Two groups, and a policy to compare with; a success counts 1 for both sides.

    Attributes
    ----------
    pi : array of shape (2, C)
        Distributions of the scores.
    rho : array of shape (C,)
        Success probabilities, not decreasing.
    shares : array of shape (2,)
        Shares of the groups.
    loss, harm : float
        What a failure costs the institution and the applicant, positive.
    accept : array of shape (2, C)
        Any policy.
    """

    pi: FloatArray
    rho: FloatArray
    shares: FloatArray
    loss: float
    harm: float
    accept: FloatArray

    @property
    def model(self) -> DelayedImpact:
        """The model of these numbers."""
        return DelayedImpact(
            self.pi, self.rho, 1.0, -self.loss, 1.0, -self.harm, group_probs=self.shares
        )


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Policies and what they do.

    Attributes
    ----------
    case : Case
        The instance.
    model : DelayedImpact
        Its model.
    curve : array of shape (2, n)
        The library's outcome curves on the grid of rates.
    thresholds : tuple of PolicyImpact
        Threshold policies with both groups at the same rate of the grid.
    free, parity, equal : PolicyImpact
        The best policy of all, at equal rates, at equal true-positive rates.
    """

    case: Case
    model: DelayedImpact
    curve: FloatArray
    thresholds: tuple[PolicyImpact, ...]
    free: PolicyImpact
    parity: PolicyImpact
    equal: PolicyImpact

    @property
    def outcomes(self) -> FloatArray:
        """Outcomes of the threshold policies, shape (2, n)."""
        return np.array([policy.outcomes for policy in self.thresholds]).T

    @property
    def change(self) -> float:
        """How far apart the score's changes are."""
        return 1.0 + self.case.harm

    @property
    def worth(self) -> float:
        """How far apart utilities are."""
        return 1.0 + self.case.loss


def sample(rng: np.random.Generator) -> Case:
    """Draw masses in eighths, some of them 0; success probabilities tie in places."""
    n = int(rng.integers(2, 6))
    pi = rng.multinomial(8, np.full(n, 1 / n), size=2) / 8
    rho = np.sort(rng.integers(0, 9, n)) / 8
    share = float(rng.integers(1, 8)) / 8
    loss, harm = (float(x) / 4 for x in rng.integers(1, 13, 2))
    accept = rng.integers(0, 5, (2, n)) / 4
    drawn = Case(pi, rho, np.array([share, 1.0 - share]), loss, harm, accept)
    return drawn if admissible(drawn) else sample(rng)


def admissible(case: Case) -> bool:
    """Tell whether the numbers make a model in which each group has successes."""
    try:
        model = case.model
    except InvalidModelError:
        return False
    if model.group_probs.min() < 0.05:  # who is not there is no test of a rule
        return False
    plain = 0.05 <= case.loss <= 20.0 and 0.05 <= case.harm <= 20.0
    fits = case.accept.shape == case.pi.shape == (2, len(case.rho))
    if not (plain and fits and ((case.accept >= 0) & (case.accept <= 1)).all()):
        return False
    return bool((model.pi * model.rho).sum(axis=1).min() > 0.01)


def run(
    case: Case,
    *,
    fill: Fill = threshold_policy,
    free: Solver = max_utility,
    parity: Solver = demographic_parity_policy,
    equal: Solver = equal_opportunity_policy,
) -> Trace:
    """Evaluate threshold policies along a grid, and the best policies."""
    model = case.model
    return Trace(
        case,
        model,
        np.array([outcome_curve(model, g, GRID).outcomes for g in range(2)]),
        tuple(policy_impact(model, fill(model, float(rate))) for rate in GRID),
        free(model),
        parity(model),
        equal(model),
    )


# ---- links --------------------------------------------------------------------------------------


def kinks(trace: Trace) -> Checks:
    """Expect the curve to interpolate between its kinks what threshold policies do."""
    return Check.equal(trace.outcomes, trace.curve, scale=trace.change)


def concave(trace: Trace) -> Checks:
    """Expect second differences not to be positive: the marginal score falls."""
    return Check.nonpositive(np.diff(trace.outcomes, 2, axis=1), scale=trace.change)


def star(trace: Trace) -> Checks:
    """Bound what a rate does from below by what a larger one does, in proportion."""
    inner = trace.outcomes[:, 1:] / GRID[1:]  # a rate of 0 changes nothing
    return Check.nonpositive(np.diff(inner, axis=1), scale=trace.change)


def ratio(trace: Trace, *, sign: float = 1.0) -> Checks:
    """Expect whoever is worth accepting to gain, if a failure costs the institution more."""
    worth = trace.model.utility > 0
    if sign * (trace.case.loss - trace.case.harm) < 0 or not worth.any():
        return ()
    return Check.nonpositive(-trace.model.score_change[worth], scale=trace.change)


def no_harm(trace: Trace, *, premise: bool = True, policy: str = "free") -> Checks:
    """Expect no group to decline, if whoever is worth accepting gains."""
    worth = trace.model.utility > 0
    if premise and (trace.model.score_change[worth] <= 0).any():
        return ()
    return Check.nonpositive(-getattr(trace, policy).outcomes, scale=trace.change)


def same_rates(trace: Trace) -> Checks:
    """Expect equal selection rates."""
    first, second = trace.parity.rates
    return Check.equal(first, second, scale=1.0)


def same_tpr(trace: Trace) -> Checks:
    """Expect equal true-positive rates."""
    first, second = trace.equal.tpr
    return Check.equal(first, second, scale=1.0)


def rival(trace: Trace, by: str) -> float:
    """Return the best utility of pairs of policies, the more generous one scaled down to parity."""
    policies = [policy_impact(trace.model, trace.case.accept), *trace.thresholds]
    level = np.array([getattr(policy, by) for policy in policies]).T
    gains = trace.model.pi * trace.model.utility
    worth = np.array([(policy.accept * gains).sum(axis=1) for policy in policies]).T
    common = np.minimum(level[0][:, None], level[1])
    total = np.zeros_like(common)
    for g, mine in enumerate((level[0][:, None], level[1][None, :])):
        kept = np.divide(common, mine, np.ones_like(common), where=mine > 0)
        earned = worth[g][:, None] if g == 0 else worth[g][None, :]
        total += trace.case.shares[g] * kept * earned
    return float(total.max())


def parity_best(trace: Trace) -> Checks:
    """Hold other policies with equal rates to the one found."""
    return Check(rival(trace, "rates"), trace.parity.utility, scale=trace.worth)


def equal_best(trace: Trace) -> Checks:
    """Hold other policies with equal true-positive rates to the one found."""
    return Check(rival(trace, "tpr"), trace.equal.utility, scale=trace.worth)


def free_best(trace: Trace) -> Checks:
    """Hold every policy of the trace to the largest utility of all."""
    others = (trace.parity, trace.equal, *trace.thresholds)
    found = np.array([policy.utility for policy in others])
    return Check.worst(found, trace.free.utility, scale=trace.worth)


# ---- broken versions ----------------------------------------------------------------------------


def worst_first(model: DelayedImpact, rate: float) -> FloatArray:
    """Accept the lowest scores first: all but the best of a selection at the rate left over."""
    return 1.0 - threshold_policy(model, 1.0 - rate)


def whole_scores(model: DelayedImpact, rate: float) -> FloatArray:
    """Accept a score as a whole or not at all."""
    return np.floor(threshold_policy(model, rate))


def who_gains(model: DelayedImpact) -> PolicyImpact:
    """Accept whoever gains, whatever it costs."""
    return policy_impact(model, (model.score_change > 0).astype(np.float64))


def by_first(model: DelayedImpact, solver: Solver) -> PolicyImpact:
    """Find the policy as if almost everybody were of the first group."""
    alone = DelayedImpact(
        model.pi,
        model.rho,
        model.u_plus,
        model.u_minus,
        model.c_plus,
        model.c_minus,
        group_probs=np.array([1.0, 0.0]),
    )
    return policy_impact(model, solver(alone).accept)


CHAIN = Chain(
    id="fair.delayed_impact",
    title="Delayed impact: largest utility spares the groups, parity need not",
    source="Liu, Dean, Rolf, Simchowitz, Hardt 2018, from memory; proofs ours",
    statement=(
        "The outcome curve of threshold policies is concave and linear between the masses of the"
        " highest scores; if u > 0 implies a gain, as with u_minus / u_plus <= c_minus / c_plus,"
        " the policy of largest utility harms nobody; policies of largest utility at equal rates"
        " or equal true-positive rates are randomised thresholds with the level at a kink, and"
        " may harm."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="threshold policies summed score by score; pairs of policies scaled to parity",
    links=(
        Link("kinks", "threshold policies do what the curve says", kinks),
        Link("concave", "dmu((a + b) / 2) >= (dmu(a) + dmu(b)) / 2", concave),
        Link("star", "dmu(a) / a >= dmu(b) / b for a < b", star),
        Link("ratio", "u_minus / u_plus <= c_minus / c_plus: u > 0 => Delta >= 0", ratio),
        Link("no_harm", "(u > 0 => Delta > 0) => dmu >= 0 at the largest utility", no_harm),
        Link("same_rates", "demographic parity: beta_A = beta_B", same_rates),
        Link("parity_best", "no pair with equal rates earns more", parity_best),
        Link("same_tpr", "equal opportunity: TPR_A = TPR_B", same_tpr),
        Link("equal_best", "no pair with equal true-positive rates earns more", equal_best),
        Link("free_best", "no policy earns more than accepting where u > 0", free_best),
    ),
    twins=(
        Twin(
            "worst_first",
            "the lowest scores are accepted first",
            run=partial(run, fill=worst_first),
            expect_link=("kinks", "concave", "star"),
        ),
        Twin(
            "whole_scores",
            "no score is split by chance",
            run=partial(run, fill=whole_scores),
            expect_link=("kinks", "concave"),
        ),
        Twin(
            "cheap_failures",
            "a failure costs the institution less than the applicant",
            links={"ratio": partial(ratio, sign=-1.0)},
            expect_link="ratio",
        ),
        Twin(
            "no_premise",
            "some who lose are worth accepting",
            links={"no_harm": partial(no_harm, premise=False)},
            expect_link="no_harm",
        ),
        Twin(
            "parity_spares",
            "the claim is made for equal rates",
            links={"no_harm": partial(no_harm, policy="parity")},
            expect_link="no_harm",
        ),
        Twin(
            "opportunity_spares",
            "the claim is made for equal true-positive rates",
            links={"no_harm": partial(no_harm, policy="equal")},
            expect_link="no_harm",
        ),
        Twin(
            "free_for_all",
            "the policy of largest utility is passed off as fair",
            run=partial(run, parity=max_utility, equal=max_utility),
            expect_link=("same_rates", "same_tpr"),
        ),
        Twin(
            "by_first",
            "the level is chosen for the first group alone",
            run=partial(
                run,
                parity=partial(by_first, solver=demographic_parity_policy),
                equal=partial(by_first, solver=equal_opportunity_policy),
            ),
            expect_link=("parity_best", "equal_best"),
        ),
        Twin(
            "who_gains",
            "whoever gains is accepted",
            run=partial(run, free=who_gains),
            expect_link="free_best",
        ),
    ),
)
