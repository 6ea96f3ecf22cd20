"""What compiled bandit loops read and write."""

from typing import NamedTuple

from mdptheory._typing import FloatArray, IntArray
from mdptheory.kernels.lending import Lending

# Rules
OFS, UCB, PESSIMISTIC, PRIMAL_DUAL, GREEDY, EXPLORE, FIXED = range(7)
# Kinds of world
GAUSS, POPULATION, LENDING = range(3)
# Places in `Memory.clock`
ARM, LEFT, BURN, NEXT, COMMIT, FALLEN, FALLBACKS, SWITCHES, CLOCKS = range(9)
# Places in `Memory.sums`; the signed residuals follow
REWARD, VIOLATION, REGRET, CLAIM_REWARD, CLAIM_VIOLATION, OBSERVED, SUMS = range(7)
# Places in `Population.drift`
ETA_Q, ETA_P, C1, C0, C_P, Q_LOW, Q_HIGH, P_LOW, P_HIGH, P0, QA0, QB0, DRIFTS = range(13)


class Gauss(NamedTuple):
    """Normal channels with means ``base + slope z``; z drifts to ``target`` of the arm."""

    base: FloatArray  # (K, C)
    slope: FloatArray  # (K, C)
    sigma: FloatArray  # (C,)
    target: FloatArray  # (K,)
    inertia: float


class Population(NamedTuple):
    """Two groups, two labels, and the share of each that an arm accepts."""

    survival: FloatArray  # (2, 2, K): group, label, arm
    log_survival: FloatArray  # (2, 2, K): logarithm, 0 where the share is 0
    log_rejected: FloatArray  # (2, 2, K): of one minus the share, 0 where that is 0
    cost: float
    n_first: int
    n_second: int
    stratified: bool
    drift: FloatArray  # (DRIFTS,)
    stochastic: bool
    log_factorial: FloatArray  # (n + 1,)
    reciprocal: FloatArray  # (n + 2,): of every number, 0 for 0


class World(NamedTuple):
    """An environment; only the record of its kind is read."""

    kind: int
    gauss: Gauss
    population: Population
    lending: Lending


class Task(NamedTuple):
    """An algorithm with all its numbers.

    C channels that the learner uses, M residuals ``matrix @ channels - level``.
    """

    rule: int
    pick: IntArray  # (C,): where the environment shows each channel
    scale: FloatArray  # (C,): sub-Gaussian scale times the radius scale
    log_term: FloatArray  # (C,): L, or with anytime what L_1 is
    anytime: bool
    matrix: FloatArray  # (M, C)
    level: FloatArray  # (M,)
    bias: FloatArray  # (C,): B of each channel, times the most trials of a round
    doubling: bool  # epochs as long as all earlier ones of the arm together
    first: int  # rounds of an arm's first epoch
    burn: int  # rounds at the start of each epoch that are not recorded
    explore: int
    fixed: int
    dual_step: float
    dual_cap: float
    reward_range: float
    violation_cap: float
    drift_reward: float  # Lipschitz constant times diameter
    drift_violation: float
    kappa: float
    comparator: float  # nan: unknown


class Memory(NamedTuple):
    """All that a learner keeps, and the sums of a run."""

    pulls: IntArray  # (K,) recorded rounds
    epochs: IntArray  # (K,) finished epochs
    total: FloatArray  # (K, C) sums of values, or hits
    weight: FloatArray  # (K, C) rounds, or trials
    estimate: FloatArray  # (K, C)
    radius: FloatArray  # (K, C)
    mean: FloatArray  # (K,) average reward
    upper: FloatArray  # (K,) bound on the mean reward
    low: FloatArray  # (K,) optimistic violation
    high: FloatArray  # (K,) largest upper bound of a residual
    residual: FloatArray  # (K, M) lower bounds of the residuals
    claim: FloatArray  # (K, 2) what a round can lose in reward, and in violation
    dual: FloatArray  # (M,)
    decay: FloatArray  # (1,) kappa to the power of the rounds of this epoch
    clock: IntArray  # (CLOCKS,)
    sums: FloatArray  # (SUMS + M,)
    state: FloatArray  # (d,)


class Desk(NamedTuple):
    """Scratch for one round, one entry a channel of the environment."""

    mean: FloatArray
    x: FloatArray  # values, or hits
    w: FloatArray  # ones, or trials


class Log(NamedTuple):
    """What is recorded of a run: arms of all T rounds, the rest at n of them."""

    arms: IntArray  # (T,)
    means: FloatArray  # (n, C) of all channels of the environment
    states: FloatArray  # (n, d)
    sums: FloatArray  # (n, SUMS + M)
