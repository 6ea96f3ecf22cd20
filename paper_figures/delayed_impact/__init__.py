"""Delayed impact: what a decision about loans does to the scores of groups later."""
