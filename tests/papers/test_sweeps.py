"""A sweep varies one thing: whatever differs between two of its settings is what it is named after."""

import dataclasses
import itertools

import pytest

from leakjax import models
from leakjax.auditing.explainers import parse
from leakjax.defend.registry import parse as defense_of
from leakjax.papers.root_cause.sweeps import World, sweeps
from leakjax.shadow import TrainConfig

BASE = World("digits", "mlp", TrainConfig(epochs=40))
SHAPE = (8, 8, 1)
VARIED = {
    "sparsity": {"defense"},
    "sensitivity": {"explainer"},
    "samples": {"explainer"},
    "steps": {"explainer"},
    "baseline": {"explainer"},
    "output": {"explainer"},
    "method": {"explainer"},
    "explained class": {"explained_class"},
    "overfitting": {"epochs"},
    "width": {"model"},
    "activation": {"model"},
    "privacy": {"noise_multiplier"},
    "classes": {"dataset"},
    "features": {"dataset"},
}


def flat(case):
    own = case._asdict()
    world = dataclasses.asdict(own.pop("world"))
    return {**own, **world.pop("training"), **world}


@pytest.mark.parametrize("quick", [True, False])
def test_one_thing_is_varied_in_each_sweep(quick):
    cases = sweeps(BASE, SHAPE, points=500, quick=quick)
    assert {case.sweep for case in cases} == set(VARIED)
    for name, allowed in VARIED.items():
        own = sorted((case for case in cases if case.sweep == name), key=lambda case: case.place)
        assert [case.place for case in own] == list(range(len(own)))
        assert len({case.setting for case in own}) == len(own) >= 2
        first = flat(own[0])
        for case in own[1:]:
            differs = {field for field, value in flat(case).items() if value != first[field]}
            assert differs == {"setting", "place", *allowed}


def test_every_setting_can_be_made():
    for case in sweeps(BASE, SHAPE, points=500, quick=False):
        parse(case.explainer)
        defense_of(case.defense)
        models.make(case.world.model, 10)


def test_settings_of_one_world_stand_together():
    worlds = [case.world for case in sweeps(BASE, SHAPE, points=500, quick=True)]
    changes = sum(one != other for one, other in itertools.pairwise(worlds))
    assert changes == len(set(worlds)) - 1


def test_the_sparsest_setting_keeps_at_least_one_value():
    kept = [case.defense for case in sweeps(BASE, (5,), points=500, quick=False) if case.sweep == "sparsity"]
    assert kept[-1] == "keep_top_k(1)"
