"""Figures about robust planning as a sequence of ordinary MDPs."""
