"""A search for the instance on which a claim is tightest: hill climbing over cases."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import check_count
from mdptheory.errors import InvalidModelError
from mdptheory.models import Discounted, TabularMDP
from mdptheory.theory.chain import Chain
from mdptheory.theory.check import Check
from mdptheory.theory.counterexample import SavedCase, link_check
from mdptheory.theory.draft import Arm, freeze, normalized, thaw, with_gamma
from mdptheory.theory.shrink import is_simplex, shrink
from mdptheory.theory.verify import draw_case

MAX_WEIGHT = 4  # integer weights of mutated rows
GAMMAS = (0.1, 0.5, 0.9, 0.95, 0.99)
STARTS = 0.2  # share of the budget that draws fresh cases before climbing


def tighten(
    chain: Chain,
    link: str,
    *,
    budget: int = 500,
    seed: int = 0,
    polish: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> SavedCase:
    """Search for the case on which ``measured / bound`` is largest.

    Parameters
    ----------
    chain : Chain
        The theorem.
    link : str
        One of its links.
    budget : int
        Cases to run: a fifth drawn by ``chain.sample``, the rest mutations of the best so far.
    seed : int
        Seed of the search; the same seed finds the same case.
    polish : bool
        Spend half of the budget on CMA-ES over the case's real numbers (needs the extra
        ``search``).
    progress : callable, optional
        ``progress(label, done, total)``.

    Returns
    -------
    SavedCase
        The tightest conclusive case; if a case violates the link, that case.

    Raises
    ------
    InvalidModelError
        If the chain has no such link, or no case was conclusive.
    """
    if link not in {entry.name for entry in chain.links}:
        raise InvalidModelError(f"chain {chain.id!r} has no link {link!r}")
    budget = check_count("budget", budget, low=2)
    search = _Search(chain, link, seed, progress, budget)
    rng = np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(0x7167,)))
    for index in range(max(1, int(STARTS * budget))):
        search.offer(_drawn(chain, seed, index), index)
    climb = (budget - search.runs) // 2 if polish else budget - search.runs
    for _ in range(climb if search.case is not None else 0):
        search.offer(mutate(search.case, rng), search.index)
    if polish and search.case is not None:
        _polish(search, budget, seed)
    if search.case is None or search.check is None:
        raise InvalidModelError(
            f"link {link!r} of chain {chain.id!r}: none of {search.runs} cases was conclusive"
        )
    return SavedCase(chain.id, link, None, search.case, search.check, seed, search.index)


def simplify(chain: Chain, saved: SavedCase, *, keep: float = 0.999) -> SavedCase:
    """Shrink a tight case while it keeps a share of its tightness.

    Parameters
    ----------
    chain : Chain
        The theorem.
    saved : SavedCase
        What `tighten` found.
    keep : float
        Least share of the tightness to keep.

    Returns
    -------
    SavedCase
        A case that is easier to read.
    """
    goal = keep * score(saved.check)

    def still_tight(candidate: Any) -> bool:
        return score(_admitted(chain, saved.link, candidate)) >= goal

    small = shrink(saved.case, still_tight)
    check = link_check(chain, saved.link, small)
    assert check is not None
    return replace(saved, case=small, check=check)


def score(check: Check | None) -> float:
    """Return the tightness; infinite if violated, minus infinity if the case says nothing."""
    if check is None:
        return -np.inf
    if not check.holds:
        return np.inf
    return check.tightness if check.conclusive else -np.inf


class _Search:
    """The best case so far; an equal score replaces it, so that plateaus are crossed."""

    def __init__(self, chain: Chain, link: str, seed: int, progress: Any, budget: int) -> None:
        self.chain, self.link, self.seed = chain, link, seed
        self.progress, self.budget = progress, budget
        self.case: Any = None
        self.check: Check | None = None
        self.index, self.runs = 0, 0

    def offer(self, case: Any, index: int) -> float:
        """Run a candidate, keep it if it is at least as tight, and return its score."""
        self.runs += 1
        if self.progress is not None:
            self.progress(f"{self.chain.id} {self.link}", min(self.runs, self.budget), self.budget)
        if case is None:
            return -np.inf
        check = _admitted(self.chain, self.link, case)
        value = score(check)
        if value > -np.inf and value >= score(self.check):
            self.case, self.check, self.index = case, check, index
        return value


def _drawn(chain: Chain, seed: int, index: int) -> Any:
    try:
        return draw_case(chain, seed, index)
    except Exception:  # reported by verify; here it is only no start
        return None


def _admitted(chain: Chain, link: str, case: Any) -> Check | None:
    try:
        if chain.admissible is not None and not chain.admissible(case):
            return None
    except Exception:  # a case that cannot even be judged is not admitted
        return None
    return link_check(chain, link, case)


# ---- mutations ----------------------------------------------------------------------------------


def mutate(case: Any, rng: np.random.Generator) -> Any:
    """Return a neighbour of a case, or None if the change leaves the case's domain.

    Parameters
    ----------
    case : object
        A frozen dataclass of models, arrays and numbers, or one of these by itself.
    rng : numpy.random.Generator
        Chooses the field and the change.

    Returns
    -------
    object
        Models: an arm's integer weights, rewards or the discount factor change. Rows of
        probabilities: likewise. Numbers: rounded, doubled, halved or shifted. Integers stay.
    """
    try:
        if isinstance(case, TabularMDP):
            return _mutated_mdp(case, rng)
        if isinstance(case, np.ndarray):
            return _mutated_array(case, rng)
        if isinstance(case, float):
            return _mutated_number(case, rng)
        if is_dataclass(case) and not isinstance(case, type):
            names = [f.name for f in fields(case) if _can_change(getattr(case, f.name))]
            if not names:
                return None
            name = names[int(rng.integers(len(names)))]
            value = mutate(getattr(case, name), rng)
            return None if value is None else replace(case, **{name: value})
    except (ValueError, TypeError, ArithmeticError):
        return None
    return None


def _can_change(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.size > 0 and value.dtype.kind == "f"
    return isinstance(value, TabularMDP | float) or is_dataclass(value)


def _mutated_number(number: float, rng: np.random.Generator) -> float:
    options = (0.0, 1.0, number / 2, number * 2, -number, number + rng.normal(), 1 - number)
    return float(options[int(rng.integers(len(options)))])


def _weights(rng: np.random.Generator, count: int) -> FloatArray:
    weights = rng.integers(0, MAX_WEIGHT + 1, count) * rng.integers(0, 2, count)
    if not weights.any():
        weights[rng.integers(count)] = 1
    return weights.astype(np.float64)


def _mutated_array(array: Any, rng: np.random.Generator) -> Any:
    changed = array.copy()
    if is_simplex(array):
        rows = changed.reshape(-1, array.shape[-1])
        weights = _weights(rng, rows.shape[1])
        rows[int(rng.integers(len(rows)))] = weights / weights.sum()
        return changed
    flat = changed.reshape(-1)
    if rng.random() < 0.3:
        flat *= _mutated_number(1.0, rng)
    else:
        k = int(rng.integers(flat.size))
        flat[k] = _mutated_number(float(flat[k]), rng)
    return changed


def _mutated_mdp(mdp: TabularMDP, rng: np.random.Generator) -> TabularMDP:
    draft = thaw(mdp)
    arms = list(draft.arms())
    block, k, arm = arms[int(rng.integers(len(arms)))]
    if rng.random() < 0.1 and isinstance(mdp.objective, Discounted):
        return freeze(with_gamma(draft, float(rng.choice(GAMMAS))))
    if rng.random() < 0.5:
        return freeze(draft.with_arm(block, k, _mutated_reward(arm, arms, rng)))
    weights = _weights(rng, mdp.n_states)
    if rng.random() < 0.3:  # a point mass
        weights = np.eye(mdp.n_states)[int(rng.integers(mdp.n_states))]
    prob = normalized({t: float(w) for t, w in enumerate(weights) if w > 0})
    return freeze(draft.with_arm(block, k, arm.with_prob(prob)))


def _mutated_reward(arm: Arm, arms: list[Any], rng: np.random.Generator) -> Arm:
    """Change a reward within the range of the model's rewards and [0, 1], which bounds assume."""
    known = [other.reward for _, _, other in arms]
    low, high = min(0.0, *known), max(1.0, *known)
    options = (0.0, 1.0, low, high, float(rng.choice(known)), float(rng.uniform(low, high)))
    return replace(arm, reward=options[int(rng.integers(len(options)))], rewards=None)


# ---- polishing ----------------------------------------------------------------------------------


def _polish(search: _Search, budget: int, seed: int) -> None:
    """Move the real numbers of the best case by CMA-ES."""
    from mdptheory._extras import require

    cma = require("cma", "search")
    base = search.case
    start = np.concatenate([x.ravel() for x in real_parts(base)] or [np.zeros(0)])
    if start.size < 2:
        return
    options = {"seed": seed + 1, "verbose": -9, "maxfevals": max(1, budget - search.runs)}
    strategy = cma.CMAEvolutionStrategy(start, 0.1, options)
    while search.runs < budget and not strategy.stop():
        points = strategy.ask()
        costs = [-search.offer(with_real_parts(base, x), search.index) for x in points]
        strategy.tell(points, [min(max(cost, -1e9), 1e9) for cost in costs])


def real_parts(case: Any) -> Iterator[FloatArray]:
    """Yield the real numbers of a case: probabilities and rewards of models, float arrays.

    Parameters
    ----------
    case : object
        A frozen dataclass.
    """
    for field in fields(case):
        value = getattr(case, field.name)
        if isinstance(value, TabularMDP):
            yield value.prob
            yield value.reward
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            yield value


def with_real_parts(case: Any, numbers: FloatArray) -> Any:
    """Return the case with other real numbers, in the order of `real_parts`; None if refused.

    Parameters
    ----------
    case : object
        A frozen dataclass.
    numbers : array of shape (n,)
        Rows of probabilities are made so by absolute value and division by their sum; rewards
        are clipped to the range of the model's rewards and [0, 1].
    """
    left = np.asarray(numbers)
    values: dict[str, Any] = {}
    try:
        for field in fields(case):
            value = getattr(case, field.name)
            if isinstance(value, TabularMDP):
                prob, rest = np.abs(left[: value.n_transitions]), left[value.n_transitions :]
                total = np.add.reduceat(prob, value.row_ptr[:-1])
                prob = prob / np.repeat(total, np.diff(value.row_ptr))
                low, high = min(0.0, value.reward.min()), max(1.0, value.reward.max())
                reward, left = np.clip(rest[: value.n_rows], low, high), rest[value.n_rows :]
                values[field.name] = replace(
                    value, prob=prob, reward=reward, transition_reward=None
                )
            elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
                part, left = left[: value.size].reshape(value.shape), left[value.size :]
                if is_simplex(value):
                    part = np.abs(part) / np.abs(part).sum(axis=-1, keepdims=True)
                values[field.name] = part
        return replace(case, **values)
    except (ValueError, ArithmeticError):
        return None
