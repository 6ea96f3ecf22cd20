"""Optimistic feasible search where no arm may be feasible."""

from functools import partial

import numpy as np

from mdptheory.algorithms.fair_bounds import infeasible_bound, log_term
from mdptheory.models import GaussianBandit
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin
from mdptheory.theory.chain import Checks
from proofs_checks._bandit_oracle import falls_back_on_reward
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
)

Case = Game
GOOD = ("missed",)


def sample(rng: np.random.Generator) -> Case:
    """Draw a problem; most have no feasible arm."""
    return random_game(rng, feasible=bool(rng.integers(5) == 0))


def hopeless(rng: np.random.Generator) -> Case:
    """Draw the noise of eight arms that all violate, the one that earns most worst."""
    return named_game(int(rng.integers(2**31)), shift=0.1, horizon=3000)


def harmless(rng: np.random.Generator) -> Case:
    """Draw the noise of two arms far within their limit."""
    bandit = GaussianBandit(np.array([0.5, 0.6]), np.full((2, 1), -0.5), 0.25, 0.25)
    return game_of(bandit, 1000, int(rng.integers(2**31)))


# ---- links --------------------------------------------------------------------------------------


def least_first(trace: Replay) -> Checks:
    """Expect the arm that is played to have the least optimistic violation, up to 1e-12."""
    least = trace.least()
    again = trace.again
    known = again[(trace.counts[again] > 0).all(axis=1)]
    if not known.size:
        return ()
    excess = least[known, trace.arms[known]] - least[known].min(axis=1)
    return Check.nonpositive(excess, scale=1.0)


def least_is_low(trace: Replay, *, sign: float = 1.0) -> Checks:
    """Hold the least optimistic violation to the least violation, in every round."""
    lowest = trace.case.violations.min()
    return Check.nonpositive(trace.least(sign=sign).min(axis=1) - lowest, scale=1.0)


def each_round(trace: Replay, *, factor: float = 2.0) -> Checks:
    """Hold what a round violates beyond the least violation to twice its widest radius."""
    room = factor * trace.chosen(trace.width)
    found = trace.case.violations
    excess = found[trace.arms[trace.again]] - found.min()
    return Check.nonpositive(excess - room, scale=room) if room.size else ()


def excess(trace: Replay, *, root: bool = True) -> Checks:
    """Hold the sum of what rounds violate beyond the least violation to the bound."""
    game = trace.case
    v, k, t = game.violations, game.bandit.n_arms, game.horizon
    bound = infeasible_bound(
        k,
        t,
        log_term(k, len(game.scales), t, DELTA, anytime=game.anytime),
        scale=float(game.widths.max(initial=0.0)),
        worst=float(v.max()),
        radius_scale=game.radius_scale,
    )
    total = float((v[trace.arms] - v.min()).sum())
    return Check(total, bound if root else bound / np.sqrt(k * t), trivial=t * (v.max() - v.min()))


CHAIN = Chain(
    id="ofs.infeasible",
    title="OFS-T3: the rule for rounds in which nothing looks feasible finds the least violation",
    source="derived here; the rule is that of Du, arXiv 2512.22313, of which the abstract was read",
    statement=(
        "Whether or not an arm is feasible, s >= 1: with probability 1 - delta, sum of (v(a_t) -"
        " min_a v(a)) <= K V + 4 s sigma_g sqrt(2 L K T)."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run_game,
    admissible=is_small,
    second_route="all indices of all rounds from the arms and the noise; sums of exact means",
    links=(
        Link("least_first", "v_lo(a_t) = min_a v_lo(a) after the first pulls", least_first),
        Link("least_is_low", "min_a v_lo(a) <= min_a v(a)", least_is_low, unless=GOOD),
        Link("each_round", "v(a_t) - min v <= 2 max_m beta_m(n)", each_round, unless=GOOD),
        Link("excess", "sum <= K V + 4 s sigma_g sqrt(2 L K T)", excess, unless=GOOD),
    ),
    events=(Event("missed", "some average is further off than its radius", DELTA, erred),),
    twins=(
        Twin(
            "reward",
            "where nothing looks feasible, the reward decides; eight arms that all violate",
            sample=hopeless,
            run=partial(run_game, rule=falls_back_on_reward),
            expect_link=("least_first", "each_round", "excess"),
        ),
        Twin(
            "sign",
            "residuals are taken for slacks, on two arms far within their limit",
            sample=harmless,
            links={"least_is_low": partial(least_is_low, sign=-1.0)},
            expect_link="least_is_low",
        ),
        Twin(
            "once",
            "one radius is said to be enough, not two",
            links={"each_round": partial(each_round, factor=1.0)},
            expect_link="each_round",
        ),
        Twin(
            "no_root",
            "the bound lacks sqrt(K T)",
            links={"excess": partial(excess, root=False)},
            expect_link="excess",
        ),
    ),
)
"""The sums use a few hundredths of the bound."""
