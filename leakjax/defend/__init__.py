"""Defenses: transforms over one attribution array, with their exact sensitivity."""
