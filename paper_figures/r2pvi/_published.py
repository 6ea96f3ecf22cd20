"""Points of the published figures, read off their vector drawings to about 0.002.

C. Tang, Z. Liu, P. Xu, "Robust Offline Reinforcement Learning with Linearly Structured f-Divergence
Regularization", arXiv 2411.18612, figures 1 and 2.
"""

import numpy as np

SHIFT = np.linspace(0.0, 1.0, 11)
"""Perturbation q of the target environment, figure 1(a)."""

FIG_1A = {
    "PEVI": (1.545, 1.473, 1.391, 1.301, 1.228, 1.162, 1.089, 0.997, 0.912, 0.827, 0.747),
    "TV": (1.390, 1.345, 1.309, 1.282, 1.246, 1.207, 1.166, 1.125, 1.078, 1.045, 1.004),
    "KL": (1.397, 1.355, 1.315, 1.274, 1.227, 1.188, 1.154, 1.115, 1.071, 1.037, 1.000),
    "chi2": (1.350, 1.329, 1.308, 1.291, 1.265, 1.238, 1.199, 1.168, 1.134, 1.109, 1.084),
}
"""Average reward against `SHIFT`, 0.2 from the middle action."""

FIG_1B_WEIGHTS = (0.1, 0.2, 0.3, 0.6)
FIG_1B = {0.0: (1.574, 1.607, 1.659, 1.722), 1.0: (1.096, 0.993, 0.874, 0.698)}
"""Average reward of R2PVI-TV at q = 0 and q = 1 against the weight."""

FIG_1C_LEVELS = np.linspace(0.0, 1.0, 10)
FIG_1C = {
    "DRPVI": (0.769, 0.786, 0.800, 0.830, 0.865, 0.913, 0.961, 1.011, 1.022, 1.029),
    "R2PVI-TV": (1.066, 1.018, 0.950, 0.877, 0.800, 0.778, 0.766, 0.760, 0.760, 0.760),
}
"""Average reward at q = 1 against the radius or the weight."""

FIG_1D_UP = (0.2, 0.4, 0.6, 0.8, 1.0)
FIG_1D = {
    "PEVI": ((6.279, 5.020, 2.199, 0.295, 0.0),),
    "R2PVI-TV": (
        (3.798, 3.304, 2.121, 0.870, 0.0),
        (4.769, 4.319, 2.211, 0.572, 0.0),
        (1.407, 1.318, 1.140, 0.877, 0.553),
    ),
    "DRPVI": (
        (3.852, 3.278, 2.105, 0.841, 0.0),
        (4.960, 4.328, 2.164, 0.397, 0.0),
        (1.493, 1.419, 1.203, 0.883, 0.553),
    ),
}
"""Average payoff of the put against the probability of an upward move."""

FIG_1D_LEVELS = {"R2PVI-TV": (3.0, 5.0, 1.0), "DRPVI": (0.1, 0.025, 0.2)}
"""Weights and radii that match the curves; the publication does not name them."""

FIG_2_EPISODES = (1000, 5000, 10000)
FIG_2_BY_EPISODES = {
    "PEVI": (0.80, 4.07, 8.15),
    "R2PVI-TV": (1.08, 5.05, 8.99),
    "R2PVI-KL": (1.04, 5.02, 9.03),
    "DRPVI": (1.70, 6.77, 13.40),
    "DRVI-L": (1.64, 7.01, 15.04),
}
"""Seconds on the authors' machine with 30 features."""

FIG_2_FEATURES = (30, 60, 120)
FIG_2_BY_FEATURES = {
    "PEVI": (0.80, 1.84, 5.56),
    "R2PVI-TV": (1.08, 1.95, 4.97),
    "R2PVI-KL": (1.04, 1.79, 6.31),
    "DRPVI": (1.70, 3.49, 16.66),
    "DRVI-L": (1.64, 4.12, 16.19),
}
"""Seconds on the authors' machine with 1000 episodes."""
