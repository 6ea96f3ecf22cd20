"""What the bandit algorithms take and keep."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import check_count, check_flag, check_number
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.bandit_records import ARM, CLOCKS, COMMIT, FALLEN, SUMS, Log, Memory, Task


@dataclass(frozen=True, slots=True, eq=False)
class BanditOptions:
    """How wide confidence bounds are, and what a run records.

    Parameters
    ----------
    delta : float
        Probability with which some bound of the run may fail, in (0, 1).
    radius_scale : float
        Multiplies all radii. Nothing is proved below 1; about 0.25 switches arms less often.
    anytime : bool
        Whether radii hold for every number of rounds, not only up to the horizon; wider.
    record_every : int
        Record means, states and sums at each round whose number, from 1, is a multiple, and at the
        last one. Every round takes about 150 bytes.
    progress : callable, optional
        Called with the number of rounds done, every few thousand rounds.

    Raises
    ------
    InvalidModelError
        If a number is out of range.
    """

    delta: float = 0.05
    radius_scale: float = 1.0
    anytime: bool = False
    record_every: int = 1
    progress: Callable[[int], object] | None = None

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        check_number("delta", self.delta, low=0.0, high=1.0, open_low=True, open_high=True)
        check_number("radius_scale", self.radius_scale, low=0.0, open_low=True, open_high=True)
        check_flag("anytime", self.anytime)
        check_count("record_every", self.record_every)


@dataclass(frozen=True, slots=True, eq=False)
class BanditState:
    """All that a learner, and the environment, need for the next round; read-only.

    Attributes
    ----------
    round : int
        Number of rounds played.
    memory : Memory
        Counts, sums, bounds, prices and the state of the environment.
    """

    round: int
    memory: Memory

    @property
    def pulls(self) -> IntArray:
        """Recorded rounds of each arm, shape (K,)."""
        return self.memory.pulls

    @property
    def estimate(self) -> FloatArray:
        """Estimated mean of each channel that the learner uses, shape (K, C)."""
        return self.memory.estimate

    @property
    def radius(self) -> FloatArray:
        """Half width of its confidence interval, shape (K, C); inf where nothing was seen."""
        return self.memory.radius

    @property
    def optimistic_violation(self) -> FloatArray:
        """Smallest violation of each arm that the intervals allow, shape (K,)."""
        return self.memory.low

    @property
    def state(self) -> FloatArray:
        """State of the environment, shape (d,)."""
        return self.memory.state


@dataclass(frozen=True, slots=True, eq=False)
class BanditInfo:
    """One round.

    Attributes
    ----------
    arm : int
        What was played.
    means : array of shape (C,)
        Mean of every channel of the environment in that round.
    state : array of shape (d,)
        State in which it was played.
    fallback : bool
        Whether no arm had looked feasible.
    """

    arm: int
    means: FloatArray
    state: FloatArray
    fallback: bool


def frozen(memory: Memory) -> Memory:
    """Return the same arrays, from now on read-only."""
    for array in memory:
        array.setflags(write=False)
    return memory


def copied(memory: Memory) -> Memory:
    """Return writable copies."""
    return Memory._make(np.array(array) for array in memory)


def own_memory(task: Task, n_arms: int, state: BanditState) -> Memory:
    """Return a writable copy; the memory of another learner may lack what kernels read."""
    if not isinstance(state, BanditState):
        raise TypeError(
            f"state is {state!r} of type {type(state).__name__}; expected the BanditState of init,"
            " step or update"
        )
    kept = state.memory
    wanted = (n_arms, len(task.pick), len(task.level))
    found = (*kept.total.shape, len(kept.dual))
    if found != wanted:
        raise InvalidModelError(
            f"state has {found[0]} arms, {found[1]} channels and {found[2]} residuals; expected"
            f" {wanted[0]}, {wanted[1]} and {wanted[2]}, as this learner's"
        )
    return copied(kept)


def fell_back(memory: Memory) -> bool:
    """Tell whether the arm of this epoch was chosen while none looked feasible."""
    return bool(memory.clock[FALLEN])


def blank_memory(task: Task, n_arms: int, start: FloatArray) -> Memory:
    """Return the memory of no round."""
    m, c = task.matrix.shape
    clock = np.zeros(CLOCKS, dtype=np.int64)
    clock[ARM] = clock[COMMIT] = -1
    return Memory(
        pulls=np.zeros(n_arms, dtype=np.int64),
        epochs=np.zeros(n_arms, dtype=np.int64),
        total=np.zeros((n_arms, c)),
        weight=np.zeros((n_arms, c)),
        estimate=np.zeros((n_arms, c)),
        radius=np.full((n_arms, c), np.inf),
        mean=np.zeros(n_arms),
        upper=np.full(n_arms, np.inf),
        low=np.zeros(n_arms),
        high=np.full(n_arms, np.inf if m else -np.inf),
        residual=np.full((n_arms, m), -np.inf),
        claim=np.tile([task.reward_range, task.violation_cap], (n_arms, 1)),
        dual=np.zeros(m),
        decay=np.ones(1),
        clock=clock,
        sums=np.zeros(SUMS + m),
        state=np.array(start),
    )


def stacked_memory(memory: Memory, n: int) -> Memory:
    """Return n writable copies along a leading axis."""
    return Memory._make(np.repeat(array[None], n, axis=0) for array in memory)


def empty_logs(n_runs: int, horizon: int, every: int, n_channels: int, memory: Memory) -> Log:
    """Return room for what is recorded of so many runs."""
    rows = -(-horizon // every)
    return Log(
        arms=np.empty((n_runs, horizon), dtype=np.int32),
        means=np.empty((n_runs, rows, n_channels)),
        states=np.empty((n_runs, rows, memory.state.shape[-1])),
        sums=np.empty((n_runs, rows, memory.sums.shape[-1])),
    )
