"""Every chain, in the order in which a reader would want to meet them."""

from mdptheory.theory import Chain
from proofs_checks import (
    absorption,
    certificate_soundness,
    contraction,
    elimination,
    finite_horizon,
    modified_policy_iteration,
    performance_difference,
    policy_iteration,
    policy_loss,
    simulation,
    stopping,
)

CHAINS: tuple[Chain, ...] = (
    contraction.CHAIN,
    stopping.CHAIN,
    policy_loss.CHAIN,
    elimination.CHAIN,
    policy_iteration.CHAIN,
    modified_policy_iteration.CHAIN,
    simulation.CHAIN,
    performance_difference.CHAIN,
    finite_horizon.CHAIN,
    certificate_soundness.CHAIN,
    absorption.CHAIN,
)
