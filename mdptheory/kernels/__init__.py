"""Compiled loops: arrays in, arrays out; no validation, no models, no random numbers."""
