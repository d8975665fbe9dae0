"""How a test sees that nothing was refused."""


class Reached(Exception):
    """The door was passed."""
