"""What ambiguity costs: one row loses so much at most, and the value 1/(1-gamma) times that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import Discounted, TabularMDP, WorstCase, worst_case
from mdptheory._typing import FloatArray
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    RowAmbiguity,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, build, is_plain, random_mdp, random_values, sup
from proofs_checks._oracles import optimal_value
from proofs_checks._robust_bounds import (
    BOUNDS,
    RowBound,
    by_deviation,
    by_l1,
    by_norm,
    by_pinsker,
    prices,
    transport_costs,
)
from proofs_checks._robust_oracles import Game, admissible_outcomes, dual_bound, robust_value
from proofs_checks._robust_twins import friendly, without_halving

RADII = (0.005, 0.02, 0.05, 0.1, 0.2)
GAMMAS = (0.3, 0.5, 0.75, 0.9, 0.95)
VALUED = ("l1", "kl", "burg", "chi2", "l2", "linf")  # the sets whose robust values are computed

Nature = Callable[..., WorstCase]


@case
class Case:
    """A model, another value vector and a radius.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    u : array of shape (n_states,)
        Any values.
    radius : float
        Of all sets; the tail probability is 1 minus it.
    """

    mdp: TabularMDP
    u: FloatArray
    radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What nature makes of the rows, and of the optimum.

    Attributes
    ----------
    case : Case
        The instance.
    game : Game
        Rows and rewards of the model.
    v_nominal : array of shape (n_states,)
        Optimal value of the model.
    at_v, at_u, wide : dict of arrays of shape (n_rows,)
        Worst cases of the rows for each set at ``v_nominal``, at ``u``, and at ``v_nominal`` with
        twice the radius.
    v_robust : dict of arrays of shape (n_states,)
        Robust optimal values.
    """

    case: Case
    game: Game
    v_nominal: FloatArray
    at_v: dict[str, FloatArray]
    at_u: dict[str, FloatArray]
    wide: dict[str, FloatArray]
    v_robust: dict[str, FloatArray]

    @property
    def z(self) -> FloatArray:
        """Worth of each row's outcomes, shape (n_rows, n_states)."""
        return self.game.worth(self.v_nominal)

    @property
    def nominal(self) -> FloatArray:
        """Worth of each nominal row."""
        return np.asarray((self.game.rows * self.z).sum(axis=1))

    @property
    def most(self) -> float:
        """Largest loss of value that the rewards allow."""
        worst = self.game.reward.min() / (1 - self.case.mdp.gamma)
        return max(float(self.v_nominal.max() - worst), 0.0)


def all_sets(case: Case, stretch: float = 1.0) -> dict[str, RowAmbiguity]:
    """Build the sets; ``stretch`` multiplies the radius."""
    r, n = case.radius * stretch, case.mdp.n_states
    return {
        "l1": L1Ball(r, "all"),
        "kl": KLBall(r),
        "burg": BurgBall(r, "all"),
        "evar": EVaRSet(float(np.exp(-r))),
        "chi2": ChiSquareBall(r),
        "l2": L2Ball(r, "all"),
        "linf": LinfBall(r, "all"),
        "wasserstein": WassersteinBall(r, transport_costs(n)),
        "weighted l1": WeightedL1Ball(r, prices(n), "all"),
        "cvar": CVaRSet(1 - r),
        "contamination": ContaminationSet(r, "all"),
    }


def sample(rng: np.random.Generator) -> Case:
    """Draw a small model, or two states with equal rows; values that differ by a constant too."""
    mdp = alike(rng) if rng.integers(4) == 0 else random_mdp(rng, max_actions=2, gammas=GAMMAS)
    u = random_values(rng, mdp.n_states)
    if rng.integers(4) == 0:
        u = optimal_value(mdp) + float(rng.integers(1, 9)) / 4
    return Case(mdp, u, float(rng.choice(RADII)))


def alike(rng: np.random.Generator) -> TabularMDP:
    """Draw two states with one row, of which one pays: each step loses the same again."""
    weight = float(rng.choice([0.5, 0.25]))
    row = (weight, 1 - weight)
    return build([[(row, 1.0)], [(row, 0.0)]], Discounted(float(rng.choice(GAMMAS))))


def run(case: Case, nature: Nature = worst_case) -> Trace:
    """Solve the model, and let nature reply row by row."""
    game, v = Game.of(case.mdp), optimal_value(case.mdp)
    sets = all_sets(case)

    def replies(family: dict[str, RowAmbiguity], values: FloatArray) -> dict[str, FloatArray]:
        z = game.worth(values)
        return {name: game.worst(one, z, nature)[0] for name, one in family.items()}

    return Trace(
        case,
        game,
        v_nominal=v,
        at_v=replies(sets, v),
        at_u=replies(sets, case.u),
        wide=replies(all_sets(case, 2.0), v),
        v_robust={name: robust_value(game, sets[name], nature) for name in VALUED},
    )


def admissible(case: Case) -> bool:
    """Tell whether the model is small and moderate, and twice the radius a sensible share."""
    positive = case.mdp.prob[case.mdp.prob > 0]
    plain = is_plain(case.mdp, case.u) and bool(positive.min() >= 1e-6)
    return plain and 1e-3 <= case.radius <= 0.45 and case.mdp.gamma <= 0.95


# ---- links --------------------------------------------------------------------------------------


def row_bounds(trace: Trace, name: str, bound: RowBound | None = None) -> FloatArray:
    """Evaluate a bound at every row; on the outcomes that the set may use."""
    rule, ambiguity = bound or BOUNDS[name], all_sets(trace.case)[name]
    values = []
    for p, z in zip(trace.game.rows, trace.z, strict=True):
        keep = admissible_outcomes(p, ambiguity)
        values.append(rule(p[keep], z[keep], trace.case.radius))
    return np.array(values)


def row_loss(
    trace: Trace, names: tuple[str, ...], bound: RowBound | None = None
) -> Iterator[Check]:
    """Bound what nature takes from each row; she cannot take more than the worst outcome."""
    for name in names:
        taken = trace.nominal - trace.at_v[name]
        most = trace.nominal - trace.z.min(axis=1)
        yield Check.worst(taken, row_bounds(trace, name, bound), trivial=most)


def lipschitz(trace: Trace, factor: float = 1.0) -> Checks:
    """Bound the difference at two value vectors by the largest of the outcomes' differences."""
    apart = np.abs(trace.z - trace.game.worth(trace.case.u)).max(axis=1)
    both = [np.abs(trace.at_v[name] - trace.at_u[name]) for name in trace.at_v]
    return Check.worst(np.max(both, axis=0), factor * apart)


def falling(trace: Trace) -> Checks:
    """Compare with twice the radius."""
    gain = [trace.wide[name] - trace.at_v[name] for name in trace.at_v]
    return Check.nonpositive(np.max(gain, axis=0), scale=np.ptp(trace.z, axis=1))


def below(trace: Trace) -> Checks:
    """Compare with the nominal value: p is in every set."""
    gain = [trace.v_robust[name] - trace.v_nominal for name in VALUED]
    return Check.nonpositive(np.max(gain, axis=0), scale=trace.most)


def fixed_point(trace: Trace) -> Checks:
    """Apply the robust Bellman operator to the robust values with duals in plain NumPy."""
    game, sets = trace.game, all_sets(trace.case)
    pairs = []
    for name in VALUED:
        z = game.worth(trace.v_robust[name])
        q = [dual_bound(p, x, sets[name]) for p, x in zip(game.rows, z, strict=True)]
        pairs.append((game.best(np.array(q)), trace.v_robust[name]))
    left, right = np.transpose(pairs, (1, 0, 2))
    return Check.equal(left, right, slack=1e-7, scale=max(trace.most, 1e-3))


def value_loss(trace: Trace, *, horizon: bool = True) -> Iterator[Check]:
    """Bound v*_nominal - v*_robust by 1/(1-gamma) times the largest bound of a row."""
    steps = 1 / (1 - trace.case.mdp.gamma) if horizon else 1.0
    for name in VALUED:
        lost = sup(trace.v_nominal - trace.v_robust[name])
        yield Check(lost, steps * row_bounds(trace, name).max(), trivial=trace.most)


CHAIN = Chain(
    id="robust_core.sensitivity",
    title="What ambiguity costs",
    source="derived; the distances' inequalities are those of Hoelder, Pinsker, Cauchy and Schwarz",
    statement=(
        "sigma(z) = min q.z over the set is 1-Lipschitz in z and falls with the radius; p.z -"
        " sigma(z) <= b with b = (r/2) span z (L1), sqrt(r/2) span z (KL, Burg), sqrt(r Var z)"
        " (chi2), r |z - mean|_2 (L2), r |z - median|_1 (Linf), r max fall/cost (transport,"
        " weighted L1), R span z (CVaR of 1-R), R (p.z - min z) (contamination). Hence 0 <="
        " v*_nominal - v*_robust <= max b/(1-gamma), b at z = r + gamma v*_nominal."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="robust values whose Bellman equation is checked with duals in plain NumPy",
    links=(
        Link("l1", "L1: p.z - sigma <= (r/2) span z", partial(row_loss, names=("l1",))),
        Link(
            "pinsker",
            "KL, Burg, EVaR: p.z - sigma <= sqrt(r/2) span z",
            partial(row_loss, names=("kl", "burg", "evar")),
        ),
        Link("chi2", "chi2: p.z - sigma <= sqrt(r Var z)", partial(row_loss, names=("chi2",))),
        Link("l2", "L2: p.z - sigma <= r |z - mean|_2", partial(row_loss, names=("l2",))),
        Link("linf", "Linf: p.z - sigma <= r |z - median|_1", partial(row_loss, names=("linf",))),
        Link(
            "transport",
            "Wasserstein, weighted L1: p.z - sigma <= r max (z_i - z_j)/cost_ij",
            partial(row_loss, names=("wasserstein", "weighted l1")),
        ),
        Link("cvar", "CVaR of 1-R: p.z - sigma <= R span z", partial(row_loss, names=("cvar",))),
        Link(
            "contamination",
            "contamination: p.z - sigma <= R (p.z - min z)",
            partial(row_loss, names=("contamination",)),
        ),
        Link("lipschitz", "|sigma(z) - sigma(z')| <= |z - z'|_inf", lipschitz),
        Link("falling", "sigma falls as the radius grows", falling),
        Link("below", "v*_robust <= v*_nominal", below),
        Link("fixed_point", "v*_robust = L v*_robust", fixed_point),
        Link("value", "v*_nominal - v*_robust <= max b/(1-gamma)", value_loss),
    ),
    twins=(
        Twin(
            "no_horizon",
            "the factor 1/(1-gamma) is dropped",
            links={"value": partial(value_loss, horizon=False)},
            expect_link="value",
        ),
        Twin(
            "half_constants",
            "Pinsker's constant and that of L1 are halved",
            links={
                "l1": partial(row_loss, names=("l1",), bound=partial(by_l1, factor=0.25)),
                "pinsker": partial(row_loss, names=("kl",), bound=partial(by_pinsker, factor=0.5)),
            },
            expect_link=("l1", "pinsker"),
        ),
        Twin(
            "no_root",
            "the square root of chi2's radius is forgotten, and the norm of L2 becomes a mean",
            links={
                "chi2": partial(row_loss, names=("chi2",), bound=partial(by_deviation, power=1.0)),
                "l2": partial(row_loss, names=("l2",), bound=partial(by_norm, mean=True)),
            },
            expect_link=("chi2", "l2"),
        ),
        Twin(
            "span_for_all",
            "the radius is multiplied with half of the span, whatever the set",
            links={
                "linf": partial(row_loss, names=("linf",), bound=by_l1),
                "transport": partial(row_loss, names=("wasserstein",), bound=by_l1),
                "cvar": partial(row_loss, names=("cvar",), bound=by_l1),
                "contamination": partial(row_loss, names=("contamination",), bound=by_l1),
            },
            expect_link=("linf", "transport", "cvar", "contamination"),
        ),
        Twin(
            "half_lipschitz",
            "the Lipschitz constant is claimed to be 1/2",
            links={"lipschitz": partial(lipschitz, factor=0.5)},
            expect_link="lipschitz",
        ),
        Twin(
            "shrinking",
            "the larger radius is taken for the smaller one",
            run=altered(run, at_v=lambda trace: trace.wide, wide=lambda trace: trace.at_v),
            expect_link="falling",
        ),
        Twin(
            "friendly",
            "nature maximises",
            run=partial(run, nature=friendly),
            expect_link=("below", "fixed_point"),
        ),
        Twin(
            "without_halving",
            "an L1 ball of radius xi moves the mass xi instead of xi/2",
            run=partial(run, nature=without_halving),
            expect_link=("l1", "fixed_point", "value"),
        ),
    ),
)
"""Tight: `alike`, where every state has the same row: the bounds of L1, chi2 and L2 lose nothing
there, and no step loses less than another; Pinsker as the radius falls to 0."""
