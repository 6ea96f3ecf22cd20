"""The catalogue of environments with default sizes, for the command line and for tests."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from mdptheory.environments.chain import chain, combination_lock
from mdptheory.environments.gambler import gamblers_ruin, gamblers_ruin_total
from mdptheory.environments.garnet import garnet
from mdptheory.environments.gridworld import gridworld, gridworld_5x5, gridworld_torus
from mdptheory.environments.healthcare import healthcare
from mdptheory.environments.inventory import inventory
from mdptheory.environments.machine import machine_replacement
from mdptheory.environments.population import population
from mdptheory.environments.random_linear import random_simplex_mdp
from mdptheory.environments.riverswim import riverswim, riverswim20, riverswim_chain
from mdptheory.environments.simulated_linear import simulated_linear_mdp
from mdptheory.environments.windy_walk import windy_walk, windy_walk_long
from mdptheory.models import LinearMDP, TabularMDP

CATALOGUE: Mapping[str, Callable[[], TabularMDP]] = MappingProxyType(
    {
        "chain": chain,
        "combination_lock": partial(combination_lock, rng=0),
        "gamblers_ruin": gamblers_ruin,
        "gamblers_ruin_total": gamblers_ruin_total,
        "garnet": partial(garnet, 100, 5, 10, rng=0),
        "garnet_normalised": partial(garnet, 100, 5, 10, spacing=False, reward_scale=5.0, rng=0),
        "gridworld": gridworld,
        "gridworld_5x5": gridworld_5x5,
        "gridworld_torus": partial(gridworld_torus, rng=0),
        "healthcare": healthcare,
        "inventory": inventory,
        "inventory_backlog": partial(inventory, max_backlog=5),
        "machine_replacement": machine_replacement,
        "population": population,
        "riverswim": riverswim,
        "riverswim2": partial(riverswim, 2),
        "riverswim3": partial(riverswim, 3),
        "riverswim20": riverswim20,
        "riverswim_classic": riverswim_chain,
        "riverswim_chain": partial(riverswim_chain, 100),
        "windy_walk": windy_walk,
        "windy_walk_long": windy_walk_long,
    }
)
"""Environment by name; each constructor takes no argument and returns the same model each time."""

LINEAR_CATALOGUE: Mapping[str, Callable[[], LinearMDP]] = MappingProxyType(
    {
        "random_simplex": partial(random_simplex_mdp, 6, 3, 4, 4, fail=True, rng=0),
        "simulated_linear": simulated_linear_mdp,
        "simulated_linear_leaky": partial(simulated_linear_mdp, leaky=0.05),
    }
)
"""Linear MDP by name; each constructor takes no argument and returns the same model each time."""
