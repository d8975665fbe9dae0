"""Explainers: pure functions of one example, one file a family."""
