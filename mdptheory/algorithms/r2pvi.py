"""R2PVI: pessimistic value iteration against nature that pays for leaving the factors."""

from typing import Any, overload

from mdptheory.algorithms._offline_fit import fit_offline
from mdptheory.algorithms._offline_records import FiniteData, OfflineFit, OfflineOptions, RealFit
from mdptheory.models.factor_ambiguity import FactorPenalty
from mdptheory.models.linear import FeatureProcess, KnownModel
from mdptheory.models.offline import RealData


@overload
def r2pvi(
    data: FiniteData,
    known: KnownModel,
    ambiguity: FactorPenalty,
    *,
    options: OfflineOptions | None = None,
) -> OfflineFit: ...
@overload
def r2pvi(
    data: RealData,
    known: FeatureProcess,
    ambiguity: FactorPenalty,
    *,
    options: OfflineOptions | None = None,
) -> RealFit: ...
def r2pvi(
    data: Any,
    known: Any,
    ambiguity: FactorPenalty,
    *,
    options: OfflineOptions | None = None,
) -> OfflineFit | RealFit:
    """Learn from episodes a policy against nature that pays for divergence (R2PVI [1]_).

    Parameters
    ----------
    data : OfflineData, OfflineStatistics or RealData
        Episodes of the nominal model, one policy's. Statistics cost the same for any number.
    known : KnownModel, or FeatureProcess with RealData
        What may be known: features, rewards, horizon, a fail state; no factors.
    ambiguity : FactorPenalty
        TVPenalty, KLPenalty or ChiSquarePenalty: nature's price, per factor if it differs.
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
    From the last step ``h`` to the first, with ``M g = Lambda^-1 sum phi g(next state)`` ridge
    regression on features and ``v`` the estimate behind::

        TV:   w_i = (M min(v, vmin + weight_i))_i
        KL:   w_i = -weight_i log max((M exp(-v / weight_i))_i, exp(-(H - 1 - h) / weight_i))
        chi2: w_i = max over alpha in [0, H - 1 - h] of z_i + (z_i^2 - y_i) / (4 weight_i),
              z = M min(v, alpha), y = M min(v, alpha)^2
        q = clip(phi @ (theta + w) - sum_i phi_i beta_i sqrt((Lambda^-1)_ii), 0, H - h)

    An infinite weight makes a factor nominal: ``w_i = (M v)_i``. With one weight for all factors,
    TV and KL cost one regression a step. The published program penalises by l2 widths, takes the
    least value over next states in the data and clips from above only, see
    `OfflineOptions.reproduction`; for chi-square it searches the minimum over ``alpha``, see
    ``chi_square_minimum``.

    With ``beta="theory"`` the widths are those of `explicit_beta`, and a second fit with the widths
    added bounds the optimal value from above: see ``certificate``. Both are derived here; the
    theorems of [1]_ have other constants.

    Warns with `CoverageWarning` of factors without data that some action of a seen state uses, and
    with `FeatureWarning` of features that do not sum to 1, with `UnderflowWarning` of KL weights
    too small for floats.

    References
    ----------
    .. [1] C. Tang, Z. Liu, P. Xu, "Robust offline reinforcement learning with linearly structured
       f-divergence regularization", ICML 2025, arXiv:2411.18612.

    Examples
    --------
    >>> from mdptheory.environments import collect_statistics, simulated_linear_mdp
    >>> from mdptheory.models import TVPenalty
    >>> mdp = simulated_linear_mdp(0.3, leaky=0.05)
    >>> data = collect_statistics(mdp, None, 10_000, rng=0)
    >>> fit = r2pvi(data, mdp.known, TVPenalty(3.0), options=OfflineOptions(beta="theory"))
    >>> fit.policy[[0, 1, 2], [0, 1, 2]]  # along the states that continue
    array([15, 15, 15])
    >>> fit.certificate.gap < 1.5
    True
    """
    if not isinstance(ambiguity, FactorPenalty):
        raise TypeError(
            f"ambiguity is of type {type(ambiguity).__name__}; expected TVPenalty, KLPenalty or"
            " ChiSquarePenalty"
        )
    return fit_offline(data, known, ambiguity, OfflineOptions() if options is None else options)
