"""The game between a policy and nature, whichever ambiguity set nature picks her rows from."""

from typing import NamedTuple, Protocol, Self

from mdptheory._typing import FloatArray, IntArray
from mdptheory.models import TabularMDP, TransportPlan
from mdptheory.operators.backup import PolicyRows
from mdptheory.operators.crew import Crew


class Reply(NamedTuple):
    """Nature's worst row for every row of a stage, in CSR form, with the dual variables.

    Attributes
    ----------
    row_ptr : array of int of shape (n_rows + 1,)
        Outcomes of each row.
    next_state : array of int of shape (n_outcomes,)
        Successors, increasing within a row.
    prob : array of shape (n_outcomes,)
        Nature's probabilities, a distribution in every row.
    value : array of shape (n_rows,)
        Reward plus discounted value of the successors under them.
    multiplier, level : array of shape (n_rows,), or (r,) for a factor set
        Dual variables; see `mdptheory.certificates`.
    plan : TransportPlan or None
        The transport behind the rows of a Wasserstein ball.
    factors : array of shape (r, n_states) or None
        Nature's factors of a factor set.
    """

    row_ptr: IntArray
    next_state: IntArray
    prob: FloatArray
    value: FloatArray
    multiplier: FloatArray
    level: FloatArray
    plan: TransportPlan | None = None
    factors: FloatArray | None = None


class Held(Protocol):
    """One policy's rows, against which nature still plays."""

    def sweeps(
        self, v: FloatArray, *, goal: float, limit: int
    ) -> tuple[FloatArray, int, float, float]:
        """Apply the policy's robust operator until the span of the step is at most ``goal``.

        Returns the value (``v`` may be overwritten), the number of sweeps and the last extremes.
        """

    def frozen(self, v: FloatArray) -> PolicyRows:
        """Return the policy's rows with nature's reply at ``v`` held fixed."""


class Game(Protocol):
    """One stage of a robust model with buffers for a solver's sweeps."""

    mdp: TabularMDP
    gamma: float
    n_transitions: int
    work: float
    q: FloatArray
    crew: Crew

    def __enter__(self) -> Self:
        """Start the threads, if the model is large enough for them."""

    def __exit__(self, *_: object) -> None:
        """Stop the threads."""

    def greedy(self, v: FloatArray, out: FloatArray) -> tuple[float, float, float]:
        """Write the robust operator's ``L v`` into ``out``; remember policy and row values.

        Returns the extremes of ``out - v`` and what ``out`` may exceed ``L v`` by, because nature's
        reply was found to within that only.
        """

    def policy(self) -> IntArray | FloatArray:
        """Return the policy of the last greedy sweep: action ids, or probabilities."""

    def hold(self, policy: IntArray | FloatArray | None = None) -> Held:
        """Return the rows of the last greedy sweep's, or another, policy."""

    def reply(self, v: FloatArray) -> Reply:
        """Return nature's worst row for every row at ``v``."""
