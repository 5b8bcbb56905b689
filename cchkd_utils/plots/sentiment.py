"""Figures of notebook 03."""
