"""Membership inference on predictions, on explanations, and on both."""
