"""The planning problems that the figures share."""

from collections.abc import Callable

import numpy as np

from mdptheory import TabularMDP
from mdptheory.environments import garnet, inventory, riverswim20

GARNET_SEED = 7


def from_gym(name: str) -> TabularMDP:
    """Load a Gymnasium table with discount 0.99; needs the extra ``gym``."""
    from mdptheory.io import load

    return load(f"gym:{name}", gamma=0.99)


def garnet_200() -> TabularMDP:
    """Garnet with 200 states, 5 actions and 5 successors a row."""
    return garnet(200, 5, 5, gamma=0.95, rng=np.random.default_rng(GARNET_SEED))


PROBLEMS: dict[str, Callable[[], TabularMDP]] = {
    "FrozenLake 8x8": lambda: from_gym("FrozenLake8x8-v1"),
    "Taxi": lambda: from_gym("Taxi-v4"),
    "riverswim20": riverswim20,
    "inventory21": inventory,
    "Garnet(200, 5, 5)": garnet_200,
}
