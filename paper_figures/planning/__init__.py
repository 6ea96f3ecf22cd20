"""Figures about planning with a known model."""
