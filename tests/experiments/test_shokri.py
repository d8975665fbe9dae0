"""The binaries of Shokri et al.'s experiments: what their flags become, and what they refuse."""

import dataclasses

import pytest

from experiments import dimensions, overfitting, theorem
from leakjax._validate import UsageError

DIMENSIONS = {
    "features": ["2", "10"],
    "classes": ["2"],
    "sizes": ["base"],
    "points": 200,
    "models": 2,
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 0.01,
    "decay": 1e-7,
    "sampled": True,
    "sampled_points": 100,
    "sampled_features": 5,
    "sampled_models": 8,
    "sampled_audited": 50,
    "sigmas": ["0.5"],
    "samples": ["1"],
    "seed": 0,
}
OVERFITTING = {
    "datasets": "digits,synthetic(points=300, features=5)",
    "model": None,
    "points": 300,
    "models": 8,
    "targets": 2,
    "audited": None,
    "gaps": ["0.05", "0.1"],
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "learns": ["known_half"],
    "attack_epochs": 2,
    "others": "lrp,smoothgrad(output='probability', samples=5)",
    "seed": 0,
}
THEOREM = {
    "families": 3,
    "records": 4,
    "tangents": ["3"],
    "theorem_records": 6,
    "theorem_features": 3,
    "seed": 0,
}


def test_flags_become_a_config_under_their_own_names():
    config = dimensions.read_config(DIMENSIONS)
    assert config.features == (2, 10)
    assert config.settings.training.decay == 1e-7
    assert set(config.as_json()) == set(DIMENSIONS)
    found = overfitting.read_config(OVERFITTING)
    assert found.datasets == ("digits", "synthetic(points=300, features=5)")
    assert found.settings.others == ("lrp", "smoothgrad(output='probability', samples=5)")
    assert [world.model for world in found.worlds] == ["purchase", "purchase"]
    assert found.worlds[0].training.stop_at_gap == (0.05, 0.1)
    assert set(found.as_json()) == set(OVERFITTING)
    assert dataclasses.asdict(theorem.read_settings(THEOREM)) == {**THEOREM, "tangents": (3,)}


def test_the_papers_network_is_taken_for_its_data_set():
    given = {**OVERFITTING, "datasets": "attributes100,claims9,adult,fashion_mnist"}
    networks = [world.model for world in overfitting.read_config(given).worlds]
    assert networks == ["purchase", "hospital", "adult", "cifar_tanh"]
    given = {**given, "model": "mlp(widths=(8,))"}
    assert {world.model for world in overfitting.read_config(given).worlds} == {"mlp(widths=(8,))"}


@pytest.mark.parametrize(
    ("read", "flags", "wrong"),
    [
        (dimensions.read_config, DIMENSIONS, {"features": ["0"]}),
        (dimensions.read_config, DIMENSIONS, {"features": ["two"]}),
        (dimensions.read_config, DIMENSIONS, {"classes": ["1"]}),
        (dimensions.read_config, DIMENSIONS, {"sizes": ["huge"]}),
        (dimensions.read_config, DIMENSIONS, {"sampled_models": 7}),
        (dimensions.read_config, DIMENSIONS, {"models": 1}),
        (dimensions.read_config, DIMENSIONS, {"epochs": 0}),
        (dimensions.read_config, DIMENSIONS, {"decay": -1.0}),
        (overfitting.read_config, OVERFITTING, {"targets": 8}),
        (overfitting.read_config, OVERFITTING, {"models": 7}),
        (overfitting.read_config, OVERFITTING, {"gaps": []}),
        (overfitting.read_config, OVERFITTING, {"learns": ["hearsay"]}),
        (overfitting.read_config, OVERFITTING, {"datasets": "digits,digits"}),
        (overfitting.read_config, OVERFITTING, {"model": "no_such_network"}),
        (theorem.read_settings, THEOREM, {"theorem_features": 7}),
        (theorem.read_settings, THEOREM, {"tangents": ["0"]}),
        (theorem.read_settings, THEOREM, {"seed": -1}),
    ],
)
def test_what_is_not_allowed_is_named(read, flags, wrong):
    (name,) = wrong
    with pytest.raises(UsageError, match=name):
        read({**flags, **wrong})


def test_gaps_that_fall_are_refused_before_anything_is_trained():
    with pytest.raises(UsageError, match="stop_at_gap"):
        _ = overfitting.read_config({**OVERFITTING, "gaps": ["0.2", "0.1"]}).worlds
