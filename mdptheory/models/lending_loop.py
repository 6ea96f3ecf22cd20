"""Loans to two groups whose credit clusters move with what was lent and repaid."""

from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import (
    as_float_array,
    as_index_array,
    check_count,
    check_names,
    check_number,
    check_shape,
    check_simplex,
    place,
    read_only,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models.bandit import BanditProblem, GaussianBandit
from mdptheory.models.fair_constraints import Channel
from mdptheory.models.threshold_loop import ThresholdLoop


def _demo_clusters() -> FloatArray:
    return np.array([[0.0, 0.1, 0.1, 0.2, 0.3, 0.3, 0.0], [0.1, 0.1, 0.2, 0.3, 0.3, 0.0, 0.0]])


def _demo_success() -> FloatArray:
    return np.array([0.1, 0.2, 0.45, 0.6, 0.65, 0.7, 0.7])


@dataclass(frozen=True, slots=True, eq=False)
class LendingLoop:
    """Lend to applicants from a credit cluster on, one applicant a round, in a closed loop.

    A round draws a group, a cluster of that group and whether a loan would be repaid. A repaid loan
    moves the mass ``min(shift, share of the cluster)`` one cluster up, a default one down; at the
    ends it stays. A rejected applicant changes nothing. Once the cash is less than a loan, nobody
    is accepted any more. The state is the cluster distributions of both groups, then the cash.

    Parameters
    ----------
    cluster_probs : array of shape (2, C)
        Shares of the clusters in each group before the first round.
    success : array of shape (C,)
        Probability that a loan is repaid.
    group_probs : array of shape (2,)
        Probability that an applicant is of each group.
    shift : float
        Mass that moves with a loan, in (0, 1].
    interest : float
        What a repaid loan earns, in loans; a default costs 1.
    cash : float
        Money before the first round.
    loan : float
        Size of a loan, positive.
    thresholds : array of int of shape (K,) or (K, 2), optional
        Lowest accepted cluster of each arm, in 0 (everybody) to C (nobody); a pair of them
        for thresholds that differ between groups. All of 0 to C if absent.
    groups : pair of str
        Names of the groups.

    Raises
    ------
    InvalidModelError
        If a distribution, a probability or a threshold is none.

    Notes
    -----
    The numbers by default are those of the demonstration in [1]_. No arm forgets its past: clusters
    that are rejected keep their mass for ever, so nothing is proved about learning here.

    References
    ----------
    .. [1] A. D'Amour et al. (2020). Fairness is not static: deeper understanding of long term
       fairness via simulation studies.

    Examples
    --------
    >>> loop = LendingLoop()
    >>> loop.n_arms, [channel.name for channel in loop.channels]
    (8, ['reward', 'service', 'rate_A', 'rate_B'])
    """

    cluster_probs: FloatArray = field(default_factory=_demo_clusters)
    success: FloatArray = field(default_factory=_demo_success)
    group_probs: FloatArray = field(default_factory=lambda: np.array([0.5, 0.5]))
    shift: float = 0.01
    interest: float = 1.0
    cash: float = 1e4
    loan: float = 1.0
    thresholds: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    groups: tuple[str, str] = ("A", "B")

    def __post_init__(self) -> None:
        """Check everything, fill in the thresholds, freeze the arrays."""
        clusters = as_float_array("cluster_probs", self.cluster_probs)
        check_shape("cluster_probs", clusters, (2, None))
        n = clusters.shape[1]
        if n < 2:
            raise InvalidModelError(f"cluster_probs has {n} clusters; expected at least 2")
        check_simplex("cluster_probs", clusters)
        success = as_float_array("success", self.success)
        check_shape("success", success, (n,))
        for c, value in enumerate(success):
            check_number(f"success[{c}]", value, low=0.0, high=1.0)
        shares = as_float_array("group_probs", self.group_probs)
        check_shape("group_probs", shares, (2,))
        check_simplex("group_probs", shares)
        check_number("shift", self.shift, low=0.0, high=1.0, open_low=True)
        check_number("interest", self.interest, low=0.0, open_high=True)
        check_number("loan", self.loan, low=0.0, open_low=True, open_high=True)
        check_number("cash", self.cash, low=0.0, open_high=True)
        thresholds = _checked_thresholds(self.thresholds, n)
        for name, array in (
            ("cluster_probs", clusters),
            ("success", success),
            ("group_probs", shares),
            ("thresholds", thresholds),
        ):
            object.__setattr__(self, name, read_only(array))
        object.__setattr__(self, "groups", check_names("groups", self.groups, 2))

    @property
    def n_arms(self) -> int:
        """Number of arms K."""
        return len(self.thresholds)

    @property
    def n_clusters(self) -> int:
        """Number of credit clusters C."""
        return len(self.success)

    @property
    def lowest(self) -> IntArray:
        """Lowest accepted cluster of each group under each arm, shape (2, K)."""
        pairs = self.thresholds if self.thresholds.ndim == 2 else np.tile(self.thresholds, (2, 1)).T
        return read_only(pairs.T)

    @property
    def start_state(self) -> FloatArray:
        """Cluster distributions of both groups and the cash, shape (2 C + 1,)."""
        return np.concatenate([self.cluster_probs.ravel(), [self.cash]])

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Reward in loans, service (accepted or not), then a count a group: its acceptances."""
        reward = Channel("reward", (1.0 + self.interest) / 2, -1.0, float(self.interest))
        rates = [Channel(f"rate_{name}", 0.5, 0.0, 1.0, 1) for name in self.groups]
        return (reward, Channel("service", 0.5, 0.0, 1.0), *rates)

    @property
    def problem(self) -> BanditProblem:
        """What a learner is told."""
        return BanditProblem(self.n_arms, self.channels)

    def with_group_thresholds(self, every: int = 1) -> Self:
        """Return the loop whose arms are all pairs of thresholds, one a group.

        Parameters
        ----------
        every : int
            Take each ``every``-th threshold, to keep the number of arms small.

        Returns
        -------
        LendingLoop
            With arm ``i * n + j`` for the i-th and j-th of n thresholds.
        """
        if self.thresholds.ndim == 2:
            raise InvalidModelError(
                f"thresholds has shape {self.thresholds.shape}: there is one a group already"
            )
        kept = self.thresholds[:: check_count("every", every)]
        pairs = np.column_stack([np.repeat(kept, len(kept)), np.tile(kept, len(kept))])
        return replace(self, thresholds=pairs)


ClosedLoop: TypeAlias = GaussianBandit | ThresholdLoop | LendingLoop
"""Everything whose arms are played round after round."""


def _checked_thresholds(thresholds: IntArray, n: int) -> IntArray:
    given = as_index_array("thresholds", thresholds).astype(np.int64)
    if not given.size:
        return np.arange(n + 1)
    if given.ndim not in (1, 2) or (given.ndim == 2 and given.shape[1] != 2):
        raise InvalidModelError(f"thresholds has shape {given.shape}; expected (K,) or (K, 2)")
    wrong = np.argwhere((given < 0) | (given > n))
    if wrong.size:
        at = tuple(int(i) for i in wrong[0])
        raise InvalidModelError(
            f"{place('thresholds', at)} is {given[at]}; expected a cluster in 0 to {n - 1}, or {n}"
            f" to accept nobody ({len(wrong)} of {given.size} entries fail)"
        )
    falls = np.flatnonzero(np.diff(given) <= 0) if given.ndim == 1 else np.zeros(0)
    if falls.size:
        k = int(falls[0])
        raise InvalidModelError(
            f"thresholds[{k + 1}] is {given[k + 1]}, not above thresholds[{k}] = {given[k]};"
            " expected increasing thresholds"
        )
    return given
