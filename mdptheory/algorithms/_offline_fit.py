"""From data and options to a fit: what all offline learners share."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms._backward import (
    Estimate,
    Rule,
    Step,
    action_values,
    backward,
    exact_actions,
    state_values,
)
from mdptheory.algorithms._explicit_beta import explicit_beta
from mdptheory.algorithms._offline_checks import Audit, check_theory, warn_underflow
from mdptheory.algorithms._offline_records import OfflineFit, OfflineOptions, RealFit
from mdptheory.algorithms._offline_rule import rule_of
from mdptheory.algorithms._offline_steps import (
    Precision,
    as_statistics,
    check_real,
    finite_steps,
    sample_steps,
)
from mdptheory.models.factor_ambiguity import FactorAmbiguity
from mdptheory.models.linear import KnownModel
from mdptheory.models.offline import OfflineStatistics, RealData
from mdptheory.models.offline_certificate import OfflineCertificate


def fit_offline(
    data: Any,
    known: Any,
    ambiguity: FactorAmbiguity | None,
    options: OfflineOptions,
    *,
    plain: bool = False,
    pilot: Any = None,
) -> Any:
    """Fit from the last step to the first.

    Parameters
    ----------
    data : OfflineData, OfflineStatistics or RealData
        Episodes.
    known : KnownModel or FeatureProcess
        Model of finite data, process of real data.
    ambiguity : FactorAmbiguity or None
        What nature may do.
    options : OfflineOptions
        How to estimate.
    plain : bool
        Whether rewards are regressed and widths are ellipsoidal, as in `pevi`.
    pilot : as data, optional
        Independent episodes, from which the variances that weigh ``data`` are estimated.

    Returns
    -------
    OfflineFit or RealFit
        The latter for real data.
    """
    if not isinstance(options, OfflineOptions):
        raise TypeError(f"options is of type {type(options).__name__}; expected OfflineOptions")
    source = _open(data, known)
    rule = rule_of(source, ambiguity, options, plain=plain)
    theory = isinstance(options.beta, str)
    if theory:
        check_theory(options, ambiguity, known, weighted=plain or pilot is not None)
        rule = replace(rule, beta=_theory_beta(source, known, ambiguity, options))
    audit = Audit(source.first, source.simplex, last=plain or options.penalty_last)
    precision = None
    if pilot is not None:
        precision = _precision(_open(pilot, known), rule)
    estimate = backward(audit.watch(source.steps(precision), rule.horizon), rule)
    warn_underflow(rule)
    audit.warn()
    if source.statistics is None:
        return RealFit(known, estimate, ambiguity, options)
    fit = _finite_fit(estimate, known, ambiguity, options)
    if not theory:
        return fit
    return replace(fit, certificate=_certificate(fit, source, known))


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """Data of either kind, ready to be walked through."""

    horizon: int
    n_factors: int
    fail_state: int | None
    simplex: bool
    finite: bool
    first: FloatArray
    steps: Callable[[Precision | None], Iterator[Step]]
    statistics: OfflineStatistics | None


def _open(data: Any, known: Any) -> _Source:
    """Return data of either kind, or refuse what does not go with the model."""
    if isinstance(data, RealData):
        check_real(data, known)
        steps = partial(sample_steps, data, known)
        first = known.features(0, np.ascontiguousarray(data.states[:, 0]))
        return _Source(known.horizon, known.n_factors, None, False, False, first, steps, None)
    statistics = as_statistics(data, known)
    steps = partial(finite_steps, statistics, known)
    return _Source(
        known.horizon,
        known.n_factors,
        known.fail_state,
        known.simplex,
        True,
        known.phi_at(0)[known.start > 0.0],
        steps,
        statistics,
    )


def _theory_beta(
    source: _Source, known: KnownModel, ambiguity: FactorAmbiguity | None, options: OfflineOptions
) -> FloatArray:
    """Return the explicit widths for the data."""
    assert source.statistics is not None  # for mypy: theory is refused for real data
    return explicit_beta(
        ambiguity,
        source.statistics.gram,
        ridge=options.ridge,
        n_episodes=source.statistics.n_episodes,
        delta=options.delta,
        n_states=known.n_states,
        fail_state=known.fail_state,
        kl_shift=options.kl_shift,
    )


def _precision(pilot: _Source, rule: Rule) -> Precision:
    """Return one over the variance of next values, at least 1, as a pilot estimates it."""
    estimate = backward(pilot.steps(None), rule)
    first, second = np.zeros(estimate.w.shape), np.zeros(estimate.w.shape)
    steps: Iterable[Step] = pilot.steps(None)
    horizon = rule.horizon
    for h, step in zip(reversed(range(horizon)), steps, strict=True):
        if h == horizon - 1:
            continue
        q, _ = action_values(estimate, h + 1, step.phi_next, step.reward_next, step.exact)
        v = state_values(rule, q)
        first[h] = estimate.gram_inverse[h] @ (step.moments @ v)
        second[h] = estimate.gram_inverse[h] @ (step.moments @ (v * v))

    def precision(h: int, phi: FloatArray) -> FloatArray:
        square = np.clip(phi @ second[h], 0.0, horizon**2)
        mean = np.clip(phi @ first[h], 0.0, horizon)
        return 1.0 / np.maximum(square - mean * mean, 1.0)

    return precision


def _finite_values(estimate: Estimate, known: KnownModel) -> tuple[FloatArray, FloatArray]:
    """Return action values and widths of all steps and states."""
    parts = [
        action_values(estimate, h, phi, known.reward[h], exact_actions(phi, known.fail_state))
        for h, phi in enumerate(known.phi_at(h) for h in range(known.horizon))
    ]
    return np.stack([q for q, _ in parts]), np.stack([width for _, width in parts])


def _finite_fit(
    estimate: Estimate,
    known: KnownModel,
    ambiguity: FactorAmbiguity | None,
    options: OfflineOptions,
) -> OfflineFit:
    """Return values and greedy policy of a finite problem."""
    q, width = _finite_values(estimate, known)
    return OfflineFit(
        v=np.concatenate([q.max(axis=2), np.zeros((1, known.n_states))]),
        q=q,
        policy=q.argmax(axis=2),
        w=estimate.w,
        width=width,
        beta=estimate.rule.beta,
        spread=estimate.spread,
        gram_inverse=estimate.gram_inverse,
        ambiguity=ambiguity,
        options=options,
    )


def _certificate(fit: OfflineFit, source: _Source, known: KnownModel) -> OfflineCertificate:
    """Fit once more with the widths added: that bounds the optimal value from above."""
    rule = replace(rule_of(source, fit.ambiguity, fit.options), beta=fit.beta, sign=1)
    twin = backward(source.steps(None), rule)
    upper = _finite_values(twin, known)[0].max(axis=2)
    assert fit.ambiguity is not None
    assert source.statistics is not None
    return OfflineCertificate(
        ambiguity=fit.ambiguity,
        lower=fit.v,
        upper=np.concatenate([upper, np.zeros((1, known.n_states))]),
        policy=fit.policy,
        lower_w=fit.w,
        upper_w=twin.w,
        beta=fit.beta,
        ridge=fit.options.ridge,
        delta=fit.options.delta,
        kl_shift=fit.options.kl_shift,
        n_episodes=source.statistics.n_episodes,
        start=known.start,
    )
