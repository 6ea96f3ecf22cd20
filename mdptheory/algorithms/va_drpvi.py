"""VA-DRPVI: DRPVI with regressions weighed by estimated variances."""

from typing import Any, overload

from mdptheory.algorithms._offline_checks import weighted_options
from mdptheory.algorithms._offline_fit import fit_offline
from mdptheory.algorithms._offline_records import FiniteData, OfflineFit, OfflineOptions, RealFit
from mdptheory.models.factor_ambiguity import TVBall
from mdptheory.models.linear import FeatureProcess, KnownModel
from mdptheory.models.offline import RealData


@overload
def va_drpvi(
    data: FiniteData,
    pilot: FiniteData,
    known: KnownModel,
    ambiguity: TVBall,
    *,
    options: OfflineOptions | None = None,
) -> OfflineFit: ...
@overload
def va_drpvi(
    data: RealData,
    pilot: RealData,
    known: FeatureProcess,
    ambiguity: TVBall,
    *,
    options: OfflineOptions | None = None,
) -> RealFit: ...
def va_drpvi(
    data: Any,
    pilot: Any,
    known: Any,
    ambiguity: TVBall,
    *,
    options: OfflineOptions | None = None,
) -> OfflineFit | RealFit:
    """Learn from episodes as `drpvi` does, with variance-weighted regressions (VA-DRPVI [1]_).

    Parameters
    ----------
    data : OfflineData, OfflineStatistics or RealData
        Episodes of the nominal model, one policy's. Statistics cost the same for any number.
    pilot : as data
        Independent episodes, from which variances are estimated.
    known : KnownModel, or FeatureProcess with RealData
        What may be known: features, rewards, horizon, a fail state; no factors.
    ambiguity : TVBall
        Radius of the balls, per factor if it differs.
    options : OfflineOptions, optional
        How to estimate.

    Returns
    -------
    OfflineFit or RealFit
        Values and greedy policy of a finite problem, or functions of real states.

    Raises
    ------
    InvalidModelError
        If data, model and options do not go together.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    Regressions are weighed by estimated variances. A pilot fit on independent episodes gives values
    ``v'``; on them, with ridge regression ``M'`` on the pilot's episodes::

        variance_h(phi) = max(1, clip(phi @ M' v'^2, 0, H^2) - clip(phi @ M' v', 0, H)^2)
        Lambda = sum phi phi' / variance + ridge I
        M g = Lambda^-1 sum phi g(next state) / variance

    and the rest as in `drpvi`. The paper subtracts a further term from the variance, given up to
    constants only; here it is 0, as in its program. The published program forms the variance
    regression before any data are added, never fits the pilot, so that all variances are 1, and
    estimates one factor only; here neither.

    Without ``options`` the ridge is ``1 / H^2``, for both fits. ``beta="theory"`` is refused: the
    variances depend on data in a way the proof does not cover.

    Warns with `CoverageWarning` of factors without data that some action of a seen state uses, and
    with `FeatureWarning` of features that do not sum to 1.

    References
    ----------
    .. [1] Z. Liu, P. Xu, "Minimax optimal and computationally efficient algorithms for
       distributionally robust offline reinforcement learning", NeurIPS 2024.

    Examples
    --------
    >>> from mdptheory.environments import collect_statistics, simulated_linear_mdp
    >>> from mdptheory.models import TVBall
    >>> mdp = simulated_linear_mdp(0.3, leaky=0.05)
    >>> data = collect_statistics(mdp, None, 10_000, rng=0)
    >>> pilot = collect_statistics(mdp, None, 10_000, rng=1)
    >>> fit = va_drpvi(data, pilot, mdp.known, TVBall(0.2))
    >>> fit.policy[[0, 1, 2], [0, 1, 2]]  # along the states that continue
    array([15, 15, 15])
    """
    if not isinstance(ambiguity, TVBall):
        raise TypeError(f"ambiguity is of type {type(ambiguity).__name__}; expected TVBall")
    chosen = weighted_options(options, known, pilot)
    return fit_offline(data, known, ambiguity, chosen, pilot=pilot)
