"""Calls of the audit that go as far as its first measurement."""

import jax
import pytest

import leakjax
from tests.auditing.door.reached import Reached
from tests.auditing.world import logits_fn


@pytest.fixture
def enter(ensemble, points, monkeypatch):
    """Calls the audit with what a test gives otherwise, as far as its first measurement."""

    def stop(*args, **options):
        raise Reached

    monkeypatch.setattr("leakjax.auditing.run.measure", stop)

    def enter(logits_fn=logits_fn, ensemble=ensemble, points=points, **options):
        leakjax.audit(logits_fn, ensemble, points, **{"key": jax.random.key(0), **options})

    return enter
