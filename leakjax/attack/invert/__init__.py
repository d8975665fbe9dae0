"""Attacks that lead back from answers to inputs: each states what it knows, and sees an oracle's answers alone."""
