"""Leakage with intervals, and the utility of explanations."""
