"""An American put on a binary price, known to learners through hat functions of the price."""

import math
from dataclasses import KW_ONLY, dataclass

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import check_count, check_number
from mdptheory.environments._put_lattice import StoppingRule, lattice_value, stops_of
from mdptheory.errors import InvalidModelError

_FIRST_ANCHOR, _WIDTH = 80.0, 100.0  # the width of [60, 160] is shared out among the anchors


@dataclass(frozen=True, slots=True, eq=False)
class AmericanPut:
    """Stop a price that goes up or down, for what it then lies below the strike.

    The state is the price, and ``inf`` once exercised. Action 0 continues, action 1 exercises. A
    `FeatureProcess`; an episode without exercise pays nothing.

    Parameters
    ----------
    horizon : int
        Number of decisions H.
    n_features : int
        Number of hat functions d.
    p_up : float
        Probability that the price goes up.
    start : float or pair of floats
        First price, or the interval on which it is uniform, anew in each episode.
    strike : float
        Price from which on exercise pays nothing.
    up, down : float
        Factors of the price, ``0 < down <= up``.

    Raises
    ------
    InvalidModelError
        If a number is out of range; the message names it.
    TypeError
        If ``start`` is neither a number nor a pair of numbers.

    Notes
    -----
    Features of action 0 are ``max(0, 1 - |price - anchor_j| / spacing)`` with spacing ``100 / d``
    and anchors ``80 + j * spacing``, j = 0, ..., d - 1; those of action 1, whose worth is known,
    are zero. The model is misspecified: what continuing is worth is no combination of hat
    functions, and these are no simplex weights. `feature_sums` records it: they sum to 1 only
    between the first and the last anchor, fall to 0 within one spacing of them, and do not see
    prices beyond at all. Rewards exceed 1, and values may exceed the horizon.

    `put_value` computes values exactly.

    Examples
    --------
    >>> put = AmericanPut(n_features=20, start=100.0)
    >>> put.rewards(0, np.array([90.0, np.inf]))
    array([[ 0., 10.],
           [ 0.,  0.]])
    >>> put.feature_sums(np.array([77.5, 90.0]))
    array([0.5, 1. ])
    """

    horizon: int = 20
    n_features: int = 30
    p_up: float = 0.5
    _: KW_ONLY
    start: float | tuple[float, float] = (95.0, 105.0)
    strike: float = 100.0
    up: float = 1.02
    down: float = 0.98

    def __post_init__(self) -> None:
        """Check every number once."""
        check_count("horizon", self.horizon)
        check_count("n_features", self.n_features)
        check_number("p_up", self.p_up, low=0.0, high=1.0)
        if isinstance(self.start, tuple | list):
            object.__setattr__(self, "start", _interval(self.start))
        else:
            _positive("start", self.start)
        _positive("strike", self.strike)
        _positive("up", self.up)
        check_number("down", self.down, low=0.0, high=self.up, open_low=True)

    @property
    def n_actions(self) -> int:
        """Number of actions: continue and exercise."""
        return 2

    @property
    def n_factors(self) -> int:
        """Number of features d."""
        return self.n_features

    @property
    def anchors(self) -> FloatArray:
        """Prices of shape (d,) where one feature is 1."""
        steps = np.arange(self.n_features, dtype=np.float64)
        return _FIRST_ANCHOR + steps * (_WIDTH / self.n_features)

    def features(self, step: int, states: FloatArray) -> FloatArray:
        """Return features of shape (n, 2, d): hat functions to continue, zeros to exercise."""
        phi = np.zeros((states.size, 2, self.n_features))
        away = np.abs(states[:, None] - self.anchors) * (self.n_features / _WIDTH)
        phi[:, 0] = np.maximum(0.0, 1.0 - away)
        return phi

    def feature_sums(self, states: FloatArray) -> FloatArray:
        """Return the sums of the features of continuing, (n,); 1 where they are weights."""
        return np.asarray(self.features(0, states)[:, 0].sum(axis=1))

    def rewards(self, step: int, states: FloatArray) -> FloatArray:
        """Return known rewards of shape (n, 2): 0, and what the price lies below the strike."""
        reward = np.zeros((states.size, 2))
        reward[:, 1] = np.maximum(0.0, self.strike - states)
        return reward

    def first(self, u: FloatArray) -> FloatArray:
        """Return first prices of shape (n,) for uniforms in [0, 1)."""
        low, high = self.start if isinstance(self.start, tuple) else (self.start, self.start)
        return np.asarray(low + (high - low) * u)

    def sample(self, step: int, states: FloatArray, actions: IntArray, u: FloatArray) -> FloatArray:
        """Return next prices of shape (n,) for uniforms in [0, 1); ``inf`` after exercise."""
        moved = states * np.where(u < self.p_up, self.up, self.down)
        return np.where(actions == 1, np.inf, moved)


def put_value(
    put: AmericanPut,
    p_up: float | None = None,
    policy: StoppingRule | None = None,
    radius: float = 0.0,
) -> float:
    """Return the expected payoff of a put, exact up to rounding.

    Parameters
    ----------
    put : AmericanPut
        With one first price.
    p_up : float, optional
        Probability that the price goes up where the policy is tested; that of ``put`` if None.
    policy : callable, optional
        ``policy(step, prices)`` says for each price of shape (n,) whether to exercise; None stops
        where that is best.
    radius : float
        Nature picks the probability anew at each price, within ``radius`` of ``p_up``.

    Returns
    -------
    float
        Value of the policy, or of the best one, under the worst probabilities.

    Raises
    ------
    InvalidModelError
        If the first price is random, a probability is out of range, or the policy says anything
        but yes or no.
    TypeError
        If ``put`` or ``policy`` is of another kind, or its answers are no integers or booleans.

    Notes
    -----
    After h moves, u of them up, the price is ``start * up**u * down**(h - u)``: H (H + 1) / 2
    nodes, and backward induction over them.

    Examples
    --------
    >>> put = AmericanPut(start=100.0, horizon=2)
    >>> put_value(put), put_value(put, 0.8), put_value(put, radius=0.5)
    (1.0, 0.4, 0.0)
    """
    if not isinstance(put, AmericanPut):
        raise TypeError(f"put is of type {type(put).__name__}; expected AmericanPut")
    if not (policy is None or callable(policy)):
        raise TypeError(f"policy is {policy!r}; expected a callable or None")
    if isinstance(put.start, tuple):
        raise InvalidModelError(
            f"put.start is {put.start}; expected one first price, as in"
            " dataclasses.replace(put, start=100.0)"
        )
    p = check_number("p_up", put.p_up if p_up is None else p_up, low=0.0, high=1.0)
    radius = check_number("radius", radius, low=0.0, high=1.0)
    prices = []
    for h in range(put.horizon):
        ups = np.arange(h + 1)
        prices.append(put.start * put.up**ups * put.down ** (h - ups))
    payoffs = [np.maximum(0.0, put.strike - nodes) for nodes in prices]
    stops = None if policy is None else stops_of(policy, prices)
    return lattice_value(payoffs, stops, max(0.0, p - radius), min(1.0, p + radius))


def _positive(name: str, value: float) -> float:
    """Return a positive and finite number."""
    return check_number(name, value, low=0.0, high=math.inf, open_low=True, open_high=True)


def _interval(start: tuple[float, ...] | list[float]) -> tuple[float, float]:
    """Return the interval of first prices, or refuse what is none."""
    if len(start) != 2:
        raise TypeError(f"start has {len(start)} entries; expected a number or a pair")
    low, high = (_positive(f"start[{i}]", end) for i, end in enumerate(start))
    if low > high:
        raise InvalidModelError(f"start is ({low}, {high}); expected an increasing pair")
    return low, high
