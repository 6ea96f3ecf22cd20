"""DRPVI: pessimistic value iteration against nature that moves factors in total variation."""

from typing import Any, overload

from mdptheory.algorithms._offline_fit import fit_offline
from mdptheory.algorithms._offline_records import FiniteData, OfflineFit, OfflineOptions, RealFit
from mdptheory.models.factor_ambiguity import TVBall
from mdptheory.models.linear import FeatureProcess, KnownModel
from mdptheory.models.offline import RealData


@overload
def drpvi(
    data: FiniteData,
    known: KnownModel,
    ambiguity: TVBall,
    *,
    options: OfflineOptions | None = None,
) -> OfflineFit: ...
@overload
def drpvi(
    data: RealData,
    known: FeatureProcess,
    ambiguity: TVBall,
    *,
    options: OfflineOptions | None = None,
) -> RealFit: ...
def drpvi(
    data: Any,
    known: Any,
    ambiguity: TVBall,
    *,
    options: OfflineOptions | None = None,
) -> OfflineFit | RealFit:
    """Learn from episodes a policy against total variation balls around the factors (DRPVI [1]_).

    Parameters
    ----------
    data : OfflineData, OfflineStatistics or RealData
        Episodes of the nominal model, one policy's. Statistics cost the same for any number.
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
    From the last step to the first, with ``M g = Lambda^-1 sum phi g(next state)`` ridge regression
    on features, ``v`` the estimate behind and ``vmin`` its least value::

        w_i = max over alpha of (M min(v, alpha))_i - radius_i (alpha - min(alpha, vmin))

    and the rest as in `r2pvi`. The dual is piecewise linear in ``alpha``, so its maximum is at a
    value of ``v`` or an end: all are tried. Estimated factors are signed, so that the dual need not
    be concave; ``optimizer="nelder-mead"`` searches it from half the range as published programs do
    and can miss the maximum. With ``beta="theory"`` the fit has a certificate, as in `r2pvi`.
    Published programs take 0 for ``vmin``: reproduce them by
    ``OfflineOptions.reproduction(vmin="zero")``; an earlier one estimates one factor only, for lack
    of a loop, here all are.

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
    >>> fit = drpvi(data, mdp.known, TVBall(0.2))
    >>> fit.policy[[0, 1, 2], [0, 1, 2]]  # along the states that continue
    array([15, 15, 15])
    """
    if not isinstance(ambiguity, TVBall):
        raise TypeError(f"ambiguity is of type {type(ambiguity).__name__}; expected TVBall")
    return fit_offline(data, known, ambiguity, OfflineOptions() if options is None else options)
