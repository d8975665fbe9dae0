import os

import jax
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.models import mlp
from leakjax.shadow import TrainConfig, train_ensemble
from leakjax.shadow.checkpoint import abstract_ensemble, exists, load, save

MODEL = mlp(3, widths=(4,))
X = np.random.default_rng(0).normal(size=(12, 2, 3)).astype(np.float32)
MEMBERSHIP = np.random.default_rng(1).random((3, 12)) < 0.5
FINGERPRINT = {"seed": 1, "widths": (4,)}
LIKE = abstract_ensemble(MODEL, X, models=3, epochs=2)


@pytest.fixture(scope="module")
def ensemble():
    y = np.arange(12, dtype=np.int32) % 3
    config = TrainConfig(epochs=2, batch_size=4)
    return train_ensemble(
        MODEL, X, y, config, key=jax.random.key(0), membership=MEMBERSHIP, ids=np.array([5, 1, 9])
    )


@pytest.fixture
def saved(tmp_path, ensemble):
    path = tmp_path / "checkpoints" / "shadows"
    save(path, ensemble, FINGERPRINT)
    return path


def assert_same_bits(got, want):
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(jax.device_get(want)), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes()


def test_what_is_loaded_is_what_was_saved(saved, ensemble):
    assert exists(saved)
    assert_same_bits(load(saved, LIKE, FINGERPRINT), ensemble)


def test_figures_that_are_not_finite_survive(tmp_path, ensemble):
    loss = ensemble.history.loss.copy()
    loss[1] = np.nan, -np.inf
    broken = ensemble._replace(history=ensemble.history._replace(loss=loss))
    save(tmp_path / "a", broken, {})
    assert_same_bits(load(tmp_path / "a", LIKE, {}), broken)


def test_saving_again_replaces(saved, ensemble):
    other = ensemble._replace(ids=np.array([7, 8, 9], np.int32))
    save(saved, other, FINGERPRINT)
    assert_same_bits(load(saved, LIKE, FINGERPRINT), other)
    assert [entry.name for entry in saved.parent.iterdir()] == ["shadows"]


def test_a_flipped_byte_is_never_loaded(saved):
    for file in (saved / "arrays").rglob("*"):
        if file.is_file():
            content = bytearray(file.read_bytes())
            for position in (0, len(content) // 2, len(content) - 1):
                content[position] ^= 1
                file.write_bytes(content)
                with pytest.raises(UsageError, match=rf"arrays/.*{file.name}: damaged"):
                    load(saved, LIKE, FINGERPRINT)
                content[position] ^= 1
                file.write_bytes(content)
    load(saved, LIKE, FINGERPRINT)


@pytest.mark.parametrize("harm", ["missing", "added", "manifest"])
def test_other_damage_names_the_file(saved, harm):
    file = saved / "arrays" / "_METADATA"
    if harm == "missing":
        file.unlink()
    elif harm == "added":
        file = file.with_name("stranger")
        file.touch()
    else:
        file = saved / "manifest.json"
        file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(UsageError, match=rf"{file.name}: damaged"):
        load(saved, LIKE, FINGERPRINT)


@pytest.mark.parametrize("when", ["arrays", "rename"])
def test_a_run_killed_halfway_leaves_no_checkpoint(tmp_path, ensemble, monkeypatch, when):
    path = tmp_path / "shadows"

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if when == "arrays":
            patch.setattr("leakjax.shadow.checkpoint.json.dumps", killed)
        else:
            patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            save(path, ensemble, FINGERPRINT)
    assert any(tmp_path.iterdir())  # something was written
    assert not exists(path)
    with pytest.raises(UsageError, match="no finished checkpoint"):
        load(path, LIKE, FINGERPRINT)
    save(path, ensemble, FINGERPRINT)
    assert_same_bits(load(path, LIKE, FINGERPRINT), ensemble)
    assert [entry.name for entry in tmp_path.iterdir()] == ["shadows"]


def test_another_configuration_is_named(saved):
    with pytest.raises(UsageError, match="seed=1, not 2"):
        load(saved, LIKE, FINGERPRINT | {"seed": 2})
    with pytest.raises(UsageError, match="epochs=None, not 3"):
        load(saved, LIKE, FINGERPRINT | {"epochs": 3})
