"""Binaries: one question each."""
