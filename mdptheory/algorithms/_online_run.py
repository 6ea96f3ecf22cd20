"""A learner of finite linear MDPs as ``init``, ``step`` and ``run``."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, RngLike
from mdptheory._validation import check_simplex, read_only
from mdptheory.algorithms._online_records import (
    OnlineInfo,
    OnlineOptions,
    OnlineResult,
    OnlineState,
)
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.linear_learn import absorb, prepare, run_episodes
from mdptheory.kernels.linear_records import Desk, Fit, Log, Memory, Task, Truth, World
from mdptheory.kernels.linear_rollout import cumulative_rows, draw
from mdptheory.models.factor_ambiguity import FactorAmbiguity
from mdptheory.models.linear import KnownModel, LinearMDP, SampledLinearMDP
from mdptheory.models.offline import OfflineData

Bundle = TypeVar("Bundle", Memory, Fit)

REFRESH = 100  # episodes after which inverses are computed from scratch


@dataclass(frozen=True, slots=True, eq=False)
class OnlineLearner:
    """An algorithm with all its numbers, for a known part of a model.

    Attributes
    ----------
    known : KnownModel
        What the learner may see.
    ambiguity : FactorAmbiguity or None
        What nature may do.
    options : OnlineOptions
        How it estimates.
    task : Task
        The same for compiled code.
    truth : Truth
        What it is measured by.
    """

    known: KnownModel
    ambiguity: FactorAmbiguity | None
    options: OnlineOptions
    task: Task
    truth: Truth

    def init(self) -> OnlineState:
        """Return the state before the first episode."""
        memory, fit = _blank(self.task, self.options.ridge)
        return OnlineState(0, 0, _frozen(memory), _frozen(fit))

    def step(
        self, rng: np.random.Generator, state: OnlineState, env: LinearMDP | SampledLinearMDP
    ) -> tuple[OnlineState, OnlineInfo]:
        """Play one episode.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of ``1 + 2 H`` uniforms.
        state : OnlineState
            From `init` or the last step; it is left as it is.
        env : LinearMDP or SampledLinearMDP
            Where the episode takes place.

        Returns
        -------
        state : OnlineState
            For the next step.
        info : OnlineInfo
            What happened.
        """
        memory, fit = _writable(state.memory), _writable(state.fit)
        log = _empty_log(1, self.task)
        self._play(rng, env, state.episode, memory, fit, log)
        after = OnlineState(
            state.episode + 1, state.refits + int(log.refitted[0]), _frozen(memory), _frozen(fit)
        )
        every = self.truth.every
        event = bool(log.event[0]) if every and state.episode % every == 0 else None
        return after, OnlineInfo(
            states=log.states[0],
            actions=log.actions[0],
            optimistic=float(log.optimistic[0]),
            refitted=bool(log.refitted[0]),
            regret=float(log.regret[0]),
            certificate=float(log.certificate[0]),
            event=event,
        )

    def run(self, rng: RngLike, env: LinearMDP | SampledLinearMDP, n_episodes: int) -> OnlineResult:
        """Play ``n_episodes`` from the start: bit for bit the loop over `step`."""
        rng = np.random.default_rng(rng)
        memory, fit = _blank(self.task, self.options.ridge)
        log = _empty_log(n_episodes, self.task)
        marks = sorted({k for k in self.options.checkpoints if k < n_episodes} | {n_episodes - 1})
        policies = np.empty((len(marks), *fit.pi.shape))
        done = 0
        for mark, policy in zip(marks, policies, strict=True):
            while done <= mark:
                stop = min(mark + 1, done - done % REFRESH + REFRESH)
                part = Log._make(array[done:stop] for array in log)
                self._play(rng, env, done, memory, fit, part)
                done = stop
                if self.options.progress is not None:
                    self.options.progress(done)
            policy[:] = fit.pi
        return self._result(np.array(marks), policies, memory, fit, log)

    def _play(
        self,
        rng: np.random.Generator,
        env: LinearMDP | SampledLinearMDP,
        done: int,
        memory: Memory,
        fit: Fit,
        log: Log,
    ) -> None:
        """Play as many episodes as ``log`` has rows, none of them past a refresh but the last."""
        u = rng.random((len(log.states), 2 * self.known.horizon + 1))
        doubling = self.options.refit == "doubling"
        desk = _desk(self.task)
        if isinstance(env, LinearMDP):
            world = _world(env)
            run_episodes(self.task, world, self.truth, doubling, done, memory, desk, fit, u, log)
        else:
            start = _cumulative(self.known.start)
            for k in range(len(u)):
                prepare(self.task, self.truth, doubling, done, k, memory, desk, fit, log)
                _roll_sampled(env, u[k], start, fit.cdf, log, k)
                absorb(self.task, memory, log.states[k], log.actions[k], desk.spread)
        if (done + len(u)) % REFRESH == 0:
            _refresh(memory, self.options.ridge)

    def _result(
        self, marks: npt.NDArray[np.int64], policies: FloatArray, memory: Memory, fit: Fit, log: Log
    ) -> OnlineResult:
        n, every = len(log.states), self.truth.every
        tracked = np.arange(0, n, every) if every else np.arange(0)
        refits = int(log.refitted.sum())
        return OnlineResult(
            pi=policies[-1],
            checkpoints=marks,
            policies=policies,
            optimistic=log.optimistic,
            tracked=tracked,
            regret=log.regret[tracked],
            certificate=log.certificate[tracked],
            event=log.event[tracked],
            refits=refits,
            data=OfflineData(log.states, log.actions),
            state=OnlineState(n, refits, _frozen(memory), _frozen(fit)),
            ambiguity=self.ambiguity,
            tau=self.task.tau,
        )


def _blank(task: Task, ridge: float) -> tuple[Memory, Fit]:
    """Return the memory of no episode, and an empty fit."""
    H, S, A = task.reward.shape
    d = task.phi.shape[1]
    eye = np.eye(d)
    memory = Memory(
        gram=np.tile(ridge * eye, (H, 1, 1)),
        inverse=np.tile(eye / ridge, (H, 1, 1)),
        log_det=np.zeros(H),
        moments=np.zeros((H, d, S)),
        reward_moments=np.zeros((H, d)),
        fitted=np.full(H, -np.inf),
    )
    pi = np.exp(task.log_reference)
    pi /= pi.sum(axis=-1, keepdims=True)
    fit = Fit(
        v=np.zeros((H + 1, S)),
        q=np.zeros((H, S, A)),
        pi=pi,
        cdf=np.ones((H, S, A)),
        log_pi=task.log_reference.copy(),
        nu=np.zeros((H, d)),
        width=np.zeros((H, S, A)),
    )
    return memory, fit


def _frozen(bundle: Bundle) -> Bundle:
    """Return a copy whose arrays cannot be written to."""
    return type(bundle)(*(read_only(array) for array in bundle))


def _writable(bundle: Bundle) -> Bundle:
    """Return a copy whose arrays can be written to."""
    return type(bundle)(*(array.copy() for array in bundle))


def _desk(task: Task) -> Desk:
    d, S = task.phi.shape[1:3]
    return Desk(np.empty((d, S)), np.empty(d), np.empty(S, dtype=np.int64))


def _empty_log(n: int, task: Task) -> Log:
    H = task.reward.shape[0]
    return Log(
        states=np.empty((n, H + 1), dtype=np.int64),
        actions=np.empty((n, H), dtype=np.int64),
        optimistic=np.empty(n),
        refitted=np.zeros(n, dtype=np.bool_),
        regret=np.full(n, np.nan),
        certificate=np.full(n, np.nan),
        event=np.zeros(n, dtype=np.bool_),
    )


def _refresh(memory: Memory, ridge: float) -> None:
    """Replace inverses and determinants by those of a Cholesky factorisation."""
    d = memory.gram.shape[1]
    for h, gram in enumerate(memory.gram):
        factor = np.linalg.cholesky(gram)
        half = np.linalg.solve(factor, np.eye(d))
        memory.inverse[h] = half.T @ half
        memory.log_det[h] = 2.0 * np.log(np.diagonal(factor)).sum() - d * math.log(ridge)


def _cumulative(p: FloatArray) -> FloatArray:
    """Return distribution functions along the last axis."""
    flat = np.array(p, dtype=np.float64).reshape(-1, p.shape[-1])
    out = np.empty_like(flat)
    cumulative_rows(flat, out)
    return out.reshape(p.shape)


def _world(env: LinearMDP) -> World:
    """Return what is needed to sample from a model."""
    kernels = np.stack([env.kernel(h) for h in range(env.horizon)])
    if not env.known.simplex:
        check_simplex("phi @ mu", kernels, tolerance=1e-8)
    return World(_cumulative(env.start), _cumulative(kernels))


def _roll_sampled(
    env: SampledLinearMDP, u: FloatArray, start: FloatArray, cdf: FloatArray, log: Log, k: int
) -> None:
    """Play an episode by asking a sampler, with the uniforms that a known kernel would use."""
    s = log.states[k, 0] = draw(start, u[0])
    for h in range(cdf.shape[0]):
        a = log.actions[k, h] = draw(cdf[h, s], u[1 + 2 * h])
        after = env.sampler(h, int(s), int(a), float(u[2 + 2 * h]))
        if not isinstance(after, int | np.integer) or not 0 <= after < cdf.shape[1]:
            raise InvalidModelError(
                f"sampler({h}, {s}, {a}, {u[2 + 2 * h]:.6g}) returned {after!r}; expected a state"
                f" in [0, {cdf.shape[1]})"
            )
        s = log.states[k, h + 1] = after
