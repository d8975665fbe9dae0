"""Explanations by examples and by rules: prototypes and anchors."""
