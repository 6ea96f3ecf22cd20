"""What leaving steady states costs on a path of a closed loop: a price a segment, not a round."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.kernels.bandit_world import drift
from mdptheory.models import GaussianBandit, LoopConstants
from mdptheory.operators import certify
from mdptheory.operators.closed_loop import compiled_world
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._loop_cases import Loop, is_moderate, random_drift, random_loop, settled

LONGEST = 300
SLACK = 1e-9


@case
class Case:
    """A closed loop and a sequence of actions, segment by segment.

    Attributes
    ----------
    env : GaussianBandit or ThresholdLoop
        The loop.
    arms, lengths : array of int of shape (n,)
        Arm and number of rounds of each segment.
    noise : float
        Largest disturbance of a round in the noisy path, as a share of the box.
    seed : int
        Of the disturbances.
    """

    env: Loop
    arms: IntArray
    lengths: IntArray
    noise: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A path and how far it is from the steady state of the arm that is played.

    Attributes
    ----------
    case : Case
        The instance.
    claimed : LoopConstants
        Of the loop.
    kappa : float
        Contraction factor under test.
    away : array of shape (T + 1,)
        Distance of each state from the steady state of the arm of its round; at last that of the
        state after the path, from the last arm's.
    first : array of int of shape (n,)
        First round of each maximal segment.
    noisy, noise : array of shape (T,)
        The same with disturbances, and how large these were.
    resting : array of shape (T,)
        Distances on the trap with the same inertia, from the farthest state.
    """

    case: Case
    claimed: LoopConstants
    kappa: float
    away: FloatArray
    first: IntArray
    noisy: FloatArray
    noise: FloatArray
    resting: FloatArray

    @property
    def lengths(self) -> IntArray:
        """Rounds of each maximal segment."""
        return np.diff(np.append(self.first, len(self.noise)))

    @property
    def sums(self) -> FloatArray:
        """Sum of the distances over each segment."""
        return np.add.reduceat(self.away[:-1], self.first)

    @property
    def allowed(self) -> FloatArray:
        """``D (1 - kappa^len) / (1 - kappa)`` of each segment."""
        powers = self.kappa ** self.lengths.astype(np.float64)
        return self.claimed.diameter * (1 - powers) / (1 - self.kappa)


def sample(rng: np.random.Generator) -> Case:
    """Draw one to four long segments, or many short ones; arms 0 and K - 1 are frequent."""
    env: Loop = random_loop(rng) if rng.integers(2) else random_drift(rng)
    few = bool(rng.integers(4))
    n = int(rng.integers(1, 5)) if few else int(rng.integers(5, 31))
    ends = rng.integers(0, 2, n) * (env.n_arms - 1)
    arms = np.where(rng.integers(3, size=n), ends, rng.integers(env.n_arms, size=n))
    lengths = rng.integers(1, LONGEST + 1 if few else 21, n)
    return Case(env, arms, lengths, float(rng.choice([0.01, 0.1, 1.0])), int(rng.integers(2**31)))


def path_of(
    env: Loop, arms: IntArray, start: FloatArray, disturb: Callable[[int, FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Follow the library's rounds; return states (T + 1, d) and disturbances (T,)."""
    world, z = compiled_world(env), np.array(start)
    states, sizes, after = [z], [], np.empty_like(z)
    for t, arm in enumerate(arms):
        drift(world, z, int(arm), after)
        z = disturb(t, after)
        states.append(z)
        sizes.append(float(np.abs(z - after).max()))
    return np.array(states), np.array(sizes)


def trap(kappa: float) -> GaussianBandit:
    """Return one arm that pulls the state from 1 to 0 as slowly as the loop contracts."""
    return GaussianBandit(np.zeros(1), inertia=kappa, start=1.0)


def run(case: Case, *, excess: float = 0.0) -> Trace:
    """Play the sequence, with and without disturbances; a twin claims a smaller kappa."""
    env, arms = case.env, np.repeat(case.arms, case.lengths)
    claimed = certify(env)
    low, high = claimed.box.T
    rng = np.random.default_rng(case.seed)
    shocks = case.noise * (high - low) * (2 * rng.random((len(arms), len(low))) - 1)

    def keep(t: int, after: FloatArray) -> FloatArray:
        return after.copy()

    def shake(t: int, after: FloatArray) -> FloatArray:
        return np.clip(after + shocks[t], low, high)

    rest = np.array([settled(env, k) for k in range(env.n_arms)])
    quiet, _ = path_of(env, arms, env.start_state, keep)
    loud, sizes = path_of(env, arms, env.start_state, shake)
    slow, _ = path_of(trap(claimed.kappa), 0 * arms, np.ones(1), keep)
    targets = rest[np.append(arms, arms[-1])]
    first = np.flatnonzero(np.diff(arms, prepend=-1))
    return Trace(
        case,
        claimed,
        max(0.0, claimed.kappa - excess),
        np.abs(quiet - targets).max(axis=1),
        first,
        np.abs(loud - targets).max(axis=1)[:-1],
        sizes,
        slow[:-1, 0],
    )


def admissible(case: Case) -> bool:
    """Tell whether the loop contracts and the sequence is short."""
    shape = case.arms.shape == case.lengths.shape and 1 <= len(case.arms) <= 30
    known = shape and bool(((case.arms >= 0) & (case.arms < case.env.n_arms)).all())
    short = shape and bool(((case.lengths >= 1) & (case.lengths <= LONGEST)).all())
    return is_moderate(case.env) and known and short and 0 <= case.noise <= 1


# ---- links --------------------------------------------------------------------------------------


def step(trace: Trace) -> Checks:
    """Bring the state closer by kappa in every round of a segment."""
    last = np.append(trace.first[1:], len(trace.noise)) - 1  # another arm has another steady state
    inner = np.setdiff1d(np.arange(len(trace.noise)), last[:-1])
    if trace.claimed.is_open:
        return ()
    now, then = trace.away[inner], trace.away[inner + 1]
    return Check.worst(then, trace.kappa * now, slack=1e-12, trivial=now)


def segment(trace: Trace) -> Checks:
    """Bound each segment's sum by D (1 - kappa^len) / (1 - kappa)."""
    if trace.claimed.is_open:
        return ()
    most = trace.claimed.diameter * trace.lengths
    return Check.worst(trace.sums, trace.allowed, slack=SLACK, trivial=most * (1 + 1e-9))


def path(trace: Trace) -> Checks:
    """Bound the whole sum by that of the segments."""
    if trace.claimed.is_open:
        return ()
    return Check(float(trace.away[:-1].sum()), float(trace.allowed.sum()), slack=SLACK)


def count(trace: Trace, *, arms: bool = False) -> Checks:
    """Bound the whole sum by D / (1 - kappa) times the number of segments."""
    if trace.claimed.is_open:
        return ()
    number = len(np.unique(trace.case.arms)) if arms else len(trace.first)
    bound = trace.claimed.diameter * number / (1 - trace.kappa)
    return Check(float(trace.away[:-1].sum()), bound, slack=SLACK)


def noisy(trace: Trace, *, remembers: bool = True) -> Checks:
    """Add the disturbances, each of which is remembered for 1 / (1 - kappa) rounds."""
    if trace.claimed.is_open:
        return ()
    added = float(trace.noise.sum()) / (1 - trace.kappa if remembers else 1.0)
    return Check(float(trace.noisy.sum()), float(trace.allowed.sum()) + added, slack=SLACK)


def attained(trace: Trace) -> Checks:
    """Find D (1 - kappa^T) / (1 - kappa) where one arm pulls from the farthest state."""
    n = np.arange(1, len(trace.resting) + 1)
    allowed = (1 - trace.kappa**n) / (1 - trace.kappa)
    return Check.equal(np.cumsum(trace.resting), allowed, slack=SLACK)


# ---- broken versions ----------------------------------------------------------------------------


def between(inertia: float, start: float) -> GaussianBandit:
    """Return two arms that pull the state to 0 and to 1."""
    slope, target = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    return GaussianBandit(
        np.zeros(2), reward_slope=slope, target=target, inertia=inertia, start=start
    )


def trap_twice(rng: np.random.Generator) -> Case:
    """Draw a state that is pulled to and fro often."""
    n = int(rng.integers(5, 31))
    env = between(0.5, 1.0)
    return Case(env, np.arange(n) % 2, rng.integers(5, 21, n), 0.01, int(rng.integers(2**31)))


def one_shock(rng: np.random.Generator) -> Case:
    """Draw a state at rest that is disturbed."""
    env = between(0.9, 0.0)
    lengths = np.array([int(rng.integers(50, LONGEST + 1))])
    return Case(env, np.zeros(1, dtype=np.int64), lengths, 1.0, int(rng.integers(2**31)))


CHAIN = Chain(
    id="ofs.transient",
    title="OFS-T7: what leaving steady states costs on a path",
    source=(
        "derived here for closed-loop thresholds in the setting of Du, arXiv 2512.22313, of which"
        " only the abstract was read; a geometric sum"
    ),
    statement=(
        "If |F(z, a) - F(z', a)| <= kappa |z - z'| with kappa < 1 and D bounds all distances from"
        " steady states, then for any actions with maximal constant segments of lengths len_i"
        " sum_t |z_t - z_inf(a_t)| <= D sum_i (1 - kappa^len_i) / (1 - kappa) <= D segments /"
        " (1 - kappa); disturbances add sum_t |zeta_t| / (1 - kappa)."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="steady states solved for; powers of kappa",
    links=(
        Link("step", "|z_{t+1} - z_inf(a)| <= kappa |z_t - z_inf(a)| within a segment", step),
        Link("segment", "a segment's sum <= D (1 - kappa^len) / (1 - kappa)", segment),
        Link("path", "the sum <= D sum_i (1 - kappa^len_i) / (1 - kappa)", path),
        Link("count", "the sum <= D segments / (1 - kappa)", count),
        Link("noisy", "disturbances add sum_t |zeta_t| / (1 - kappa)", noisy),
        Link("attained", "equality where one arm pulls from the farthest state", attained),
    ),
    twins=(
        Twin(
            "faster",
            "kappa is claimed to be 0.1 less",
            run=partial(run, excess=0.1),
            expect_link=("step", "segment", "path", "attained"),
        ),
        Twin(
            "by_arms",
            "segments of one arm are counted once",
            sample=trap_twice,
            links={"count": partial(count, arms=True)},
            expect_link="count",
        ),
        Twin(
            "forgets",
            "a disturbance counts for its own round only",
            sample=one_shock,
            links={"noisy": partial(noisy, remembers=False)},
            expect_link="noisy",
        ),
    ),
)
"""Tight on every link: the trap, whose state is pulled from its farthest point."""
