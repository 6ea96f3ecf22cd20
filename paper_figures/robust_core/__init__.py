"""Figures about robust planning with a known nominal model."""
