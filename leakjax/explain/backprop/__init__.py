"""Gradient and propagation methods: one file a family."""
