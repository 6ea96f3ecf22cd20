"""Counts by group and label behind the threshold presets: aggregates, no person's data.

Computed here from the public files by `load_german` and `load_compas`, from whose scores a test
computes them again where the files are at hand.
"""

from typing import Final

GRID: Final = 21
"""The presets' thresholds are ``linspace(0, 1, GRID)``; the tables have one column for each."""

GERMAN: Final = (
    (
        (80, 80, 77, 74, 70, 63, 61, 54, 46, 41, 39, 36, 28, 26, 22, 14, 7, 5, 5, 3, 0),
        (
            *(110, 110, 110, 110, 110, 106, 102, 94, 92, 85, 85),
            *(82, 78, 72, 66, 57, 51, 39, 25, 9, 0),
        ),
    ),
    (
        (
            *(220, 218, 211, 205, 194, 185, 176, 161, 146, 132, 118),
            *(103, 91, 82, 70, 62, 47, 32, 17, 9, 0),
        ),
        (
            *(590, 590, 588, 582, 581, 578, 567, 559, 548, 536, 519),
            *(500, 479, 463, 439, 410, 364, 303, 243, 141, 0),
        ),
    ),
)
"""Rows with a score of at least each threshold: [age <= 25, older][bad credit, good credit]."""

COMPAS: Final = (
    (
        (
            *(1661, 1618, 1554, 1484, 1410, 1325, 1208, 1095, 939, 763, 535),
            *(361, 232, 137, 93, 51, 26, 8, 2, 0, 0),
        ),
        (
            *(1514, 1510, 1497, 1480, 1457, 1437, 1408, 1364, 1301, 1218, 1040),
            *(838, 607, 432, 278, 167, 82, 24, 6, 0, 0),
        ),
    ),
    (
        (
            *(822, 814, 806, 795, 780, 762, 723, 685, 637, 575, 483),
            *(398, 290, 212, 148, 93, 53, 24, 4, 0, 0),
        ),
        (
            *(1281, 1280, 1279, 1273, 1267, 1258, 1246, 1235, 1207, 1155, 1070),
            *(943, 801, 652, 515, 390, 241, 108, 25, 0, 0),
        ),
    ),
)
"""The same for [African-American, Caucasian][recidivism within two years, none]."""

COMPAS_DECILE: Final = (
    (
        (85, 105, 125, 158, 158, 187, 209, 215, 229, 190),
        (280, 241, 173, 179, 165, 131, 134, 86, 88, 37),
    ),
    (
        (128, 100, 82, 98, 91, 93, 68, 72, 55, 35),
        (477, 221, 156, 145, 109, 67, 45, 24, 22, 15),
    ),
)
"""Rows with each decile 1 to 10 of the published risk score, groups and labels as in `COMPAS`."""
