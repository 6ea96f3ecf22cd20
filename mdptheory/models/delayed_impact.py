"""One decision about two or more groups of applicants, and what it does to their scores later."""

from dataclasses import dataclass, field
from enum import Flag, auto

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import (
    as_float_array,
    check_names,
    check_number,
    check_shape,
    check_simplex,
    place,
    read_only,
)
from mdptheory.errors import InvalidModelError


class ImpactRegime(Flag):
    """What a decision does to the mean score of a group.

    One of the first three, and ``RELATIVE_HARM`` besides where the group would fare better under
    the policy of largest utility.
    """

    IMPROVEMENT = auto()
    STAGNATION = auto()
    DECLINE = auto()
    RELATIVE_HARM = auto()


def _absent() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class DelayedImpact:
    """Scores in increasing order, and what accepting an applicant does to both sides [1]_.

    An accepted applicant of score x succeeds with probability rho(x). The institution gets
    ``u_plus`` from a success and ``u_minus`` from a failure; the score moves by ``c_plus`` or by
    ``c_minus``. A rejected applicant changes nothing.

    Parameters
    ----------
    pi : array of shape (G, C)
        Distribution of the scores in each group.
    rho : array of shape (C,) or (G, C)
        Success probabilities, not decreasing in the score.
    u_plus, u_minus : float
        Utilities of a success, positive, and of a failure, negative.
    c_plus, c_minus : float
        Changes of the score, positive and negative.
    group_probs : array of shape (G,), optional
        Shares of the groups among the applicants; equal if absent.
    groups : sequence of str, optional
        Names of the groups.

    Raises
    ------
    InvalidModelError
        If a distribution or a probability is none, ``rho`` decreases, or a sign is wrong.

    References
    ----------
    .. [1] L. T. Liu, S. Dean, E. Rolf, M. Simchowitz, M. Hardt (2018). Delayed impact of fair
       machine learning. The changes of the score by default, 75 and -150, are quoted from memory.

    Examples
    --------
    >>> model = DelayedImpact([[0.6, 0.4]], [0.2, 0.8], c_plus=1.0, c_minus=-2.0)
    >>> model.score_change.round(3).tolist()
    [[-1.4, 0.4]]
    """

    pi: FloatArray
    rho: FloatArray
    u_plus: float = 1.0
    u_minus: float = -4.0
    c_plus: float = 75.0
    c_minus: float = -150.0
    group_probs: FloatArray = field(default_factory=_absent)
    groups: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check everything, spread ``rho`` over the groups, freeze the arrays."""
        pi = as_float_array("pi", self.pi)
        check_shape("pi", pi, (None, None))
        if not pi.size:
            raise InvalidModelError(
                f"pi has shape {pi.shape}; expected (G, C), with a group and a score at least"
            )
        check_simplex("pi", pi)
        _check_success(self.rho, pi.shape)
        for name in ("u", "c"):
            up, down = getattr(self, f"{name}_plus"), getattr(self, f"{name}_minus")
            check_number(f"{name}_plus", up, low=0.0, open_low=True, open_high=True)
            check_number(f"{name}_minus", down, high=0.0, open_low=True, open_high=True)
        shares = as_float_array("group_probs", self.group_probs)
        shares = shares if shares.size else np.full(len(pi), 1.0 / len(pi))
        check_shape("group_probs", shares, (len(pi),))
        check_simplex("group_probs", shares)
        rho = np.broadcast_to(as_float_array("rho", self.rho), pi.shape)
        for name, array in (("pi", pi), ("rho", rho), ("group_probs", shares)):
            object.__setattr__(self, name, read_only(array))
        object.__setattr__(self, "groups", check_names("groups", self.groups, len(pi)))

    @property
    def n_groups(self) -> int:
        """Number of groups G."""
        return len(self.pi)

    @property
    def n_scores(self) -> int:
        """Number of scores C."""
        return self.pi.shape[1]

    @property
    def utility(self) -> FloatArray:
        """Expected utility of accepting an applicant, shape (G, C), not decreasing in the score."""
        return self.u_plus * self.rho + self.u_minus * (1.0 - self.rho)

    @property
    def score_change(self) -> FloatArray:
        """Expected change of an accepted applicant's score, shape (G, C), not decreasing either."""
        return self.c_plus * self.rho + self.c_minus * (1.0 - self.rho)


@dataclass(frozen=True, slots=True, eq=False)
class PolicyImpact:
    """A policy with all that follows from it.

    Attributes
    ----------
    accept : array of shape (G, C)
        Probability that an applicant is accepted.
    rates : array of shape (G,)
        Selection rates.
    tpr : array of shape (G,)
        True-positive rates: shares of the would-be successes that are accepted; nan in a group
        without any.
    utility : float
        The institution's expected utility for an applicant of any group.
    outcomes : array of shape (G,)
        Expected change of a group's mean score.
    regimes : tuple of ImpactRegime
        What that is, group by group.
    """

    accept: FloatArray
    rates: FloatArray
    tpr: FloatArray
    utility: float
    outcomes: FloatArray
    regimes: tuple[ImpactRegime, ...]


def _check_success(rho: FloatArray, shape: tuple[int, ...]) -> None:
    given = as_float_array("rho", rho)
    if given.shape not in (shape, shape[1:]):
        raise InvalidModelError(
            f"rho has shape {given.shape}; expected ({shape[1]},) or ({shape[0]}, {shape[1]})"
        )
    outside = np.argwhere(~((given >= 0) & (given <= 1)))  # NaN is outside
    if outside.size:
        at = tuple(int(i) for i in outside[0])
        raise InvalidModelError(
            f"{place('rho', at)} is {given[at]}; expected a probability"
            f" ({len(outside)} of {given.size} entries fail)"
        )
    falls = np.argwhere(np.diff(given) < 0)
    if falls.size:
        *row, x = (int(i) for i in falls[0])
        here, before = (*row, x + 1), (*row, x)
        raise InvalidModelError(
            f"{place('rho', here)} is {given[here]}, below {place('rho', before)} ="
            f" {given[before]}; expected probabilities that do not fall with the score"
        )
