"""Worth of a factor under five kinds of ambiguity: the duals, and what every kind satisfies."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import (
    ChiSquarePenalty,
    FactorAmbiguity,
    KLBall,
    KLPenalty,
    TVBall,
    TVPenalty,
    factor_levels,
)
from mdptheory.operators.factors import factor_worth
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from proofs_checks._cases import span
from proofs_checks._factor_replies import (
    Reply,
    Solve,
    dual_of_squares,
    free_ball,
    friendly,
    from_zero,
    half_weight,
    least_dual,
    library,
    nominal_row,
    truncation,
    untruncated,
    zeroed,
)
from proofs_checks._linear_oracles import divergence, prices, program, worth
from proofs_checks._robust_cases import is_row, random_weights, random_worth

WEIGHTS = (0.05, 0.2, 0.5, 1.0, 3.0, np.inf)
RADII = (0.0, 0.05, 0.2, 0.5, 1.0)
PENALTIES = ("tv", "kl", "chi2")
BALLS = ("tv ball", "kl ball")
ZOOMS = 6  # each narrows the search for nature's price tenfold or more


@case
class Case:
    """A factor, two vectors of values, and the levels of all sets.

    Attributes
    ----------
    m : array of shape (n,)
        The factor.
    v, u : array of shape (n,)
        Values.
    weight : float
        Of the penalties; positive, may be infinite.
    radius : float
        Of the balls, in [0, 1].
    shift : float
        Added to all values.
    """

    m: FloatArray
    v: FloatArray
    u: FloatArray
    weight: float
    radius: float
    shift: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Nature's replies, set by set.

    Attributes
    ----------
    case : Case
        The instance.
    sets : dict
        The sets by name.
    at_v, at_u, shifted, middle, top : dict
        Replies to v, u, v plus the shift, the mean of v and u, and their larger one.
    """

    case: Case
    sets: dict[str, FactorAmbiguity]
    at_v: dict[str, Reply]
    at_u: dict[str, Reply]
    shifted: dict[str, Reply]
    middle: dict[str, Reply]
    top: dict[str, Reply]

    @property
    def scale(self) -> float:
        """Span of all values."""
        return span(np.concatenate([self.case.v, self.case.u]))

    def pairs(self) -> Iterator[tuple[Reply, Reply]]:
        """Yield the replies to v and u, both ways round."""
        for name in self.sets:
            yield self.at_v[name], self.at_u[name]


def sample(rng: np.random.Generator) -> Case:
    """Draw a row with zeros, values with ties, and levels."""
    n = int(rng.integers(1, 7))
    v, u = random_worth(rng, n), random_worth(rng, n)
    if rng.integers(2):
        u = v + np.eye(n)[rng.integers(n)]  # one value is raised
    weight, radius = float(rng.choice(WEIGHTS)), float(rng.choice(RADII))
    return Case(random_weights(rng, n), v, u, weight, radius, float(rng.integers(-2, 3)))


def run(case: Case, broken: Mapping[str, Solve] | None = None) -> Trace:
    """Reply to all vectors; a twin answers for some sets."""
    sets: dict[str, FactorAmbiguity] = {
        "tv": TVPenalty(case.weight),
        "kl": KLPenalty(case.weight),
        "chi2": ChiSquarePenalty(case.weight),
        "tv ball": TVBall(case.radius),
        "kl ball": KLBall(case.radius),
    }
    solve = {name: (broken or {}).get(name, library) for name in sets}

    def replies(v: FloatArray) -> dict[str, Reply]:
        return {name: solve[name](ambiguity, case.m, v) for name, ambiguity in sets.items()}

    v, u = case.v, case.u
    vectors = (v, u, v + case.shift, (v + u) / 2, np.maximum(v, u))
    return Trace(case, sets, *(replies(x) for x in vectors))


def admissible(case: Case) -> bool:
    """Tell whether the row is short and the levels are moderate."""
    moderate = case.weight >= 0.01 and 0 <= case.radius <= 1 and abs(case.shift) <= 10
    return moderate and is_row(case.m, case.v, case.u)


# ---- links --------------------------------------------------------------------------------------


def programs(trace: Trace) -> Iterator[Check]:
    """Compare both sets of total variation with linear programs."""
    case = trace.case
    for name, level in (("tv", case.weight), ("tv ball", case.radius)):
        kind, _ = factor_levels(trace.sets[name], 1, 1)
        value = program(kind, level, case.m, case.v) if np.isfinite(level) else case.m @ case.v
        yield from Check.equal(trace.at_v[name].worth, value, scale=trace.scale)


def multipliers(trace: Trace) -> Iterator[Check]:
    """Compare the smooth sets with the multiplier of "probabilities sum to 1", by bisection."""
    for name in ("kl", "chi2", "kl ball"):
        kind, level = factor_levels(trace.sets[name], 1, 1)
        value = worth(kind, level[0], trace.case.m[None], trace.case.v)[0][0]
        yield from Check.equal(trace.at_v[name].worth, value, scale=trace.scale)


def duals(trace: Trace) -> Iterator[Check]:
    """Compare penalties and the TV ball with the maximum of the dual over truncations."""
    case, scale = trace.case, trace.scale
    m, v, low = case.m, case.v, float(case.v.min())
    cut = np.minimum(v, v[:, None])
    ball = (cut @ m - case.radius * (v - low)).max()
    yield from Check.equal(trace.at_v["tv ball"].worth, float(ball), scale=scale)
    if not np.isfinite(case.weight):
        for name in PENALTIES:
            yield from Check.equal(trace.at_v[name].worth, float(m @ v), scale=scale)
        return
    weight = case.weight
    forms = {
        "tv": float(m @ np.minimum(v, low + weight)),
        "kl": float(low - weight * np.log(m @ np.exp(-(v - low) / weight))),
        "chi2": dual_of_squares(truncation(m, v, weight), m, v, weight),
    }
    for name, value in forms.items():
        yield from Check.equal(trace.at_v[name].worth, value, scale=scale)
    grid = [dual_of_squares(alpha, m, v, weight) for alpha in np.linspace(low, v.max(), 17)]
    yield Check.nonpositive(np.array(grid) - trace.at_v["chi2"].worth, scale=scale)


def rows(trace: Trace) -> Iterator[Check]:
    """Check that nature's rows are distributions, inside the balls, and worth what is said."""
    case = trace.case
    for name, ambiguity in trace.sets.items():
        kind, level = factor_levels(ambiguity, 1, 1)
        reply = trace.at_v[name]
        q = reply.row
        yield Check.nonpositive(-q, scale=1.0)
        yield from Check.equal(float(q.sum()), 1.0, scale=1.0)
        if name in BALLS:
            away = divergence(kind, q, case.m) - case.radius
            yield Check.nonpositive(float(away), scale=1.0)
        paid = float(q @ case.v + prices(kind, level[0], q[None], case.m[None])[0])
        yield from Check.equal(reply.worth, paid, scale=trace.scale)


def lagrange(trace: Trace) -> Iterator[Check]:
    """Compare a ball's worth with the largest, over weights, of penalty less weight * radius."""
    case, scale = trace.case, trace.scale
    gaps = np.unique(case.v - case.v.min())
    best = max(float(case.v.min()), *_priced(TVPenalty, gaps[1:], case))
    yield from Check.equal(trace.at_v["tv ball"].worth, best, scale=scale)
    low, high = np.log(1e-7), np.log(1e4)
    ends = [float(case.v[case.m > 0].min())]  # weight 0, and infinite weight
    ends += [float(case.m @ case.v)] if not case.radius else []
    best = max(ends)
    for _ in range(ZOOMS):
        grid = np.linspace(low, high, 24)
        found = _priced(KLPenalty, np.exp(grid), case)
        best, k = max(best, *found), int(np.argmax(found))
        low, high = grid[max(k - 1, 0)], grid[min(k + 1, 23)]
    slack = 1e-7 * max(scale, 1.0)
    yield from Check.equal(trace.at_v["kl ball"].worth, best, slack=slack, scale=scale)


def _priced(
    kind: type[TVPenalty | KLPenalty], weights: FloatArray, case: Case
) -> tuple[float, ...]:
    """Return the library's worth under each weight, less weight * radius; -inf for no weight."""
    if not weights.size:
        return (-np.inf,)
    found = factor_worth(case.v, np.tile(case.m, (weights.size, 1)), kind(weights)).worth
    return tuple((found - weights * case.radius).tolist())


def monotone(trace: Trace) -> Iterator[Check]:
    """Hold the worth of the larger of two vectors above that of each."""
    for name in trace.sets:
        top = trace.top[name].worth
        below = np.array([trace.at_v[name].worth, trace.at_u[name].worth])
        yield Check.nonpositive(below - top, scale=trace.scale)


def translates(trace: Trace) -> Iterator[Check]:
    """Hold what a constant adds to worth to the constant."""
    for name in trace.sets:
        moved = trace.shifted[name].worth - trace.at_v[name].worth
        yield from Check.equal(moved, trace.case.shift, scale=trace.scale)


def lipschitz(trace: Trace) -> Iterator[Check]:
    """Hold differences of worth to those of values."""
    apart = float(np.abs(trace.case.v - trace.case.u).max())
    for one, other in trace.pairs():
        yield Check(abs(one.worth - other.worth), apart)


def concave(trace: Trace) -> Iterator[Check]:
    """Hold the worth of a mean of two vectors above the mean of their worths."""
    for name, reply in trace.middle.items():
        mean = (trace.at_v[name].worth + trace.at_u[name].worth) / 2
        yield Check.nonpositive(mean - reply.worth, scale=trace.scale)


def supergradient(trace: Trace) -> Iterator[Check]:
    """Bound the worth of one vector by nature's row at another."""
    rise = trace.case.u - trace.case.v
    for one, other in trace.pairs():
        yield Check.nonpositive(other.worth - one.worth - one.row @ rise, scale=trace.scale)
        yield Check.nonpositive(one.worth - other.worth + other.row @ rise, scale=trace.scale)


# ---- broken versions ----------------------------------------------------------------------------


def _with(**solve: Solve) -> Callable[[Case], Trace]:
    return partial(run, broken={name.replace("_", " "): one for name, one in solve.items()})


CHAIN = Chain(
    id="r2pvi.duals",
    title="Duals of a factor's worth",
    source="standard duals (TV ball: Liu and Xu, NeurIPS 2024); the forms here are derived",
    statement=(
        "With m the factor, low = min v and cut(a) = min(v, a): TV penalty E cut(low + weight); KL"
        " penalty -weight log E exp(-v/weight); chi-square penalty max_a E cut(a) - Var cut(a) /"
        " (4 weight), at a - E cut(a) = 2 weight; TV ball max_a E cut(a) - radius (a - low), at a"
        " value; ball(radius) = sup over weights of penalty(weight) - weight radius. All are"
        " monotone, concave, 1-Lipschitz, move with constants, and nature's row is a"
        " supergradient."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="linear programs (HiGHS); bisection for the multiplier of the sum of a row",
    links=(
        Link("programs", "TV penalty and ball: worth = linear program", programs),
        Link("multipliers", "KL, chi-square, KL ball: worth by the row's multiplier", multipliers),
        Link("duals", "worth = maximum of the dual over truncations", duals),
        Link("rows", "rows are distributions, in the ball, and E v + price = worth", rows),
        Link("lagrange", "ball(r) = sup_w penalty(w) - w r", lagrange),
        Link("monotone", "u <= v implies worth(u) <= worth(v)", monotone),
        Link("translates", "worth(v + c) = worth(v) + c", translates),
        Link("lipschitz", "|worth(u) - worth(v)| <= max |u - v|", lipschitz),
        Link("concave", "worth((u + v)/2) >= (worth(u) + worth(v))/2", concave),
        Link("supergradient", "worth(u) <= worth(v) + row_v.(u - v)", supergradient),
    ),
    twins=(
        Twin(
            "half_tv",
            "the TV penalty takes weight/2, as if TV were the L1 distance",
            run=_with(tv=half_weight),
            expect_link=("programs", "duals"),
        ),
        Twin(
            "half_chi2",
            "the chi-square dual has 1/(2 weight) for 1/(4 weight)",
            run=_with(chi2=half_weight),
            expect_link=("multipliers", "duals"),
        ),
        Twin(
            "minimum",
            "the chi-square dual is minimised over truncations",
            run=_with(chi2=least_dual),
            expect_link=("multipliers", "duals"),
        ),
        Twin(
            "untruncated",
            "the chi-square dual is not truncated",
            run=_with(chi2=untruncated),
            expect_link=("multipliers", "rows", "monotone", "lipschitz"),
        ),
        Twin(
            "zeroed",
            "the chi-square row is zeroed by hand from the truncation on",
            run=_with(chi2=zeroed),
            expect_link="rows",
        ),
        Twin(
            "free_ball",
            "the TV ball's dual lacks - radius * alpha",
            run=_with(tv_ball=free_ball),
            expect_link=("programs", "duals", "lagrange"),
        ),
        Twin(
            "from_zero",
            "the TV penalty takes 0 for the least value",
            run=_with(tv=from_zero),
            expect_link=("programs", "translates"),
        ),
        Twin(
            "friendly",
            "nature maximises under the KL penalty",
            run=_with(kl=friendly),
            expect_link=("multipliers", "concave"),
        ),
        Twin(
            "nominal_row",
            "the factor itself stands for nature's row",
            run=_with(kl_ball=nominal_row),
            expect_link=("rows", "supergradient"),
        ),
    ),
)
"""Tight: equalities; the four facts where nature's row stays the same."""
