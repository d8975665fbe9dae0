"""Binaries: one question each.

In a clone they are `python -m experiments.audit`; where leakjax is installed from a wheel,
`python -m leakjax.experiments.audit`.
"""
