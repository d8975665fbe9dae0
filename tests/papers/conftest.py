"""The models and points of the audit's small world serve here too."""

from tests.auditing.conftest import cheap_compilation, cheaply, ensemble, points

__all__ = ["cheap_compilation", "cheaply", "ensemble", "points"]
