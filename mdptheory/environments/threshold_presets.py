"""Four closed loops of threshold decisions, each with the constraints it is studied under."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory.environments._public_tables import COMPAS, COMPAS_DECILE, GERMAN, GRID
from mdptheory.errors import InvalidModelError
from mdptheory.models import DemographicParity, FairConstraint, ServiceRate, ThresholdLoop

GERMAN_GROUPS = ("young", "older")
COMPAS_GROUPS = ("African-American", "Caucasian")

BETA: Final = (((2.0, 3.0), (4.0, 2.2)), ((2.4, 2.8), (5.0, 2.0)))
"""Parameters of the Beta scores of `synthetic_threshold_loop`, by group and label."""


def synthetic_threshold_loop() -> ThresholdLoop:
    """Scores from Beta distributions: smooth in the threshold, no data.

    Returns
    -------
    ThresholdLoop
        21 thresholds from 0 to 1; half of the applicants are of group A, whose scores and rate of
        favourable labels (0.45 against 0.60) are lower. Accepting a bad applicant costs 1.

    Notes
    -----
    Ours: the Beta parameters, rates, batch of 100 a group and dynamics are choices made here.

    Examples
    --------
    >>> synthetic_threshold_loop().n_arms
    21
    """
    from scipy.stats import beta

    thresholds = np.linspace(0.0, 1.0, GRID)
    survival = [[beta.sf(thresholds, a, b) for a, b in group] for group in BETA]
    return ThresholdLoop(
        np.array(survival), thresholds, p0=0.5, q0=np.array([0.45, 0.60]), cost=1.0
    )


def german_threshold_loop() -> ThresholdLoop:
    """Credit decisions on scores learned from the German credit data, groups by age.

    Returns
    -------
    ThresholdLoop
        21 thresholds; the first group is those aged at most 25 (190 of 1000), label 1 is good
        credit, and accepting a bad applicant costs 2.

    Notes
    -----
    The table of counts is built in and comes from `load_german`, whose scores are a cross-fitted
    logistic regression. How decisions change the applicants is a choice made here, as nothing in
    the data says it.

    References
    ----------
    .. [1] H. Hofmann, "Statlog (German credit data)", UCI Machine Learning Repository, 1994.

    Examples
    --------
    >>> german_threshold_loop().groups
    ('young', 'older')
    """
    return _from_counts(np.array(GERMAN), np.linspace(0.0, 1.0, GRID), 2.0, GERMAN_GROUPS)


def compas_threshold_loop() -> ThresholdLoop:
    """Release decisions on scores learned from the COMPAS recidivism data, groups by race.

    Returns
    -------
    ThresholdLoop
        21 thresholds; label 1 is no recidivism within two years, and releasing someone with label
        0 costs 1.

    Notes
    -----
    The table of counts is built in and comes from `load_compas`; the scores are a cross-fitted
    logistic regression on age and criminal record, not those of the vendor. How decisions change
    the population is a choice made here.

    References
    ----------
    .. [1] J. Angwin, J. Larson, S. Mattu, L. Kirchner, "Machine bias", ProPublica, 2016.

    Examples
    --------
    >>> compas_threshold_loop().groups
    ('African-American', 'Caucasian')
    """
    return _from_counts(np.array(COMPAS), np.linspace(0.0, 1.0, GRID), 1.0, COMPAS_GROUPS)


def compas_decile_threshold_loop() -> ThresholdLoop:
    """Release decisions on the vendor's own decile scores of the COMPAS data.

    Returns
    -------
    ThresholdLoop
        11 thresholds on 10 less the decile: arm k releases those with a decile of at most 10 - k,
        arm 0 everybody, arm 10 nobody.

    Notes
    -----
    Counts by decile, group and label, computed here from the rows that `load_compas` keeps.

    References
    ----------
    .. [1] J. Angwin, J. Larson, S. Mattu, L. Kirchner, "Machine bias", ProPublica, 2016.

    Examples
    --------
    >>> compas_decile_threshold_loop().thresholds.tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    """
    lenient = np.cumsum(np.array(COMPAS_DECILE), axis=-1)[..., ::-1]  # decile <= 10, ..., <= 1
    counts = np.concatenate([lenient, np.zeros((2, 2, 1), dtype=np.int64)], axis=-1)
    return _from_counts(counts, np.arange(11.0), 1.0, COMPAS_GROUPS)


def threshold_preset(name: str) -> tuple[ThresholdLoop, tuple[FairConstraint, ...]]:
    """Return a closed loop and the constraints it is studied under.

    Parameters
    ----------
    name : str
        One of `PRESETS`: ``"synthetic"``, ``"german"``, ``"compas"``, ``"compas_decile"``.

    Returns
    -------
    loop : ThresholdLoop
        The environment.
    constraints : tuple of FairConstraint
        Demographic parity within a tolerance and a least share of accepted applicants.

    Raises
    ------
    InvalidModelError
        If there is no preset of that name.

    Notes
    -----
    Tolerances, costs and dynamics are choices made here.

    Examples
    --------
    >>> loop, constraints = threshold_preset("compas_decile")
    >>> constraints
    (DemographicParity(tol=0.15), ServiceRate(min_rate=0.5))
    """
    if not isinstance(name, str) or name not in _PRESETS:
        raise InvalidModelError(f"name is {name!r}; expected one of {', '.join(PRESETS)}")
    make, tol, min_rate = _PRESETS[name]
    return make(), (DemographicParity(tol), ServiceRate(min_rate))


_PRESETS: Final[dict[str, tuple[Callable[[], ThresholdLoop], float, float]]] = {
    "synthetic": (synthetic_threshold_loop, 0.15, 0.40),
    "german": (german_threshold_loop, 0.10, 0.30),
    "compas": (compas_threshold_loop, 0.15, 0.50),
    "compas_decile": (compas_decile_threshold_loop, 0.15, 0.50),
}

PRESETS: Final = tuple(_PRESETS)
"""Names that `threshold_preset` knows."""


def _from_counts(
    counts: npt.NDArray[np.int64], thresholds: FloatArray, cost: float, groups: tuple[str, str]
) -> ThresholdLoop:
    """Return the loop of counts[group, label, arm] whose first arm accepts everybody."""
    totals = counts[..., 0]
    return ThresholdLoop(
        counts / totals[..., None],
        thresholds,
        p0=float(totals[0].sum() / totals.sum()),
        q0=totals[:, 1] / totals.sum(axis=1),
        cost=cost,
        groups=groups,
    )
