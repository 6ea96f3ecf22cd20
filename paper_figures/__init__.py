"""Figures, one folder a paper and one file a figure."""
