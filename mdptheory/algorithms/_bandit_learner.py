"""A bandit algorithm as ``init``, ``select`` and ``update``, or ``init``, ``step`` and ``run``."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, RngLike
from mdptheory._validation import as_float_array, check_count, check_finite, check_shape, place
from mdptheory.algorithms._bandit_records import (
    BanditInfo,
    BanditOptions,
    BanditState,
    blank_memory,
    empty_logs,
    fell_back,
    frozen,
    own_memory,
    stacked_memory,
)
from mdptheory.algorithms._bandit_task import Plan, Rule, bandit_plan, problem_of
from mdptheory.errors import GuaranteeWarning, InvalidModelError
from mdptheory.kernels.bandit_play import play
from mdptheory.kernels.bandit_records import (
    ARM,
    CLAIM_REWARD,
    CLAIM_VIOLATION,
    FALLBACKS,
    LEFT,
    OBSERVED,
    OFS,
    REGRET,
    REWARD,
    SUMS,
    SWITCHES,
    UCB,
    VIOLATION,
    Log,
    Memory,
    Task,
)
from mdptheory.kernels.bandit_rules import FEASIBLE, absorb, begin, choose
from mdptheory.models import ClosedLoop
from mdptheory.models.bandit import BanditProblem
from mdptheory.models.bandit_run import BanditRun, BestArm
from mdptheory.models.fair_constraints import FairConstraint
from mdptheory.operators.closed_loop import (
    channel_places,
    compiled_world,
    draw_rounds,
    n_draws,
    n_places,
    same_environment,
    scratch_desk,
)
from mdptheory.operators.crew import Crew
from mdptheory.solvers.best_arm import best_arm

CHUNK = 4096  # rounds whose random numbers are drawn at once


@dataclass(frozen=True, slots=True, eq=False)
class BanditLearner:
    """An algorithm with all its numbers, for one problem and one horizon.

    Attributes
    ----------
    problem : BanditProblem
        What the learner is told.
    horizon : int
        Number of rounds T of a run.
    constraints : tuple of FairConstraint
        What arms must satisfy.
    options : BanditOptions
        Radii, and what a run records.
    plan : Plan
        The same for compiled code.
    home : BanditProblem, GaussianBandit, ThresholdLoop or LendingLoop
        What the learner was made for; runs elsewhere have no certificates.
    """

    problem: BanditProblem
    horizon: int
    constraints: tuple[FairConstraint, ...]
    options: BanditOptions
    plan: Plan
    home: BanditProblem | ClosedLoop

    def init(self) -> BanditState:
        """Return the state before the first round."""
        home = self.home
        start = np.zeros(1) if isinstance(home, BanditProblem) else home.start_state
        return BanditState(0, frozen(blank_memory(self.plan.task, self.problem.n_arms, start)))

    def select(self, state: BanditState) -> int:
        """Return the arm of the next round.

        Parameters
        ----------
        state : BanditState
            From `init` or `update`; it is left as it is.

        Returns
        -------
        int
            Index of the arm.
        """
        memory = self._own(state)
        left = memory.clock[LEFT]
        return int(memory.clock[ARM]) if left else choose(self.plan.task, memory)

    def update(
        self,
        state: BanditState,
        values: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        *,
        arm: int | None = None,
    ) -> BanditState:
        """Learn from one round that was played outside of this library.

        Parameters
        ----------
        state : BanditState
            From `init` or the last update; it is left as it is.
        values : array of shape (C,)
            What each channel of the problem showed: a value, or the hits of a count channel.
            Entries of channels that no constraint reads may be nan.
        weights : array of shape (C,), optional
            Trials of the count channels; entries of value channels are not read. May be absent if
            there are no count channels.
        arm : int, optional
            What was played; `select` of the state if absent. Within an epoch no other is allowed.

        Returns
        -------
        BanditState
            For the next round.

        Raises
        ------
        InvalidModelError
            If shapes are wrong, a value is not finite, hits exceed trials, or trials those that a
            round can show; or if the state is that of another learner.
        """
        x, w = self._seen(values, weights)
        memory = self._own(state)
        chosen = int(memory.clock[ARM]) if memory.clock[LEFT] else choose(self.plan.task, memory)
        played = chosen if arm is None else check_count("arm", arm, low=0)
        if played >= self.problem.n_arms or (played != chosen and self.plan.task.doubling):
            wanted = f"{chosen}, whose epoch goes on" if self.plan.task.doubling else "an index"
            raise InvalidModelError(
                f"arm is {played}; expected {wanted} (there are {self.problem.n_arms} arms)"
            )
        if not memory.clock[LEFT]:
            begin(self.plan.task, memory, played)
        absorb(self.plan.task, memory, x, w)
        return BanditState(state.round + 1, frozen(memory))

    def step(
        self, rng: np.random.Generator, state: BanditState, env: ClosedLoop
    ) -> tuple[BanditState, BanditInfo]:
        """Play one round.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of the round's random numbers.
        state : BanditState
            From `init` or the last step; it is left as it is.
        env : GaussianBandit, ThresholdLoop or LendingLoop
            Where the round takes place; `init` starts in the state that `home` starts in.

        Returns
        -------
        state : BanditState
            For the next round.
        info : BanditInfo
            What happened.
        """
        task, memory = self._task(env), self._own(state)
        if memory.state.shape != env.start_state.shape:
            raise InvalidModelError(
                f"state has an environment's state of shape {memory.state.shape}; expected"
                f" {env.start_state.shape}, from a learner made for env and not for a problem"
            )
        log = Log._make(array[0] for array in empty_logs(1, 1, 1, n_places(env), memory))
        draws = np.empty((1, n_draws(env)))
        draw_rounds(env, rng, draws)
        play(task, compiled_world(env), memory, scratch_desk(env), draws, 0, 1, log)
        info = BanditInfo(
            arm=int(log.arms[0]),
            means=log.means[0][channel_places(env)],
            state=log.states[0],
            fallback=fell_back(memory),
        )
        return BanditState(state.round + 1, frozen(memory)), info

    def run(self, rng: RngLike, env: ClosedLoop) -> BanditRun:
        """Play all rounds: bit for bit the loop over `step`."""
        return self.run_many((rng,), env)[0]

    def run_many(
        self, rngs: Iterable[RngLike], env: ClosedLoop, *, threads: int | None = None
    ) -> tuple[BanditRun, ...]:
        """Play independent runs, one a seed, each bit for bit what `run` returns for it.

        Parameters
        ----------
        rngs : iterable of numpy.random.Generator, int or None
            One source of randomness a run.
        env : GaussianBandit, ThresholdLoop or LendingLoop
            Where the rounds take place.
        threads : int, optional
            How many share the runs if these are long; all that Numba may use if absent. Results do
            not depend on it.

        Returns
        -------
        tuple of BanditRun
            In the order of the seeds.
        """
        generators = tuple(np.random.default_rng(rng) for rng in rngs)
        if not generators:
            return ()
        if len({id(generator) for generator in generators}) < len(generators):
            raise InvalidModelError("rngs has a generator twice; expected one a run: rng.spawn(n)")
        task = self._task(env)
        best = best_arm(env, self.constraints, tol=FEASIBLE)
        if best.feasible:
            task = task._replace(comparator=best.reward)
        memories = stacked_memory(
            blank_memory(task, self.problem.n_arms, env.start_state), len(generators)
        )
        every = self.options.record_every
        logs = empty_logs(len(generators), self.horizon, every, n_places(env), memories)
        self._play(task, env, generators, memories, logs, threads)
        runs = tuple(
            self._result(
                env,
                Memory._make(array[i] for array in memories),
                Log._make(array[i] for array in logs),
                best,
            )
            for i in range(len(generators))
        )
        self._warn_of_unseen(memories)
        return runs

    def _play(
        self,
        task: Task,
        env: ClosedLoop,
        generators: Sequence[np.random.Generator],
        memories: Memory,
        logs: Log,
        threads: int | None,
    ) -> None:
        """Play chunk by chunk; the seeds are shared among threads."""
        n, world, every = len(generators), compiled_world(env), self.options.record_every
        crew = Crew(n * self.horizon * 10, threads)
        draws = np.empty((n, min(CHUNK, self.horizon), n_draws(env)))
        cuts = np.linspace(0, n, min(crew.threads, n) + 1).astype(int).tolist()
        crew.start()
        try:
            for done in range(0, self.horizon, CHUNK):
                chunk = draws[:, : min(CHUNK, self.horizon - done)]

                def some(part: range, chunk: FloatArray = chunk, done: int = done) -> None:
                    desk = scratch_desk(env)
                    for i in part:
                        draw_rounds(env, generators[i], chunk[i])
                        memory = Memory._make(array[i] for array in memories)
                        log = Log._make(array[i] for array in logs)
                        play(task, world, memory, desk, chunk[i], done, every, log)

                crew.each(some, [range(*ends) for ends in pairwise(cuts)])
                if self.options.progress is not None:
                    self.options.progress(min(done + CHUNK, self.horizon))
        finally:
            crew.stop()

    def _task(self, env: ClosedLoop) -> Task:
        """Return the task as an environment shows its channels, or refuse another environment."""
        problem = problem_of(env)
        if isinstance(env, BanditProblem):
            raise TypeError(
                "env is a BanditProblem, where no round can be played; expected a GaussianBandit, a"
                " ThresholdLoop or a LendingLoop (for rounds of your own: select and update)"
            )
        names = [[channel.name for channel in p.channels] for p in (self.problem, problem)]
        if problem.n_arms != self.problem.n_arms or names[0] != names[1]:
            raise InvalidModelError(
                f"env has {problem.n_arms} arms and channels {', '.join(names[1])}; expected"
                f" {self.problem.n_arms} and {', '.join(names[0])}"
            )
        pick = channel_places(env)[self.plan.task.pick]
        pick.setflags(write=False)
        return self.plan.task._replace(pick=pick)

    def _seen(
        self, values: npt.ArrayLike, weights: npt.ArrayLike | None
    ) -> tuple[FloatArray, FloatArray]:
        """Return values and weights of all channels, checked where they are read."""
        channels = self.problem.channels
        x = as_float_array("values", values).copy()
        check_shape("values", x, (len(channels),))
        counts = np.array([channel.trials > 0 for channel in channels])
        read = np.isin(np.arange(len(channels)), self.plan.task.pick)
        if weights is None and (counts & read).any():
            first = channels[int((counts & read).argmax())].name
            raise InvalidModelError(f"weights is absent; expected the trials of channel {first!r}")
        w = np.ones(len(channels)) if weights is None else as_float_array("weights", weights).copy()
        check_shape("weights", w, (len(channels),))
        w[~counts] = 1.0
        check_finite("values", np.where(read, x, 0.0))
        check_finite("weights", np.where(read, w, 0.0))
        wrong = read & counts & ((w < 0) | (x < 0) | (x > w))
        if wrong.any():
            c = int(wrong.argmax())
            raise InvalidModelError(
                f"{place('values', c)} is {x[c]:g} of {w[c]:g} trials of channel"
                f" {channels[c].name!r}; expected between 0 and all of them"
            )
        most = np.array([channel.trials for channel in channels])
        wrong = read & counts & (w > most)
        if wrong.any():
            c = int(wrong.argmax())
            raise InvalidModelError(
                f"{place('weights', c)} is {w[c]:g}; expected at most {most[c]} trials, as channel"
                f" {channels[c].name!r} says"
            )
        return np.where(read, x, 0.0), np.where(read, w, 0.0)

    def _own(self, state: BanditState) -> Memory:
        """Return a copy of the memory of a state of this learner before its last round."""
        memory = own_memory(self.plan.task, self.problem.n_arms, state)
        if state.round >= self.horizon and not self.options.anytime:
            raise InvalidModelError(
                f"state has played {state.round} rounds, which is the horizon; expected fewer, or"
                " BanditOptions(anytime=True)"
            )
        return memory

    def _result(self, env: ClosedLoop, memory: Memory, log: Log, best: BestArm) -> BanditRun:
        every, plan = self.options.record_every, self.plan
        rounds = np.minimum(np.arange(1, len(log.sums) + 1) * every, self.horizon)
        fallbacks = int(memory.clock[FALLBACKS])
        regret = log.sums[:, REGRET] if best.feasible else np.full(len(rounds), np.nan)
        optimistic = plan.task.rule in (OFS, UCB) and not fallbacks
        proved = plan.proved and same_environment(env, self.home)
        claims = [float(memory.sums[i]) for i in (CLAIM_REWARD, CLAIM_VIOLATION)]
        return BanditRun(
            arms=log.arms,
            counts=np.bincount(log.arms, minlength=self.problem.n_arms),
            rounds=rounds,
            means=log.means[:, channel_places(env)],
            states=log.states,
            reward=log.sums[:, REWARD],
            violation=log.sums[:, VIOLATION],
            signed=log.sums[:, SUMS:],
            observed_violation=log.sums[:, OBSERVED],
            regret=regret,
            fallback_rounds=fallbacks,
            switches=int(memory.clock[SWITCHES]),
            certificate_regret=claims[0] if proved and optimistic else None,
            certificate_violation=claims[1] if proved else None,
            best=best,
            constraints=self.constraints,
            names=tuple(channel.name for channel in self.problem.channels),
        )

    def _warn_of_unseen(self, memories: Memory) -> None:
        """Say so if a count channel never showed a trial of an arm that was played."""
        unseen = (memories.weight <= 0.0) & (memories.pulls > 0)[:, :, None]
        if unseen.any():
            i, k, c = (int(j) for j in np.argwhere(unseen)[0])
            name = self.problem.channels[int(self.plan.task.pick[c])].name
            warnings.warn(
                f"arm {k} was played {memories.pulls[i, k]} times and the channel {name!r} never"
                " had a trial; nothing is known of its rate there",
                GuaranteeWarning,
                stacklevel=4,
            )


def bandit_learner(
    env: BanditProblem | ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint],
    rule: Rule,
    options: BanditOptions | None,
) -> BanditLearner:
    """Check everything and return the learner."""
    chosen = BanditOptions() if options is None else options
    plan = bandit_plan(env, horizon, constraints, rule, chosen)
    return BanditLearner(problem_of(env), int(horizon), tuple(constraints), chosen, plan, env)
