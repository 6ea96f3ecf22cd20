"""OFS: fair thresholds in a closed loop, against learners that ignore or price the constraints."""
