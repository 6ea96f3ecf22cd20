"""Small bandits with known answers: constraints, none feasible, and a trap."""

import numpy as np

from mdptheory.models import GaussianBandit

REWARD = np.array([1.0, 0.6, 0.55, 0.2, 0.5, 0.3, 0.1, 0.0])
RESIDUALS = np.array(
    [
        (0.6, 0.3),
        (0.0, 0.0),
        (-0.2, -0.2),
        (-0.3, -0.3),
        (0.4, -0.1),
        (-0.1, 0.2),
        (-0.5, -0.5),
        (-0.5, -0.5),
    ]
)
SIGMAS = np.array([0.25, 0.15])


def edge_bandit() -> GaussianBandit:
    """Return eight arms whose best feasible one sits on both of its constraints."""
    return GaussianBandit(REWARD, RESIDUALS, sigma_reward=0.25, sigma_residuals=SIGMAS)


def infeasible_bandit() -> GaussianBandit:
    """Return the same arms with residuals of at least 0.1: none is feasible."""
    residuals = np.abs(RESIDUALS) + 0.1
    return GaussianBandit(REWARD, residuals, sigma_reward=0.25, sigma_residuals=SIGMAS)


def trap(kappa: float) -> GaussianBandit:
    """Return two arms, the first of which looks bad only for as long as the second is played.

    With z the state, the means are 0.8 - 0.6 z and 0.5; z moves to 0 under the first arm and to 1,
    where it starts, under the second, and keeps the share ``kappa`` of itself in a round.
    """
    return GaussianBandit(
        reward=np.array([0.8, 0.5]),
        reward_slope=np.array([-0.6, 0.0]),
        target=np.array([0.0, 1.0]),
        inertia=kappa,
        start=1.0,
        sigma_reward=0.1,
    )


def random_bandit(rng: np.random.Generator) -> GaussianBandit:
    """Return eight random arms, half of the time with a best arm on its constraints."""
    reward = rng.uniform(0.0, 1.0, size=8)
    residuals = rng.uniform(-0.6, 0.6, size=(8, 2))
    residuals[int(rng.integers(8))] = -0.1  # one is feasible
    if rng.random() < 0.5:
        feasible = np.flatnonzero((residuals <= 0).all(axis=1))
        residuals[feasible[reward[feasible].argmax()]] = 0.0
    return GaussianBandit(reward, residuals, sigma_reward=0.25, sigma_residuals=SIGMAS)
