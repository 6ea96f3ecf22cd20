"""Arrays of a learner of linear MDPs, bundled as compiled code passes them around."""

from typing import NamedTuple

from mdptheory._typing import BoolArray, FloatArray, IntArray

L1, L2, ELLIPTIC = 0, 1, 2  # shapes of the width


class Task(NamedTuple):
    """What stays the same through a run; all arrays C-contiguous and writable.

    The width of factor i at step h is ``beta = slope[h, i] R + offset[h, i]`` with ``R = sqrt(log
    det(Lambda / ridge) / 4 + log_term[h])``; a given beta is an offset without slope.
    """

    start: FloatArray  # (S,) distribution of the first state
    phi: FloatArray  # (H or 1, d, S, A)
    reward: FloatArray  # (H, S, A)
    seen: FloatArray  # (H, S, A) what the fit takes for granted: the reward, or 0 if not known
    log_reference: FloatArray  # (H, S, A)
    level: FloatArray  # (H, d)
    slope: FloatArray  # (H, d)
    offset: FloatArray  # (H, d)
    log_term: FloatArray  # (H,)
    ceiling: FloatArray  # (H,) largest q
    kind: int  # FactorKind
    sink: int  # the fail state, -1 for none
    tau: float  # temperature, 0 is greedy
    keep: float  # 1 / eta of the mirror step, 0 for the one-shot policy
    bonus: int  # shape of the width
    sign: float  # +1 optimistic, -1 pessimistic
    bonus_last: bool
    clip_zero: bool
    reward_known: bool
    shift: bool  # KL moments as one minus the moment of 1 - exp


class Memory(NamedTuple):
    """Sufficient statistics of the episodes so far."""

    gram: FloatArray  # (H, d, d), ridge included
    inverse: FloatArray  # (H, d, d)
    log_det: FloatArray  # (H,) of gram / ridge
    moments: FloatArray  # (H, d, S)
    reward_moments: FloatArray  # (H, d)
    fitted: FloatArray  # (H,) log_det at the last fit, -inf before the first


class Fit(NamedTuple):
    """The last backward pass."""

    v: FloatArray  # (H + 1, S)
    q: FloatArray  # (H, S, A)
    pi: FloatArray  # (H, S, A)
    cdf: FloatArray  # (H, S, A) distribution functions of pi
    log_pi: FloatArray  # (H, S, A), of soft policies
    nu: FloatArray  # (H, d)
    width: FloatArray  # (H, S, A)


class Snap(NamedTuple):
    """What of a fit is measured after the run; several have a leading axis."""

    v: FloatArray  # (H + 1, S)
    pi: FloatArray  # (H, S, A)
    nu: FloatArray  # (H, d)
    width: FloatArray  # (H, S, A)


class Desk(NamedTuple):
    """Work space of a fit."""

    coef: FloatArray  # (d, S)
    spread: FloatArray  # (d,)
    scratch: FloatArray  # (S A,)
    order: IntArray  # (S,)


class Truth(NamedTuple):
    """What the learner does not know, to measure it by; empty factors if nothing is tracked."""

    mu: FloatArray  # (H, d, S), read-only
    start: FloatArray  # (S,) distribution of the first state
    optimum: float  # best value at the start
    every: int  # track each episode whose number is a multiple, 0 for none


class World(NamedTuple):
    """A kernel to sample from; rows are distribution functions that end with exactly 1."""

    start: FloatArray  # (S,)
    kernel: FloatArray  # (H, S, A, S)


class Log(NamedTuple):
    """What happened in each of n episodes; the last three are set where episodes are tracked."""

    states: IntArray  # (n, H + 1)
    actions: IntArray  # (n, H)
    optimistic: FloatArray  # (n,)
    refitted: BoolArray  # (n,)
    regret: FloatArray  # (n,)
    certificate: FloatArray  # (n,)
    event: BoolArray  # (n,)
