"""Linear MDPs: features times factors, what a learner may know of them, and samplers of them."""

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import (
    as_float_array,
    check_finite,
    check_flag,
    check_shape,
    check_simplex,
    read_only,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models._linear_checks import (
    check_absorbing,
    check_fail_state,
    check_features,
    check_rewards,
    first_state,
)
from mdptheory.models._one_hot import one_hot_arrays
from mdptheory.models.tabular import TabularMDP

Sampler: TypeAlias = Callable[[int, int, int, float], int]
"""``sampler(step, state, action, u)`` returns the next state for a uniform ``u`` in [0, 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownModel:
    """What a learner knows of a linear MDP: features, rewards, horizon, the fail state.

    Parameters
    ----------
    phi : array of shape (S, A, d), or (H, S, A, d) if features depend on the step
        Features; simplex weights (nonnegative, summing to 1 within 1e-9) unless ``check=False``.
    theta : array of shape (H, d)
        Reward parameters: ``r_h(s, a) = phi(s, a) @ theta[h]``, in [0, 1] unless ``check=False``.
    initial : int or array of shape (S,)
        First state, or its distribution.
    fail_state : int, optional
        A state known to be absorbing and without reward.
    check : bool
        False allows features that are no simplex weights, and any finite rewards.

    Attributes
    ----------
    reward : array of shape (H, S, A)
        ``phi @ theta``.
    start : array of shape (S,)
        Distribution of the first state.
    simplex : bool
        Whether features and rewards were checked.

    Raises
    ------
    InvalidModelError
        If an entry breaks a rule; the message names argument, place and value.
    """

    phi: FloatArray
    theta: FloatArray
    initial: npt.ArrayLike = 0
    fail_state: int | None = None
    check: InitVar[bool] = True
    reward: FloatArray = field(init=False)
    start: FloatArray = field(init=False)
    simplex: bool = field(init=False)

    def __post_init__(self, check: bool) -> None:
        """Check everything once, then freeze the arrays."""
        check = check_flag("check", check)
        phi = as_float_array("phi", self.phi)
        if phi.ndim not in (3, 4) or 0 in phi.shape:
            raise InvalidModelError(
                f"phi has shape {phi.shape}; expected (S, A, d) or (H, S, A, d), none of them 0"
            )
        theta = as_float_array("theta", self.theta)
        check_shape("theta", theta, (phi.shape[0] if phi.ndim == 4 else None, phi.shape[-1]))
        if not theta.shape[0]:
            raise InvalidModelError("theta has no step; expected shape (H, d) with H >= 1")
        check_finite("phi", phi)
        check_finite("theta", theta)
        reward = np.einsum("hsad,hd->hsa", phi if phi.ndim == 4 else phi[None], theta)
        start = first_state(self.initial, phi.shape[-3])
        for name, array in (("phi", phi), ("theta", theta), ("reward", reward), ("start", start)):
            object.__setattr__(self, name, read_only(array))
        if np.ndim(self.initial):  # the caller's array may change
            object.__setattr__(self, "initial", self.start)
        object.__setattr__(self, "simplex", check)
        if check:
            check_features(phi)
            check_rewards(reward)
        check_fail_state(self.fail_state, reward)

    @property
    def horizon(self) -> int:
        """Number of steps H."""
        return int(self.theta.shape[0])

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return int(self.phi.shape[-3])

    @property
    def n_actions(self) -> int:
        """Number of actions A, the same in every state."""
        return int(self.phi.shape[-2])

    @property
    def n_factors(self) -> int:
        """Number of factors d."""
        return int(self.phi.shape[-1])

    @property
    def features(self) -> FloatArray:
        """Features with a leading axis: (H, S, A, d), or (1, S, A, d) if all steps share them."""
        return self.phi if self.phi.ndim == 4 else self.phi[None]

    def phi_at(self, step: int) -> FloatArray:
        """Return the features of a step, of shape (S, A, d)."""
        return self.phi[step] if self.phi.ndim == 4 else self.phi


@dataclass(frozen=True, slots=True, eq=False)
class LinearMDP:
    """A finite-horizon linear MDP whose kernel is known: ``P_h(s' | s, a) = phi(s, a) @ mu[h]``.

    Parameters
    ----------
    phi : array of shape (S, A, d), or (H, S, A, d) if features depend on the step
        Features; simplex weights (nonnegative, summing to 1 within 1e-9) unless ``check=False``.
    theta : array of shape (H, d)
        Reward parameters: ``r_h(s, a) = phi(s, a) @ theta[h]``, in [0, 1] unless ``check=False``.
    mu : array of shape (H, d, S)
        Factor kernels; each row a distribution.
    initial : int or array of shape (S,)
        First state, or its distribution.
    fail_state : int, optional
        A state without reward that is absorbing under ``mu``.
    check : bool
        False allows features that are no simplex weights, and any finite rewards.

    Attributes
    ----------
    known : KnownModel
        All but ``mu``: what a learner may see.

    Raises
    ------
    InvalidModelError
        If an entry breaks a rule; the message names argument, place and value.

    Examples
    --------
    >>> phi = [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]]
    >>> mdp = LinearMDP(phi, theta=np.ones((3, 2)), mu=np.full((3, 2, 2), 0.5))
    >>> mdp.horizon, mdp.n_states, mdp.n_actions, mdp.n_factors
    (3, 2, 2, 2)
    >>> mdp.kernel(0)[1, 0]
    array([0.5, 0.5])
    """

    phi: FloatArray
    theta: FloatArray
    mu: FloatArray
    initial: npt.ArrayLike = 0
    fail_state: int | None = None
    check: InitVar[bool] = True
    known: KnownModel = field(init=False)

    def __post_init__(self, check: bool) -> None:
        """Check everything once, then freeze the arrays."""
        known = KnownModel(self.phi, self.theta, self.initial, self.fail_state, check)
        mu = as_float_array("mu", self.mu)
        check_shape("mu", mu, (known.horizon, known.n_factors, known.n_states))
        check_simplex("mu", mu)
        if self.fail_state is not None:
            check_absorbing(self.fail_state, known.features, mu)
        kept = {"phi": known.phi, "theta": known.theta, "mu": read_only(mu), "known": known}
        kept["initial"] = known.initial
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_tabular(cls, mdp: TabularMDP) -> Self:
        """Embed a finite-horizon tabular MDP by one-hot features.

        Parameters
        ----------
        mdp : TabularMDP
            Undiscounted, with a finite horizon, no terminal reward, rewards in [0, 1] that do not
            depend on the next state.

        Returns
        -------
        LinearMDP
            With one factor a state and action: factor ``s * A + a`` is row ``(s, a)``. Action
            ``a`` of a state is the a-th that is available there (`one_hot_actions` gives its id);
            a state with fewer actions repeats its last one.

        Raises
        ------
        InvalidModelError
            If the tabular model is not of that kind.
        """
        phi, theta, mu, initial = one_hot_arrays(mdp)
        return cls(phi, theta, mu, 0 if initial is None else initial)

    @property
    def reward(self) -> FloatArray:
        """Rewards ``phi @ theta`` of shape (H, S, A)."""
        return self.known.reward

    @property
    def start(self) -> FloatArray:
        """Distribution of the first state, of shape (S,)."""
        return self.known.start

    @property
    def horizon(self) -> int:
        """Number of steps H."""
        return self.known.horizon

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return self.known.n_states

    @property
    def n_actions(self) -> int:
        """Number of actions A, the same in every state."""
        return self.known.n_actions

    @property
    def n_factors(self) -> int:
        """Number of factors d."""
        return self.known.n_factors

    def kernel(self, step: int) -> FloatArray:
        """Return the transition probabilities of a step, of shape (S, A, S)."""
        return np.einsum("sad,dt->sat", self.known.phi_at(step), self.mu[step])

    def with_factors(self, mu: npt.ArrayLike) -> Self:
        """Return the same model with other factors, such as a target environment's."""
        known, factors = self.known, as_float_array("mu", mu)
        return type(self)(
            known.phi, known.theta, factors, known.initial, known.fail_state, known.simplex
        )


@dataclass(frozen=True, slots=True, eq=False)
class SampledLinearMDP:
    """A linear MDP of which only a sampler is at hand.

    Parameters
    ----------
    known : KnownModel
        What a learner may see.
    sampler : callable
        ``sampler(step, state, action, u)`` returns the next state for a uniform ``u`` in [0, 1).
    """

    known: KnownModel
    sampler: Sampler

    def __post_init__(self) -> None:
        """Refuse a sampler that cannot be called."""
        if not isinstance(self.known, KnownModel):
            raise TypeError(f"known is of type {type(self.known).__name__}; expected KnownModel")
        if not callable(self.sampler):
            raise TypeError(f"sampler is {self.sampler!r}; expected a callable")


class FeatureProcess(Protocol):
    """A controlled process on real states, known to learners through features of its states.

    An action whose features are all zero ends what is to be learned: its value is its reward.
    """

    @property
    def horizon(self) -> int:
        """Number of steps H."""

    @property
    def n_actions(self) -> int:
        """Number of actions A, the same in every state."""

    @property
    def n_factors(self) -> int:
        """Number of features d."""

    def features(self, step: int, states: FloatArray) -> FloatArray:
        """Return features of shape (n, A, d) of ``states`` of shape (n,)."""

    def rewards(self, step: int, states: FloatArray) -> FloatArray:
        """Return known rewards of shape (n, A)."""

    def first(self, u: FloatArray) -> FloatArray:
        """Return first states of shape (n,) for uniforms in [0, 1)."""

    def sample(self, step: int, states: FloatArray, actions: IntArray, u: FloatArray) -> FloatArray:
        """Return next states of shape (n,) for uniforms in [0, 1)."""
