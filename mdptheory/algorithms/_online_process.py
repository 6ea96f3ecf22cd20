"""A learner of processes on real states as ``init``, ``step`` and ``run``."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mdptheory._typing import FloatArray, IntArray, RngLike
from mdptheory._validation import check_count
from mdptheory.algorithms._backward import (
    Estimate,
    Rule,
    Step,
    action_values,
    backward,
    exact_actions,
    state_values,
)
from mdptheory.algorithms._online_beta import given_beta
from mdptheory.algorithms._online_records import OnlineOptions
from mdptheory.algorithms._online_task import (
    Improvement,
    checked_options,
    reference_policy,
    warn_of_options,
)
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.linear_rollout import cumulative_rows, draw
from mdptheory.models.factor_ambiguity import FactorAmbiguity, factor_levels
from mdptheory.models.linear import FeatureProcess
from mdptheory.models.offline import RealData


@dataclass(frozen=True, slots=True, eq=False)
class RealOnlineFit:
    """Values and policy of a fit, as functions of real states.

    Attributes
    ----------
    process : FeatureProcess
        Whose features and rewards are used.
    estimate : Estimate
        Worths ``w`` (H, d), ``spread`` (H, d) and ``gram_inverse`` (H, d, d).
    """

    process: FeatureProcess
    estimate: Estimate

    def q(self, h: int, states: FloatArray) -> FloatArray:
        """Return optimistic values (n, A) of the actions at step ``h``, from 0."""
        phi, reward = self.process.features(h, states), self.process.rewards(h, states)
        return action_values(self.estimate, h, phi, reward, exact_actions(phi))[0]

    def v(self, h: int, states: FloatArray) -> FloatArray:
        """Return the values (n,) of the states at step ``h``."""
        return state_values(self.estimate.rule, self.q(h, states))

    def pi(self, h: int, states: FloatArray) -> FloatArray:
        """Return the probabilities (n, A) of the actions at step ``h``."""
        q, rule = self.q(h, states), self.estimate.rule
        if rule.tau == 0.0:
            return np.eye(q.shape[1])[q.argmax(axis=1)]
        log_reference = 0.0 if rule.log_reference is None else rule.log_reference
        x = log_reference + q / rule.tau
        weight = np.exp(x - x.max(axis=1, keepdims=True))
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))

    def act(self, h: int, states: FloatArray) -> IntArray:
        """Return the most likely actions (n,) at step ``h``; ties to the lowest."""
        return np.asarray(self.pi(h, states).argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class RealOnlineState:
    """All that a learner on real states needs for its next episode.

    Attributes
    ----------
    states : array of shape (k, H + 1)
        States of the episodes so far.
    actions : array of int of shape (k, H)
        Their actions.
    refits : int
        Number of fits made.
    fit : RealOnlineFit or None
        The last fit.
    fitted : array of shape (H,)
        Log determinants of the Gram matrices at the last fit.
    """

    states: FloatArray
    actions: IntArray
    refits: int
    fit: RealOnlineFit | None
    fitted: FloatArray

    @property
    def episode(self) -> int:
        """Number of episodes played."""
        return len(self.states)


@dataclass(frozen=True, slots=True, eq=False)
class RealOnlineInfo:
    """One episode on real states: where it went, the fit's value at its start, whether refitted."""

    states: FloatArray
    actions: IntArray
    optimistic: float
    refitted: bool


@dataclass(frozen=True, slots=True, eq=False)
class RealOnlineResult:
    """A run of an online learner on real states.

    Attributes
    ----------
    fit : RealOnlineFit
        The fit that the last episode was played with.
    optimistic : array of shape (K,)
        Value of the fit at each episode's first state.
    refits : int
        Number of fits.
    data : RealData
        States and actions of all episodes.
    state : RealOnlineState
        From which a run can go on.
    """

    fit: RealOnlineFit
    optimistic: FloatArray
    refits: int
    data: RealData
    state: RealOnlineState


@dataclass(frozen=True, slots=True, eq=False)
class RealOnlineLearner:
    """An algorithm with all its numbers, for a process.

    Attributes
    ----------
    process : FeatureProcess
        Its features and known rewards.
    rule : Rule
        How it estimates.
    options : OnlineOptions
        As given.
    """

    process: FeatureProcess
    rule: Rule
    options: OnlineOptions

    def init(self) -> RealOnlineState:
        """Return the state before the first episode."""
        H = self.rule.horizon
        no_actions = np.empty((0, H), dtype=np.int64)
        return RealOnlineState(np.empty((0, H + 1)), no_actions, 0, None, np.full(H, -np.inf))

    def step(
        self, rng: np.random.Generator, state: RealOnlineState, env: FeatureProcess
    ) -> tuple[RealOnlineState, RealOnlineInfo]:
        """Play one episode.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of ``1 + 2 H`` uniforms.
        state : RealOnlineState
            From `init` or the last step; it is left as it is.
        env : FeatureProcess
            Where the episode takes place.

        Returns
        -------
        state : RealOnlineState
            For the next step.
        info : RealOnlineInfo
            What happened.
        """
        fit, fitted = state.fit, state.fitted
        steps = list(self._steps(state))
        volume = np.array([self._log_det(step.gram) for step in reversed(steps)])
        due = self.options.refit == "every" or bool((volume > fitted + np.log(2.0)).any())
        if fit is None or due:
            fit, fitted = RealOnlineFit(self.process, backward(steps, self.rule)), volume
        states, actions = self._roll(rng, fit, env)
        info = RealOnlineInfo(states, actions, float(fit.v(0, states[:1])[0]), due)
        after = RealOnlineState(
            states=np.vstack([state.states, states]),
            actions=np.vstack([state.actions, actions]),
            refits=state.refits + int(due),
            fit=fit,
            fitted=fitted,
        )
        return after, info

    def run(self, rng: RngLike, env: FeatureProcess, n_episodes: int) -> RealOnlineResult:
        """Play ``n_episodes`` from the start: the loop over `step`."""
        rng = np.random.default_rng(rng)
        state = self.init()
        optimistic = np.empty(n_episodes)
        for k in range(n_episodes):
            state, info = self.step(rng, state, env)
            optimistic[k] = info.optimistic
            if self.options.progress is not None:
                self.options.progress(k + 1)
        assert state.fit is not None
        data = RealData(state.states, state.actions)
        return RealOnlineResult(state.fit, optimistic, state.refits, data, state)

    def _log_det(self, gram: FloatArray) -> float:
        """Return ``log det(I + gram / ridge)``."""
        return float(np.linalg.slogdet(np.eye(len(gram)) + gram / self.rule.ridge)[1])

    def _steps(self, state: RealOnlineState) -> Iterator[Step]:
        """Yield the regression of each step, the last one first; before any data, an empty one."""
        process, states, actions = self.process, state.states, state.actions
        if not len(states):  # one point where values are asked for, and no sample
            states = np.full((1, self.rule.horizon + 1), process.first(np.zeros(1))[0])
            actions = np.zeros((1, self.rule.horizon), dtype=np.int64)
        row, counts = np.arange(len(states)), float(len(state.states) > 0)
        for h in reversed(range(self.rule.horizon)):
            phi = counts * process.features(h, states[:, h])[row, actions[:, h]]
            reward = process.rewards(h, states[:, h])[row, actions[:, h]]
            after = min(h + 1, self.rule.horizon - 1)
            yield Step(
                gram=phi.T @ phi,
                moments=np.ascontiguousarray(phi.T),
                phi_next=process.features(after, states[:, h + 1]),
                reward_next=process.rewards(after, states[:, h + 1]),
                seen=np.ones(len(states), dtype=np.bool_),
                reward_moment=phi.T @ reward,
            )

    def _roll(
        self, rng: np.random.Generator, fit: RealOnlineFit, env: FeatureProcess
    ) -> tuple[FloatArray, IntArray]:
        """Play an episode."""
        H = self.rule.horizon
        u = rng.random(1 + 2 * H)
        states, actions = np.empty(H + 1), np.empty(H, dtype=np.int64)
        states[0] = env.first(u[:1])[0]
        for h in range(H):
            pi = np.ascontiguousarray(fit.pi(h, states[h : h + 1]))
            cdf = np.empty_like(pi)
            cumulative_rows(pi, cdf)
            actions[h] = draw(cdf[0], u[1 + 2 * h])
            step = slice(2 + 2 * h, 3 + 2 * h)
            states[h + 1] = env.sample(h, states[h : h + 1], actions[h : h + 1], u[step])[0]
        return states, actions


def make_real_learner(
    process: FeatureProcess,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    improvement: Improvement,
    options: OnlineOptions | None,
    track: object,
    *,
    reward_known: bool = True,
) -> RealOnlineLearner:
    """Return the learner of these choices, or refuse them."""
    chosen = checked_options(options)
    check_count("n_episodes", n_episodes)
    _refuse_finite_only(chosen, improvement, track)
    kind, levels = factor_levels(ambiguity, process.horizon, process.n_factors)
    beta = given_beta(chosen, (process.horizon, process.n_factors))
    if reward_known and not chosen.bonus_last:
        beta[-1] = 0.0
    warn_of_options(kind, improvement.tau, process.horizon, fail_state=0)
    rule = Rule(
        kind=kind,
        levels=levels,
        beta=beta,
        ridge=chosen.ridge,
        sign=1,
        penalty=chosen.bonus if reward_known else "ellipsoid",
        vmin="zero",
        clip_zero=chosen.clip_zero,
        kl_shift=chosen.kl_shift,
        regress_reward=not reward_known,
        flat_ceiling=not reward_known,
    )
    if improvement.tau > 0.0:
        reference = reference_policy(improvement.reference, (1, 1, process.n_actions))[0, 0]
        rule = replace(rule, tau=improvement.tau, log_reference=np.log(reference))
    return RealOnlineLearner(process, rule, chosen)


def _refuse_finite_only(options: OnlineOptions, improvement: Improvement, track: object) -> None:
    """Refuse what needs finitely many states."""
    if isinstance(options.beta, str):
        raise InvalidModelError(
            "beta is 'theory' and the states are real; the explicit width counts states: expected"
            " a number"
        )
    if improvement.mirror < np.inf:
        raise InvalidModelError(
            f"mirror is {improvement.mirror:g} and the states are real; the last policy is kept for"
            " finitely many states only: expected mirror=inf"
        )
    if track is not None:
        raise InvalidModelError("track is given and the states are real; expected None")
