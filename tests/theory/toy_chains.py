"""Small theorems, true and false, on which the engine itself is tested."""

import dataclasses
import math

import numpy as np

from mdptheory import TabularMDP
from mdptheory.theory import (
    Chain,
    Check,
    Event,
    Link,
    Provenance,
    RateClaim,
    Twin,
    case,
    sampling,
)


@case
class Number:
    x: float


@case
class Pair:
    mdp: TabularMDP
    u: np.ndarray
    v: np.ndarray


def draw_number(rng):
    return Number(float(rng.random()))


def square_below(number):
    return Check(number.x**2, number.x, trivial=1.0)


def square_below_half(number):
    return Check(number.x**2, number.x / 2)


def above_nine_tenths(number):
    return number.x > 0.9


def above_half(number):
    return number.x > 0.5


def root(rng, size):
    return math.sqrt(size) * (1 + 0.1 * rng.random())


def linear(rng, size):
    return size * (1 + 0.1 * rng.random())


SQUARES = Chain(
    id="toy.squares",
    title="x^2 <= x",
    source="school",
    statement="x^2 <= x on [0, 1]",
    provenance=Provenance.DERIVED,
    sample=draw_number,
    links=(Link("square", "x^2 <= x", square_below),),
    events=(Event("large", "x > 0.9", 0.1, above_nine_tenths),),
    rates=(RateClaim("root", "grows like sqrt(n)", 0.5, (10, 100, 1000), root, tolerance=0.01),),
    twins=(
        Twin("half", "bound halved", links={"square": square_below_half}, expect_link="square"),
        Twin("often", "threshold 0.5", events={"large": above_half}, expect_link="large"),
        Twin("faster", "grows like n", rates={"root": linear}, expect_link="root"),
    ),
)


def draw_pair(rng):
    mdp = sampling.random_mdp(rng)
    return Pair(mdp, *(sampling.random_values(rng, mdp.n_states) for _ in range(2)))


def backup(mdp, v):
    P, r = mdp.to_dense()
    r = np.where(P.sum(axis=2) > 0, r, -np.inf)
    return (r + mdp.gamma * P @ v).max(axis=1)


def contracts(pair):
    apart = float(np.abs(pair.u - pair.v).max())
    moved = float(np.abs(backup(pair.mdp, pair.u) - backup(pair.mdp, pair.v)).max())
    return Check(moved, pair.mdp.gamma * apart, trivial=apart)


def contracts_twice(pair):
    check = contracts(pair)
    return dataclasses.replace(check, bound=check.bound * pair.mdp.gamma)


CONTRACTION = Chain(
    id="toy.contraction",
    title="T contracts",
    source="folklore",
    statement="|Tu - Tv| <= gamma |u - v|",
    provenance=Provenance.FOLKLORE,
    sample=draw_pair,
    links=(Link("contraction", "|Tu - Tv| <= gamma |u - v|", contracts),),
    twins=(Twin("square", "gamma squared", links={"contraction": contracts_twice}),),
)


def with_links(chain, **checks):
    """The chain with other checks for some links, and no twins."""
    links = tuple(
        dataclasses.replace(link, check=checks.get(link.name, link.check)) for link in chain.links
    )
    return dataclasses.replace(chain, links=links, twins=())
