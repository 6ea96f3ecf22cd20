"""DRVI-L: pessimistic value iteration against nature that moves factors in KL divergence."""

from typing import Any, overload

from mdptheory.algorithms._offline_fit import fit_offline
from mdptheory.algorithms._offline_records import FiniteData, OfflineFit, OfflineOptions, RealFit
from mdptheory.models.balls import KLBall
from mdptheory.models.linear import FeatureProcess, KnownModel
from mdptheory.models.offline import RealData


@overload
def drvi_l(
    data: FiniteData,
    known: KnownModel,
    ambiguity: KLBall,
    *,
    options: OfflineOptions | None = None,
) -> OfflineFit: ...
@overload
def drvi_l(
    data: RealData,
    known: FeatureProcess,
    ambiguity: KLBall,
    *,
    options: OfflineOptions | None = None,
) -> RealFit: ...
def drvi_l(
    data: Any,
    known: Any,
    ambiguity: KLBall,
    *,
    options: OfflineOptions | None = None,
) -> OfflineFit | RealFit:
    """Learn from episodes a policy against KL balls around the factors (DRVI-L [1]_).

    Parameters
    ----------
    data : OfflineData, OfflineStatistics or RealData
        Episodes of the nominal model, one policy's. Statistics cost the same for any number.
    known : KnownModel, or FeatureProcess with RealData
        What may be known: features, rewards, horizon, a fail state; no factors.
    ambiguity : KLBall
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
    NotImplementedError
        With ``beta="theory"``.

    Notes
    -----
    From the last step to the first, with ``M g = Lambda^-1 sum phi g(next state)`` ridge regression
    on features and ``v`` the estimate behind::

        w_i = max over x > 0 of -x log(1 + (M (exp(-v / x) - 1))_i) - x radius_i

    and the rest as in `r2pvi`. The shift by 1 keeps the ridge from shrinking the constant. The
    dual is maximised on a fine grid of ``log x`` and refined; ``optimizer="nelder-mead"`` searches
    it from half the range as published programs do and can miss the maximum. No explicit width was
    derived: ``beta="theory"`` is refused.

    Warns with `CoverageWarning` of factors without data that some action of a seen state uses, and
    with `FeatureWarning` of features that do not sum to 1.

    References
    ----------
    .. [1] X. Ma, Z. Liang, J. Blanchet, M. Liu, L. Xia, J. Zhang, Q. Zhao, Z. Zhou,
       "Distributionally robust offline reinforcement learning with linear function
       approximation", 2022, arXiv:2209.06620.

    Examples
    --------
    >>> from mdptheory.environments import collect_statistics, simulated_linear_mdp
    >>> from mdptheory.models import KLBall
    >>> mdp = simulated_linear_mdp(0.3, leaky=0.05)
    >>> data = collect_statistics(mdp, None, 10_000, rng=0)
    >>> fit = drvi_l(data, mdp.known, KLBall(0.2))
    >>> fit.policy[[0, 1, 2], [0, 1, 2]]  # along the states that continue
    array([ 0, 15, 15])
    """
    if not isinstance(ambiguity, KLBall):
        raise TypeError(f"ambiguity is of type {type(ambiguity).__name__}; expected KLBall")
    return fit_offline(data, known, ambiguity, OfflineOptions() if options is None else options)
