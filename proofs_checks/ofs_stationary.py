"""Regret and violation of optimistic feasible search where nothing moves."""

from collections.abc import Callable
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms.fair_bounds import log_term, stationary_bound
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
    named_game,
    random_game,
    run_game,
    totals,
)
from proofs_checks._cases import altered

Case = Game
GOOD = ("missed",)


def sample(rng: np.random.Generator) -> Case:
    """Draw a problem with a feasible arm; half the best arms sit on a limit."""
    return random_game(rng)


def named(rng: np.random.Generator) -> Case:
    """Draw the noise of the eight arms."""
    return named_game(int(rng.integers(2**31)))


def two_arms(rng: np.random.Generator) -> Case:
    """Draw the noise of two feasible arms that earn 0.5 and 0.6, for a million rounds."""
    bandit = GaussianBandit(np.array([0.5, 0.6]), np.full((2, 1), -0.1), 0.25, 0.25)
    return game_of(bandit, 1_000_000, int(rng.integers(2**31)))


def three_arms(rng: np.random.Generator) -> Case:
    """Draw the noise of the best arm, on its limit, one that earns less and one that violates."""
    residuals = np.array([[0.0], [-0.1], [0.2]])
    bandit = GaussianBandit(np.array([0.6, 0.5, 0.9]), residuals, 0.25, 0.25)
    return game_of(bandit, 50_000, int(rng.integers(2**31)))


def admissible(case: Case) -> bool:
    """Tell whether some arm is feasible, and the game is small."""
    return is_small(case) and case.feasible


def prefixes(game: Game) -> FloatArray:
    """List some twenty numbers of rounds up to the horizon."""
    return np.unique(np.geomspace(game.bandit.n_arms, game.horizon, 20).astype(np.int64))


def right_sides(game: Game, rounds: FloatArray, *, scale: float, worst: float) -> FloatArray:
    """Evaluate the bound after each number of rounds."""
    k, c = game.bandit.n_arms, len(game.scales)
    found = []
    for t in rounds.tolist():
        log = log_term(k, c, t if game.anytime else game.horizon, DELTA, anytime=game.anytime)
        found.append(
            stationary_bound(k, t, log, scale=scale, worst=worst, radius_scale=game.radius_scale)
        )
    return np.array(found)


# ---- links --------------------------------------------------------------------------------------


def tracked(trace: Replay) -> Checks:
    """Compare the run's own regret and violation with those of its arms."""
    size = float(trace.case.horizon)
    exact = totals(trace.case, trace.arms)[:, -1]
    return Check.equal(trace.account, exact, slack=1e-9 * size, scale=size)


def best_looks_feasible(trace: Replay, *, radius: float = 1.0) -> Checks:
    """Expect the best arm to look feasible in every round."""
    least = trace.least(radius=radius)[:, trace.case.best]
    return Check.nonpositive(least, scale=1.0)


def chosen(trace: Replay) -> Checks:
    """Expect the arm that is played to look feasible, and no round in which none does."""
    least = trace.chosen(trace.least())
    return (
        Check.nonpositive(float(least.max(initial=0.0)), scale=1.0),
        Check.nonpositive(float(trace.fallbacks), scale=float(trace.case.horizon)),
    )


def optimistic(trace: Replay) -> Checks:
    """Expect the arm that is played to look at least as good as the best one is."""
    best = trace.case.bandit.reward[trace.case.best]
    upper = trace.upper[trace.rounds, trace.arms]
    return Check.nonpositive(best - upper, scale=1.0)


def gap(trace: Replay, *, factor: float = 2.0) -> Checks:
    """Hold what a round loses to twice the radius of its arm's reward."""
    room = factor * trace.case.scales[0] * trace.chosen(trace.unit)
    lost = trace.case.gaps[trace.arms[trace.again]]
    return Check.nonpositive(lost - room, scale=room) if room.size else ()


def residual(trace: Replay, *, factor: float = 2.0) -> Checks:
    """Hold what a round violates to twice the widest radius of its arm's residuals."""
    room = factor * trace.chosen(trace.width)
    broken = trace.case.violations[trace.arms[trace.again]]
    return Check.nonpositive(broken - room, scale=room) if room.size else ()


def roots(trace: Replay, *, factor: float = 2.0) -> Checks:
    """Hold sum_{n < N} n^-1/2 to 2 sqrt(N), for each arm."""
    inverse = np.append(0.0, np.cumsum(np.arange(1, len(trace.arms) + 1) ** -0.5))
    pulls = np.bincount(trace.arms, minlength=trace.case.bandit.n_arms)
    pulls = pulls[pulls > 0]
    return Check.worst(inverse[pulls - 1], factor * np.sqrt(pulls))


def shared(trace: Replay, *, arms: bool = True) -> Checks:
    """Hold sum_a sqrt(N_a) to sqrt(K T)."""
    k = trace.case.bandit.n_arms
    pulls = np.bincount(trace.arms, minlength=k)
    return Check(float(np.sqrt(pulls).sum()), np.sqrt((k if arms else 1) * len(trace.arms)))


def regret(trace: Replay) -> Checks:
    """Hold the regret to the bound, after every number of rounds listed."""
    game, rounds = trace.case, prefixes(trace.case)
    worst = float(game.gaps.max())
    bound = right_sides(game, rounds, scale=float(game.scales[0]), worst=worst)
    lost = totals(game, trace.arms)[0, rounds - 1]
    return Check.worst(lost, bound, trivial=rounds * worst)


def violation(trace: Replay) -> Checks:
    """Hold the violation to the bound, after every number of rounds listed."""
    game, rounds = trace.case, prefixes(trace.case)
    worst = float(game.violations.max())
    bound = right_sides(game, rounds, scale=float(game.widths.max(initial=0.0)), worst=worst)
    broken = totals(game, trace.arms)[1, rounds - 1]
    return Check.worst(broken, bound, trivial=rounds * worst)


def by(rule: str) -> Callable[[Case], Replay]:
    """Let another algorithm of the library play."""
    return partial(run_game, rule=rule)


CHAIN = Chain(
    id="ofs.stationary",
    title="OFS-T1: regret and violation of order sqrt(K T) where nothing moves",
    source="derived here; the rule is that of Du, arXiv 2512.22313, of which the abstract was read",
    statement=(
        "Some arm is feasible, s >= 1: with probability 1 - delta, for all T' <= T, sum of [mu* -"
        " mu(a_t)]_+ <= K D + 4 s sigma_r sqrt(2 L K T'), sum of violations <= K V + 4 s sigma_g"
        " sqrt(2 L K T'), and there is always an arm that looks feasible. D, V: the most that one"
        " round can lose or violate; sigma_g: the widest residual."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run_game,
    admissible=admissible,
    second_route="all indices of all rounds from the arms and the noise; sums of exact means",
    links=(
        Link("tracked", "regret and violation are those of the arms", tracked),
        Link("best_looks_feasible", "v_lo(a*) <= 0", best_looks_feasible, unless=GOOD),
        Link("chosen", "v_lo(a_t) <= 0, and never a fallback", chosen, unless=GOOD),
        Link("optimistic", "mu* <= u(a_t)", optimistic, unless=GOOD),
        Link("gap", "mu* - mu(a_t) <= 2 beta_r(n)", gap, unless=GOOD),
        Link("residual", "v(a_t) <= 2 max_m beta_m(n)", residual, unless=GOOD),
        Link("roots", "sum_{n < N} n^-1/2 <= 2 sqrt(N)", roots),
        Link("shared", "sum_a sqrt(N_a) <= sqrt(K T)", shared),
        Link("regret", "R_T' <= K D + 4 s sigma_r sqrt(2 L K T')", regret, unless=GOOD),
        Link("violation", "V_T' <= K V + 4 s sigma_g sqrt(2 L K T')", violation, unless=GOOD),
    ),
    events=(Event("missed", "some average is further off than its radius", DELTA, erred),),
    twins=(
        Twin(
            "another_account",
            "the run's regret is doubled",
            run=altered(run_game, account=lambda trace: 2 * trace.account + 1),
            expect_link="tracked",
        ),
        Twin(
            "averages",
            "the average residual of the best arm is said to look feasible",
            links={"best_looks_feasible": partial(best_looks_feasible, radius=0.0)},
            expect_link="best_looks_feasible",
        ),
        Twin(
            "once",
            "one radius is said to be enough, not two, on three arms",
            sample=three_arms,
            links={"gap": partial(gap, factor=1.0), "residual": partial(residual, factor=1.0)},
            expect_link=("gap", "residual"),
        ),
        Twin(
            "no_arms",
            "sums over arms forget K, sums of roots forget the 2",
            links={"shared": partial(shared, arms=False), "roots": partial(roots, factor=1.0)},
            expect_link=("shared", "roots"),
        ),
        Twin(
            "ucb",
            "constraints are ignored, on the eight arms",
            sample=named,
            run=by("ucb"),
            expect_link=("chosen", "residual", "violation"),
        ),
        Twin(
            "pessimistic",
            "only arms that are surely feasible are played, on the eight arms",
            sample=named,
            run=by("pessimistic"),
            expect_link="regret",
        ),
        Twin(
            "greedy",
            "average rewards stand for upper bounds, on two arms",
            sample=two_arms,
            run=by("greedy"),
            expect_link=("optimistic", "regret"),
        ),
    ),
)
"""Regret and violation use a tenth of their bounds: gaps close before the worst case does."""
