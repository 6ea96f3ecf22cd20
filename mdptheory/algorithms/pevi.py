"""PEVI: pessimistic value iteration without an adversary."""

from typing import Any, overload

from mdptheory.algorithms._offline_fit import fit_offline
from mdptheory.algorithms._offline_records import FiniteData, OfflineFit, OfflineOptions, RealFit
from mdptheory.models.linear import FeatureProcess, KnownModel
from mdptheory.models.offline import RealData


@overload
def pevi(
    data: FiniteData,
    known: KnownModel,
    *,
    options: OfflineOptions | None = None,
) -> OfflineFit: ...
@overload
def pevi(
    data: RealData,
    known: FeatureProcess,
    *,
    options: OfflineOptions | None = None,
) -> RealFit: ...
def pevi(
    data: Any,
    known: Any,
    *,
    options: OfflineOptions | None = None,
) -> OfflineFit | RealFit:
    """Learn from episodes a policy for the nominal model (PEVI [1]_).

    Parameters
    ----------
    data : OfflineData, OfflineStatistics or RealData
        Episodes of the nominal model, one policy's. Statistics cost the same for any number.
    known : KnownModel, or FeatureProcess with RealData
        What may be known: features, rewards, horizon, a fail state; no factors.
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
    From the last step to the first, with ``v`` the estimate behind::

        w = Lambda^-1 sum phi (r + v(next state))
        q = clip(phi @ w - beta sqrt(phi' Lambda^-1 phi), 0, H - h)

    Rewards are regressed too, and the last step is penalised like all others. Of the options,
    ``beta`` (a number or one a step), ``ridge`` and ``clip_zero`` matter. For a nominal fit with
    known rewards, l1 widths and a certificate use `r2pvi` with an infinite weight.

    Warns with `CoverageWarning` of factors without data that some action of a seen state uses, and
    with `FeatureWarning` of features that do not sum to 1.

    References
    ----------
    .. [1] Y. Jin, Z. Yang, Z. Wang, "Is pessimism provably efficient for offline RL?", ICML 2021.

    Examples
    --------
    >>> from mdptheory.environments import collect_statistics, simulated_linear_mdp
    >>> mdp = simulated_linear_mdp(0.3, leaky=0.05)
    >>> data = collect_statistics(mdp, None, 10_000, rng=0)
    >>> pevi(data, mdp.known).policy[[0, 1, 2], [0, 1, 2]]  # along the states that continue
    array([15, 15, 15])
    """
    chosen = OfflineOptions() if options is None else options
    return fit_offline(data, known, None, chosen, plain=True)
