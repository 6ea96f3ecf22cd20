"""Small seeded constructors of the models that the literature measures itself on."""

from mdptheory.environments._cumulative import cumulative
from mdptheory.environments.american_put import AmericanPut, put_value
from mdptheory.environments.catalogue import CATALOGUE, LINEAR_CATALOGUE
from mdptheory.environments.chain import chain, combination_lock
from mdptheory.environments.collecting import collect, collect_real, collect_statistics
from mdptheory.environments.gambler import gamblers_ruin, gamblers_ruin_total
from mdptheory.environments.garnet import garnet
from mdptheory.environments.gridworld import gridworld, gridworld_5x5, gridworld_torus
from mdptheory.environments.healthcare import healthcare
from mdptheory.environments.inventory import inventory
from mdptheory.environments.lending import lending_loop
from mdptheory.environments.machine import machine_replacement
from mdptheory.environments.population import population
from mdptheory.environments.public_data import ScoredPeople, load_compas, load_german
from mdptheory.environments.random_linear import random_simplex_mdp
from mdptheory.environments.riverswim import riverswim, riverswim20, riverswim_chain
from mdptheory.environments.simulated_linear import simulated_linear_mdp, simulated_target
from mdptheory.environments.threshold_presets import (
    PRESETS,
    compas_decile_threshold_loop,
    compas_threshold_loop,
    german_threshold_loop,
    synthetic_threshold_loop,
    threshold_preset,
)
from mdptheory.environments.threshold_scores import (
    survival_from_scores,
    threshold_loop_from_csv,
    threshold_loop_from_scores,
)
from mdptheory.environments.windy_walk import windy_walk, windy_walk_family, windy_walk_long

__all__ = [
    "CATALOGUE",
    "LINEAR_CATALOGUE",
    "PRESETS",
    "AmericanPut",
    "ScoredPeople",
    "chain",
    "collect",
    "collect_real",
    "collect_statistics",
    "combination_lock",
    "compas_decile_threshold_loop",
    "compas_threshold_loop",
    "cumulative",
    "gamblers_ruin",
    "gamblers_ruin_total",
    "garnet",
    "german_threshold_loop",
    "gridworld",
    "gridworld_5x5",
    "gridworld_torus",
    "healthcare",
    "inventory",
    "lending_loop",
    "load_compas",
    "load_german",
    "machine_replacement",
    "population",
    "put_value",
    "random_simplex_mdp",
    "riverswim",
    "riverswim20",
    "riverswim_chain",
    "simulated_linear_mdp",
    "simulated_target",
    "survival_from_scores",
    "synthetic_threshold_loop",
    "threshold_loop_from_csv",
    "threshold_loop_from_scores",
    "threshold_preset",
    "windy_walk",
    "windy_walk_family",
    "windy_walk_long",
]
