"""Scores that no person's own label went into: cross-fitted ridge logistic regression."""

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.errors import InvalidModelError, NotConvergedError

STEP = 1e-12
MAX_NEWTON = 100
FOLDS = 5


def cross_fitted_scores(
    features: FloatArray, labels: IntArray, *, ridge: float = 1.0
) -> FloatArray:
    """Return for everyone P(label 1 | features) of a model fitted to the other four folds.

    Person i is in fold ``i mod 5``, so nothing is random. Features are standardised by means and
    standard deviations of the people that the model is fitted to.
    """
    fold = np.arange(len(labels)) % FOLDS
    scores = np.empty(len(labels))
    for held in range(FOLDS):
        fit = fold != held
        if len(set(labels[fit].tolist())) < 2:
            raise InvalidModelError(
                f"labels without fold {held} of {FOLDS} are all equal; a score model needs both"
            )
        mean, spread = features[fit].mean(axis=0), features[fit].std(axis=0)
        scaled = (features - mean) / np.where(spread == 0, 1.0, spread)
        design = np.column_stack([np.ones(len(labels)), scaled])
        weights = ridge_logistic(design[fit], labels[fit], ridge)
        scores[~fit] = _sigmoid(design[~fit] @ weights)
    return scores


def ridge_logistic(design: FloatArray, labels: IntArray, ridge: float) -> FloatArray:
    """Minimise the summed log-loss plus ``ridge / 2`` times the squared weights but the first."""
    weights = np.zeros(design.shape[1])
    penalty = np.full(design.shape[1], ridge)
    penalty[0] = 0.0  # the intercept is free
    value = _objective(design, labels, weights, penalty)
    for _ in range(MAX_NEWTON):
        chance = _sigmoid(design @ weights)
        slope = design.T @ (chance - labels) + penalty * weights
        curve = design.T @ (design * (chance * (1 - chance))[:, None]) + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        size, found = 1.0, _objective(design, labels, weights - step, penalty)
        while found > value + 1e-9 * abs(value) and size > 1e-6:  # overshot; rounding is let pass
            size /= 2
            found = _objective(design, labels, weights - size * step, penalty)
        weights, value = weights - size * step, found
        if np.abs(step).max() < STEP:
            return weights
    raise NotConvergedError(
        f"the score model's last step was {np.abs(step).max():g} after {MAX_NEWTON} of Newton;"
        f" expected less than {STEP:g}"
    )


def _objective(
    design: FloatArray, labels: IntArray, weights: FloatArray, penalty: FloatArray
) -> float:
    odds = design @ weights
    loss = np.logaddexp(0.0, odds) - labels * odds
    return float(loss.sum() + 0.5 * (penalty * weights**2).sum())


def _sigmoid(odds: FloatArray) -> FloatArray:
    half = np.exp(-np.abs(odds))  # never overflows
    chance: FloatArray = np.where(odds >= 0, 1.0, half) / (1.0 + half)
    return chance
