"""A learner of finite linear MDPs as ``init``, ``step`` and ``run``."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, RngLike
from mdptheory._validation import check_simplex
from mdptheory.algorithms._online_records import (
    OnlineInfo,
    OnlineOptions,
    OnlineResult,
    OnlineState,
)
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.linear_learn import absorb, prepare, run_seeds
from mdptheory.kernels.linear_records import Desk, Fit, Log, Memory, Snap, Task, Truth, World
from mdptheory.kernels.linear_rollout import cumulative_rows, draw
from mdptheory.kernels.linear_track import track_seeds
from mdptheory.models.factor_ambiguity import FactorAmbiguity
from mdptheory.models.linear import KnownModel, LinearMDP, SampledLinearMDP
from mdptheory.models.offline import OfflineData
from mdptheory.operators.crew import Crew

Bundle = TypeVar("Bundle", Memory, Fit)

REFRESH = 100  # episodes after which inverses are computed from scratch


class Runs(NamedTuple):
    """Independent runs, side by side: every array has a leading axis for them."""

    memories: Memory
    fits: Fit
    log: Log

    def part(self, rows: slice) -> "Runs":
        """Return some of the runs; writing to them writes to all."""
        return Runs(
            Memory._make(array[rows] for array in self.memories),
            Fit._make(array[rows] for array in self.fits),
            Log._make(array[rows] for array in self.log),
        )

    def one(self, i: int) -> tuple[Memory, Fit, Log]:
        """Return one run, without the axis."""
        return (
            Memory._make(array[i] for array in self.memories),
            Fit._make(array[i] for array in self.fits),
            Log._make(array[i] for array in self.log),
        )


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
        memories, fits = _stack(memory, 1), _stack(fit, 1)
        return OnlineState(0, 0, _frozen(memories, 0), _frozen(fits, 0))

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
        memory, fit = _stack(state.memory, 1), _stack(state.fit, 1)
        log = _empty_log(1, 1, self.task)
        self._play((rng,), env, state.episode, Runs(memory, fit, log), Crew(0, 1))
        refits = state.refits + int(log.refitted[0, 0])
        after = OnlineState(state.episode + 1, refits, _frozen(memory, 0), _frozen(fit, 0))
        tracked = self.truth.every > 0 and state.episode % self.truth.every == 0
        return after, OnlineInfo(
            states=log.states[0, 0],
            actions=log.actions[0, 0],
            optimistic=float(log.optimistic[0, 0]),
            refitted=bool(log.refitted[0, 0]),
            regret=float(log.regret[0, 0]),
            certificate=float(log.certificate[0, 0]),
            event=bool(log.event[0, 0]) if tracked else None,
        )

    def run(self, rng: RngLike, env: LinearMDP | SampledLinearMDP, n_episodes: int) -> OnlineResult:
        """Play ``n_episodes`` from the start: bit for bit the loop over `step`."""
        return self.run_many((rng,), env, n_episodes)[0]

    def run_many(
        self,
        rngs: Iterable[RngLike],
        env: LinearMDP | SampledLinearMDP,
        n_episodes: int,
        *,
        threads: int | None = None,
    ) -> tuple[OnlineResult, ...]:
        """Play independent runs, one a seed, each bit for bit what `run` returns for it.

        Parameters
        ----------
        rngs : iterable of numpy.random.Generator, int or None
            One source of randomness a run.
        env : LinearMDP or SampledLinearMDP
            Where episodes take place.
        n_episodes : int
            Number of episodes K of each run.
        threads : int, optional
            How many share the runs of a known model if these are long; all that Numba may use if
            absent. Results do not depend on it.

        Returns
        -------
        tuple of OnlineResult
            In the order of the seeds.
        """
        generators = tuple(np.random.default_rng(rng) for rng in rngs)
        memory, fit = _blank(self.task, self.options.ridge)
        memories, fits = _stack(memory, len(generators)), _stack(fit, len(generators))
        log = _empty_log(len(generators), n_episodes, self.task)
        marks = sorted({k for k in self.options.checkpoints if k < n_episodes} | {n_episodes - 1})
        policies = np.empty((len(generators), len(marks), *fit.pi.shape))
        crew = _crew(self.task, env, len(generators) * min(n_episodes, REFRESH), threads)
        done = 0
        crew.start()
        try:
            for i, mark in enumerate(marks):
                while done <= mark:
                    stop = min(mark + 1, done - done % REFRESH + REFRESH)
                    part = Log._make(np.ascontiguousarray(array[:, done:stop]) for array in log)
                    self._play(generators, env, done, Runs(memories, fits, part), crew)
                    for whole, piece in zip(log, part, strict=True):
                        whole[:, done:stop] = piece
                    done = stop
                    if self.options.progress is not None:
                        self.options.progress(done)
                policies[:, i] = fits.pi
        finally:
            crew.stop()
        return tuple(
            self._result(np.array(marks), policies[i], _frozen(memories, i), _frozen(fits, i), row)
            for i, row in enumerate(Log._make(arrays) for arrays in zip(*log, strict=True))
        )

    def _play(
        self,
        rngs: tuple[np.random.Generator, ...],
        env: LinearMDP | SampledLinearMDP,
        done: int,
        runs: Runs,
        crew: Crew,
    ) -> None:
        """Play as many episodes as the log has rows, none of them past a refresh but the last."""
        n = runs.log.states.shape[1]
        slot = _slots(done, n, self.truth.every)
        u = np.empty((len(rngs), n, 2 * self.known.horizon + 1))
        for draws, rng in zip(u, rngs, strict=True):
            rng.random(out=draws)
        world = _world(env) if isinstance(env, LinearMDP) else env

        def play(part: slice) -> None:
            mine = runs.part(part)
            snaps = _snaps(self.task, len(mine.log.states), int(slot.max(initial=-1)) + 1)
            if isinstance(world, World):
                doubling = self.options.refit == "doubling"
                bundles = (mine.memories, _desk(self.task), mine.fits, snaps)
                run_seeds(self.task, world, doubling, slot, *bundles, u[part], mine.log)
            else:
                self._sample(world, slot, mine, snaps, u[part])
            if self.truth.every:
                log = mine.log
                measured = (log.regret, log.certificate, log.event)
                track_seeds(self.task, self.truth, slot, snaps, *measured)

        cuts = np.linspace(0, len(rngs), min(crew.threads, len(rngs)) + 1).astype(int).tolist()
        crew.each(play, [slice(*ends) for ends in pairwise(cuts)])
        if (done + n) % REFRESH == 0:
            _refresh(runs.memories, self.options.ridge)

    def _sample(
        self,
        env: SampledLinearMDP,
        slot: npt.NDArray[np.int64],
        runs: Runs,
        snaps: Snap,
        u: FloatArray,
    ) -> None:
        """Play by asking a sampler."""
        task, desk = self.task, _desk(self.task)
        doubling, start = self.options.refit == "doubling", _cumulative(self.known.start)
        for i, draws in enumerate(u):
            memory, fit, log = runs.one(i)
            snap = Snap._make(array[i] for array in snaps)
            for k in range(len(draws)):
                prepare(task, doubling, k, slot, memory, desk, fit, snap, log)
                _roll_sampled(env, draws[k], start, fit.cdf, log, k)
                absorb(task, memory, log.states[k], log.actions[k], desk.spread)

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
            state=OnlineState(n, refits, memory, fit),
            ambiguity=self.ambiguity,
            tau=self.task.tau,
        )


def _crew(
    task: Task, env: LinearMDP | SampledLinearMDP, episodes: int, threads: int | None
) -> Crew:
    """Return the threads for so many episodes at a time; samplers are asked by one."""
    if not isinstance(env, LinearMDP):
        return Crew(0, 1)
    return Crew(episodes * task.reward.size * task.phi.shape[1], threads)


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


def _stack(bundle: Bundle, n: int) -> Bundle:
    """Return n writable copies along a leading axis."""
    return type(bundle)(*(np.repeat(array[None], n, axis=0) for array in bundle))


def _frozen(bundle: Bundle, i: int) -> Bundle:
    """Return the i-th of stacked arrays; from now on all of them are read-only."""
    for array in bundle:
        array.setflags(write=False)
    return type(bundle)(*(array[i] for array in bundle))


def _desk(task: Task) -> Desk:
    d, S, A = task.phi.shape[1:]
    return Desk(np.empty((d, S)), np.empty(d), np.empty(S * A), np.empty(S, dtype=np.int64))


def _slots(first: int, n: int, every: int) -> npt.NDArray[np.int64]:
    """Return where to keep the fits of n episodes from ``first`` on: -1 for those not tracked."""
    tracked = (np.arange(first, first + n) % every == 0) if every else np.zeros(n, dtype=bool)
    return np.where(tracked, tracked.cumsum() - 1, -1)


def _snaps(task: Task, n_seeds: int, n: int) -> Snap:
    """Return room for n fits a seed."""
    H, S, A = task.reward.shape
    shape = (n_seeds, n)
    return Snap(
        v=np.empty((*shape, H + 1, S)),
        pi=np.empty((*shape, H, S, A)),
        nu=np.empty((*shape, H, task.phi.shape[1])),
        width=np.empty((*shape, H, S, A)),
    )


def _empty_log(n_seeds: int, n: int, task: Task) -> Log:
    H, shape = task.reward.shape[0], (n_seeds, n)
    return Log(
        states=np.empty((*shape, H + 1), dtype=np.int64),
        actions=np.empty((*shape, H), dtype=np.int64),
        optimistic=np.empty(shape),
        refitted=np.zeros(shape, dtype=np.bool_),
        regret=np.full(shape, np.nan),
        certificate=np.full(shape, np.nan),
        event=np.zeros(shape, dtype=np.bool_),
    )


def _refresh(memories: Memory, ridge: float) -> None:
    """Replace inverses and determinants by those of Cholesky factorisations."""
    try:
        factor = np.linalg.cholesky(memories.gram)
    except np.linalg.LinAlgError:
        raise InvalidModelError(
            f"ridge is {ridge:g}, which is lost in floats beside Gram matrices with entries up to"
            f" {memories.gram.max():g}; expected a larger ridge"
        ) from None
    half = np.linalg.inv(factor)
    memories.inverse[:] = np.einsum("nhki,nhkj->nhij", half, half)
    diagonal = np.diagonal(factor, axis1=2, axis2=3)
    memories.log_det[:] = 2.0 * np.log(diagonal / math.sqrt(ridge)).sum(axis=2)


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
