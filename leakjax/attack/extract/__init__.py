"""Attacks that copy a model from its answers: each states what it knows, and sees an oracle's answers alone."""
