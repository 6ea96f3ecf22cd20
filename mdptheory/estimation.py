"""From counted transitions to a nominal model and a set that holds the true one, surely enough."""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory._validation import (
    as_array,
    as_float_array,
    as_index_array,
    check_count,
    check_finite,
    check_number,
    check_shape,
    place,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models import Discounted, Objective, TabularMDP
from mdptheory.models.ambiguity import BurgBall, ChiSquareBall, EVaRSet, KLBall, L1Ball
from mdptheory.models.rows import expected_reward, index_dtype

__all__ = ["DataSets", "count_transitions", "robust_model", "sets_from_data"]

DataBall: TypeAlias = L1Ball | BurgBall
LARGEST_COUNT = 2.0**53  # beyond it a float64 skips whole numbers
ROOT_STEPS = 100  # of Newton's method, which takes about ten


@dataclass(frozen=True, slots=True, eq=False)
class DataSets:
    """Rows estimated from counts, and how far the true ones may be.

    Attributes
    ----------
    prob : array of shape (n_states, n_actions, n_states)
        Observed frequencies; uniform for a pair that was never tried; zero if not available.
    ambiguity : L1Ball or BurgBall
        The set around them, with one radius a pair.
    radius : array of shape (n_states, n_actions)
        Its radii: 2 (L1) or infinite (Burg) for a pair that was never tried, 0 if not available.
    visits : array of shape (n_states, n_actions)
        How often each pair was tried.
    available : array of bool of shape (n_states, n_actions)
        Which pairs exist.
    delta : float
        Claimed bound on the probability that some true row is not in its set.
    """

    prob: FloatArray
    ambiguity: DataBall
    radius: FloatArray
    visits: FloatArray
    available: BoolArray
    delta: float

    def model(self, reward: npt.ArrayLike, objective: Objective) -> TabularMDP:
        """Return the nominal model with known rewards.

        Parameters
        ----------
        reward : array of shape (n_states, n_actions) or (n_states, n_actions, n_states)
            Reward of a pair, or of a transition: the latter is needed for transitions that were
            not seen too, since nature may choose them.
        objective : Discounted, FiniteHorizon or TotalReward
            What a policy is judged by.

        Returns
        -------
        TabularMDP
            The frequencies as a model, for a robust planner together with ``ambiguity``.

        Raises
        ------
        InvalidModelError
            If the rewards have another shape or an entry that is not finite.
        """
        paid = as_float_array("reward", reward)
        n = self.prob.shape[0]
        if paid.shape not in (self.available.shape, self.prob.shape):
            raise InvalidModelError(
                f"reward has shape {paid.shape}; expected {self.available.shape} or"
                f" {self.prob.shape}"
            )
        check_finite("reward", paid)
        rows = self.prob[self.available]
        stored = np.full(rows.shape, True) if paid.ndim == 3 else rows > 0
        row_ptr = np.concatenate([[0], np.cumsum(stored.sum(axis=1))])
        per_transition = paid[self.available][stored] if paid.ndim == 3 else None
        averaged = (
            paid[self.available]
            if per_transition is None
            else expected_reward(rows[stored], per_transition, row_ptr)
        )
        return TabularMDP(
            choice_ptr=np.concatenate([[0], np.cumsum(self.available.sum(axis=1))]),
            action=np.nonzero(self.available)[1],
            row_ptr=row_ptr,
            next_state=np.nonzero(stored)[1].astype(index_dtype(n)),
            prob=rows[stored],
            reward=averaged,
            objective=objective,
            n_states=n,
            transition_reward=per_transition,
        )


def sets_from_data(
    counts: npt.ArrayLike,
    *,
    delta: float,
    kind: type[L1Ball] | type[BurgBall],
    adaptive: bool = False,
    support_size: npt.ArrayLike | None = None,
    available: npt.ArrayLike | None = None,
) -> DataSets:
    """Put a set around every row's frequencies, so that all true rows are inside at once.

    Parameters
    ----------
    counts : array of shape (n_states, n_actions, n_states)
        ``counts[s, a, t]``: how often action a led from s to t. Whole numbers.
    delta : float
        Probability in (0, 1) with which some true row may be outside.
    kind : L1Ball or BurgBall
        The type of set. The L1 ball is a polytope; the Burg ball ``KL(frequencies || q) <= radius``
        knows how little rare outcomes vary, and excludes no outcome that was not seen.
    adaptive : bool
        False if the number of trials of each pair was fixed before the data were seen; True if it
        depended on them (exploration, episodes, stopping at will), which costs a logarithm.
    support_size : int or array of int of shape (n_states, n_actions), optional
        How many outcomes a row can have, if this is known *without* the data; by default
        ``n_states``. Only the radius uses it: which outcomes they are stays open.
    available : array of bool of shape (n_states, n_actions), optional
        Which pairs exist; all by default.

    Returns
    -------
    DataSets
        Frequencies, set and radii.

    Raises
    ------
    InvalidModelError
        If a count is negative, fractional or not finite, ``delta`` is outside (0, 1), a row has
        more outcomes than ``support_size`` allows, or an unavailable pair was tried.
    NotImplementedError
        If there is no radius for this type of set.

    Notes
    -----
    With N trials of a pair, k outcomes, M pairs and ``L = log(M / delta)`` (plus
    ``log(N (N + 1))`` if adaptive, which sums the failures over all N), the radii are

    - L1: ``sqrt(2 (log(2^k - 2) + L) / N)`` [1]_, at most 2;
    - Burg: the larger root r of ``N r - (k - 1) (1 + log(N r / (k - 1))) = L``, Chernoff's bound
      from the moment generating function of [2]_.

    With one possible outcome both are 0 once it was seen. The transitions of a pair must be
    independent draws from its row.

    References
    ----------
    .. [1] T. Weissman, E. Ordentlich, G. Seroussi, S. Verdu and M. Weinberger, "Inequalities for
       the L1 deviation of the empirical distribution", HP Laboratories, 2003.
    .. [2] R. Agrawal, "Finite-sample concentration of the multinomial in relative entropy",
       arXiv 1904.02291, 2020.

    Examples
    --------
    >>> from mdptheory.models.ambiguity import L1Ball
    >>> counts = [[[70, 30], [0, 0]], [[10, 90], [5, 5]]]
    >>> sets = sets_from_data(counts, delta=0.05, kind=L1Ball)
    >>> sets.prob[0].tolist(), sets.radius.round(3).tolist()
    ([[0.7, 0.3], [0.5, 0.5]], [[0.319, 2.0], [0.319, 1.007]])
    """
    _check_kind(kind)
    risk = check_number("delta", delta, low=0.0, high=1.0, open_low=True, open_high=True)
    table = _counts(counts)
    here = _availability(available, table)
    size = _support_sizes(support_size, table)
    visits = table.sum(axis=2)
    log_risk = np.full(visits.shape, math.log(max(int(here.sum()), 1) / risk))
    if adaptive:
        log_risk += np.log(np.maximum(visits * (visits + 1.0), 1.0))
    unseen = 2.0 if kind is L1Ball else math.inf
    rule = _l1_radius if kind is L1Ball else _burg_radius
    radius = np.where(visits > 0, rule(np.maximum(visits, 1.0), size, log_risk), unseen)
    if table.shape[0] == 1:
        radius[:] = 0.0
    radius[~here] = 0.0
    prob = np.where(visits[..., None] > 0, table, 1.0)
    prob /= prob.sum(axis=2, keepdims=True)
    prob[~here] = 0.0
    for array in (prob, radius, visits, here):
        array.setflags(write=False)
    return DataSets(prob, kind(radius, support="all"), radius, visits, here, risk)


def robust_model(
    counts: npt.ArrayLike,
    reward: npt.ArrayLike,
    gamma: float,
    *,
    delta: float,
    kind: type[L1Ball] | type[BurgBall],
    adaptive: bool = False,
) -> tuple[TabularMDP, DataBall]:
    """Return the nominal model and the ambiguity set that a robust planner takes.

    Parameters
    ----------
    counts : array of shape (n_states, n_actions, n_states)
        ``counts[s, a, t]``: how often action a led from s to t.
    reward : array of shape (n_states, n_actions) or (n_states, n_actions, n_states)
        Known reward of a pair, or of a transition.
    gamma : float
        Discount factor in [0, 1).
    delta, kind, adaptive
        As in `sets_from_data`, which also takes known supports and missing actions.

    Returns
    -------
    mdp : TabularMDP
        The observed frequencies as a model.
    ambiguity : L1Ball or BurgBall
        With probability at least ``1 - delta`` the true model is in this set around it, and then
        the robust value of any policy is a lower bound on its true value.

    Raises
    ------
    InvalidModelError
        As in `sets_from_data` and `DataSets.model`.

    Examples
    --------
    >>> from mdptheory.models.ambiguity import BurgBall
    >>> counts = [[[70, 30], [9, 1]], [[10, 90], [5, 5]]]
    >>> mdp, ambiguity = robust_model(
    ...     counts, [[0.0, 0.5], [1.0, 1.0]], 0.9, delta=0.05, kind=BurgBall)
    >>> mdp.n_rows, ambiguity.radius.round(3).tolist()
    (4, [[0.074, 0.738], [0.074, 0.738]])
    """
    sets = sets_from_data(counts, delta=delta, kind=kind, adaptive=adaptive)
    return sets.model(reward, Discounted(gamma)), sets.ambiguity


def count_transitions(
    state: npt.ArrayLike,
    action: npt.ArrayLike,
    next_state: npt.ArrayLike,
    *,
    n_states: int,
    n_actions: int,
) -> FloatArray:
    """Count a log of transitions.

    Parameters
    ----------
    state, action, next_state : array of int of shape (n,)
        One entry a transition, in any order.
    n_states, n_actions : int
        Sizes of the model.

    Returns
    -------
    array of shape (n_states, n_actions, n_states)
        How often each transition occurs.

    Raises
    ------
    InvalidModelError
        If lengths differ or an index is out of range.

    Examples
    --------
    >>> count_transitions([0, 0, 1], [0, 0, 0], [1, 1, 0], n_states=2, n_actions=1).tolist()
    [[[0.0, 2.0]], [[1.0, 0.0]]]
    """
    sizes = {
        "state": check_count("n_states", n_states),
        "action": check_count("n_actions", n_actions),
    }
    sizes["next_state"] = sizes["state"]
    columns: list[IntArray] = []
    for (name, size), given in zip(sizes.items(), (state, action, next_state), strict=True):
        column = as_index_array(name, given)
        check_shape(name, column, (None,) if not columns else columns[0].shape)
        bad = (column < 0) | (column >= size)
        if bad.any():
            i = int(np.argmax(bad))
            raise InvalidModelError(
                f"{name}[{i}] is {column[i]}; expected an index in [0, {size})"
                f" ({int(bad.sum())} of {column.size} entries fail)"
            )
        columns.append(column)
    counts = np.zeros((sizes["state"], sizes["action"], sizes["state"]))
    np.add.at(counts, tuple(columns), 1.0)
    return counts


def _l1_radius(visits: FloatArray, size: FloatArray, log_risk: FloatArray) -> FloatArray:
    """Weissman's radius; the number 2^k - 2 of events does not overflow."""
    many = np.maximum(size, 2.0)
    events = many * math.log(2.0) + np.log1p(-np.exp2(1.0 - many))
    radius = np.minimum(np.sqrt(2.0 * (events + log_risk) / visits), 2.0)
    return np.asarray(np.where(size > 1, radius, 0.0))


def _burg_radius(visits: FloatArray, size: FloatArray, log_risk: FloatArray) -> FloatArray:
    """Larger root of N r - m (1 + log(N r / m)) = L with m = k - 1, from above."""
    spare = np.maximum(size - 1.0, 1.0)
    goal = log_risk / spare
    y = 1.0 + np.sqrt(2.0 * goal) + goal  # N r / m, above the root of y - 1 - log y = goal
    for _ in range(ROOT_STEPS):  # Newton falls to the root of a convex function from above
        step = (y - 1.0 - np.log(y) - goal) * y / (y - 1.0)
        y = y - np.maximum(step, 0.0)
        if (step <= 1e-14 * y).all():
            break
    return np.asarray(np.where(size > 1, spare * y / visits, 0.0))


def _check_kind(kind: object) -> None:
    """Refuse sets that miss the true row however large they are, and those without a radius."""
    if kind is L1Ball or kind is BurgBall:
        return
    name = getattr(kind, "__name__", repr(kind))
    if kind in (KLBall, ChiSquareBall, EVaRSet):
        raise NotImplementedError(
            f"kind is {name}, whose rows stay on the outcomes that were seen: whatever the radius,"
            " it misses the true row when a possible outcome was not seen; expected L1Ball or"
            " BurgBall (or smooth the frequencies and choose a radius yourself)"
        )
    raise NotImplementedError(
        f"kind is {name}, for which no radius is known here; expected L1Ball or BurgBall"
    )


def _counts(counts: npt.ArrayLike) -> FloatArray:
    """Refuse anything but whole numbers of trials, one a state, action and successor."""
    table = np.array(as_float_array("counts", counts))
    if table.ndim != 3 or table.shape[0] != table.shape[2] or 0 in table.shape:
        raise InvalidModelError(
            f"counts has shape {table.shape}; expected (n_states, n_actions, n_states)"
        )
    check_finite("counts", table)
    bad = (table < 0) | (table != np.floor(table)) | (table > LARGEST_COUNT)
    if bad.any():
        i = tuple(int(k) for k in np.argwhere(bad)[0])
        raise InvalidModelError(
            f"{place('counts', i)} is {table[i]}; expected a whole number from 0 to 2^53"
            f" ({int(bad.sum())} of {table.size} entries fail)"
        )
    return table


def _availability(available: npt.ArrayLike | None, table: FloatArray) -> BoolArray:
    """Refuse states without actions and trials of pairs that do not exist."""
    pairs = table.shape[:2]
    if available is None:
        return np.full(pairs, True)
    here = np.array(as_array("available", available))
    if here.dtype != np.bool_:
        raise TypeError(f"available has dtype {here.dtype}; expected bool")
    check_shape("available", here, pairs)
    if not here.any(axis=1).all():
        s = int(np.argmin(here.any(axis=1)))
        raise InvalidModelError(f"available[{s}] has no action; expected at least one a state")
    tried = table.sum(axis=2)
    bad = ~here & (tried > 0)
    if bad.any():
        i = tuple(int(k) for k in np.argwhere(bad)[0])
        raise InvalidModelError(
            f"{place('counts', i)} has {tried[i]:g} trials of an action that is not available"
        )
    return here


def _support_sizes(support_size: npt.ArrayLike | None, table: FloatArray) -> FloatArray:
    """Refuse sizes that the data contradict."""
    n, pairs = table.shape[0], table.shape[:2]
    if support_size is None:
        return np.full(pairs, float(n))
    given = as_index_array("support_size", support_size).reshape(np.shape(support_size))
    if given.shape not in ((), pairs):
        raise InvalidModelError(f"support_size has shape {given.shape}; expected () or {pairs}")
    size = np.array(np.broadcast_to(given, pairs), dtype=np.float64)
    seen = (table > 0).sum(axis=2)
    bad = (size < np.maximum(seen, 1)) | (size > n)
    if bad.any():
        i = tuple(int(k) for k in np.argwhere(bad)[0])
        raise InvalidModelError(
            f"{place('support_size', i if given.ndim else ())} is {int(size[i])}; expected a number"
            f" from 1 to {n}, and {place('counts', i)} has {int(seen[i])} outcomes"
        )
    return size
