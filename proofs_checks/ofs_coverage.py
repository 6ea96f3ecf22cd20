"""Confidence bounds of a bandit's channels hold together, and make arms look at least as good."""

from functools import partial

import numpy as np

from mdptheory.models import GaussianBandit
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin
from mdptheory.theory.chain import Checks
from proofs_checks._bandit_runs import (
    DELTA,
    Game,
    Replay,
    erred,
    game_of,
    is_small,
    random_game,
    run_game,
)

Case = Game


def sample(rng: np.random.Generator) -> Case:
    """Draw arms in tenths; some problems have no feasible arm."""
    return random_game(rng, feasible=bool(rng.integers(4)))


def wide_game(rng: np.random.Generator, *, radius_scale: float = 1.0) -> Case:
    """Draw eight arms and two residuals in [-1, 1], scales 1/4, 5000 rounds."""
    bandit = GaussianBandit(rng.uniform(size=8), rng.uniform(-1, 1, (8, 2)), 0.25, 0.25)
    return game_of(bandit, 5000, int(rng.integers(2**31)), radius_scale=radius_scale)


# ---- links --------------------------------------------------------------------------------------


def union(trace: Replay, *, channels: bool = True) -> Checks:
    """Add up what arms, channels and counts may miss: sum of 2 exp(-s^2 L) <= delta."""
    game = trace.case
    n = np.arange(1, game.horizon + 1)
    terms = 2 * np.exp(-(n * game.unit(n) ** 2) / 2)
    pairs = game.bandit.n_arms * len(game.scales)
    shared = 1 if channels else len(game.scales)  # forgotten in the log, each counts once more
    return Check(pairs * shared * float(terms.sum()), DELTA)


def optimistic(trace: Replay, *, bonus: bool = True) -> Checks:
    """Hold each mean reward to its upper bound, in every round."""
    upper = trace.upper if bonus else np.where(trace.counts, trace.mean[..., 0], np.inf)
    return Check.nonpositive(trace.case.bandit.reward - upper, scale=1.0)


def not_by_much(trace: Replay, *, factor: float = 2.0) -> Checks:
    """Hold each upper bound of a reward to the mean and twice its radius."""
    seen = trace.counts > 0
    room = factor * trace.case.scales[0] * trace.unit[seen]
    above = (trace.upper - trace.case.bandit.reward)[seen]
    return Check.nonpositive(above - room, scale=room)


def lenient(trace: Replay, *, sign: float = 1.0) -> Checks:
    """Hold each optimistic violation to the violation."""
    return Check.nonpositive(trace.least(sign=sign) - trace.case.violations, scale=1.0)


def not_too_lenient(trace: Replay, *, factor: float = 2.0) -> Checks:
    """Hold each violation to the optimistic one and twice the widest radius."""
    seen = trace.counts > 0
    room = factor * trace.width[seen]
    below = (trace.case.violations - trace.least())[seen]
    return Check.nonpositive(below - room, scale=room)


CHAIN = Chain(
    id="ofs.coverage",
    title="OFS-T0: averages lie within their radii, so arms look at least as good as they are",
    source="derived here (called E0); sub-Gaussian tails, a union over arms, channels and counts",
    statement=(
        "With radii s sigma_c sqrt(2 L / N), s >= 1, L = ln(2 K J T / delta) or, without a horizon,"
        " L_N = ln(K J pi^2 N^2 / (3 delta)): with probability 1 - delta every average of every arm"
        " is within its radius in all T rounds. Then mu <= u <= mu + 2 beta, and v_lo <= v <= v_lo"
        " + 2 max_m beta_m, also for residuals that are sums of channels."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run_game,
    admissible=is_small,
    second_route="all averages of all rounds from the arms and the noise, radii by the formula",
    links=(
        Link("union", "sum over arms, channels, counts of 2 exp(-L) <= delta", union),
        Link("optimistic", "mu(k) <= u(k)", optimistic, unless=("missed",)),
        Link("not_by_much", "u(k) <= mu(k) + 2 beta", not_by_much, unless=("missed",)),
        Link("lenient", "v_lo(k) <= v(k)", lenient, unless=("missed",)),
        Link(
            "not_too_lenient", "v(k) <= v_lo(k) + 2 max beta", not_too_lenient, unless=("missed",)
        ),
    ),
    events=(Event("missed", "some average is further off than its radius", DELTA, erred),),
    twins=(
        Twin(
            "half",
            "radii are halved, on eight arms",
            sample=partial(wide_game, radius_scale=0.5),
            expect_link=("missed", "union"),
        ),
        Twin(
            "third",
            "radii are multiplied by 0.3, on eight arms",
            sample=partial(wide_game, radius_scale=0.3),
            expect_link="missed",
        ),
        Twin(
            "one_channel",
            "the logarithm forgets how many channels there are",
            links={"union": partial(union, channels=False)},
            expect_link="union",
        ),
        Twin(
            "average",
            "averages stand for upper bounds",
            links={"optimistic": partial(optimistic, bonus=False)},
            expect_link="optimistic",
        ),
        Twin(
            "once",
            "one radius is said to be enough, not two",
            links={
                "not_by_much": partial(not_by_much, factor=1.0),
                "not_too_lenient": partial(not_too_lenient, factor=1.0),
            },
            expect_link=("not_by_much", "not_too_lenient"),
        ),
        Twin(
            "sign",
            "residuals are taken for slacks",
            links={"lenient": partial(lenient, sign=-1.0)},
            expect_link="lenient",
        ),
    ),
)
"""Radii are met by some average in no more than one run of a hundred: the union is generous."""
