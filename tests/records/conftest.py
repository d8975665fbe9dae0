"""The task, service and key of the influence tests serve here too."""

from tests.influence.conftest import key, service

__all__ = ["key", "service"]
