import dataclasses
import json

import jax
import numpy as np
import pytest

from leakjax import shadow
from leakjax._validate import UsageError
from leakjax.shadow.together import Training
from tests.shadow.small import CONFIG, KEY, MODEL, POINTS, X, Y, assert_same_bits, members, train


class Killed(BaseException):
    """As a signal would end it: nothing catches it."""


def killed_at(block, epoch):
    def on_epoch(now):
        if (now.block, now.epoch) == (block, epoch):
            raise Killed

    return on_epoch


@pytest.fixture(scope="module")
def whole():
    ids = np.arange(7, dtype=np.int32)
    return shadow.train_ensemble(MODEL, X, Y, CONFIG, key=KEY, membership=members(ids), ids=ids)


@pytest.mark.parametrize("block", [None, 1, 2, 3, 7, 100])
def test_blocks_of_any_size_hold_the_same_models_to_the_bit(tmp_path, whole, block):
    contents = train(tmp_path, range(7), block=block)
    np.testing.assert_array_equal(contents.ids, range(7))
    assert_same_bits(shadow.load(tmp_path), whole)


def test_some_models_are_read_without_the_others(tmp_path, whole):
    train(tmp_path, range(7), block=3)
    for path in (tmp_path / "blocks").glob("models-000003*"):
        (path / "manifest.json").rename(path / "aside")
    picked = np.array([6, 1])
    with pytest.raises(UsageError, match=r"manifest.json: damaged or missing"):
        shadow.load(tmp_path, picked)
    for path in (tmp_path / "blocks").glob("models-000003*"):
        (path / "aside").rename(path / "manifest.json")
        for file in (path / "arrays").rglob("*"):
            if file.is_file():
                file.unlink()
    assert_same_bits(shadow.load(tmp_path, picked), jax.tree.map(lambda leaf: leaf[picked], whole))
    assert_same_bits(shadow.load(tmp_path, 2), jax.tree.map(lambda leaf: leaf[:2], whole))
    with pytest.raises(UsageError, match="damaged"):
        shadow.load(tmp_path, [4])


def test_more_models_are_added_later(tmp_path, whole):
    seen = []
    train(tmp_path, range(3), block=2)
    contents = train(tmp_path, range(7), block=4, on_epoch=lambda now: seen.extend(now.ids))
    assert set(seen) == {3, 4, 5, 6}
    np.testing.assert_array_equal(contents.ids, range(7))
    assert_same_bits(shadow.load(tmp_path), whole)


@pytest.mark.parametrize("moment", [(0, 0), (0, 2), (1, 1), (2, 2)])
def test_a_killed_run_goes_on_with_the_last_epoch(tmp_path, whole, moment):
    with pytest.raises(Killed):
        train(tmp_path, range(7), block=3, save_every=0, on_epoch=killed_at(*moment))
    seen = []
    # Another block size, as when less memory is free: what was begun is finished first.
    train(
        tmp_path,
        range(7),
        block=2,
        save_every=0,
        on_epoch=lambda now: seen.append((tuple(now.ids), now.epoch)),
    )
    done = [tuple(ids) for ids in ((0, 1, 2), (3, 4, 5))][: moment[0]]
    assert not any(ids in done for ids, _ in seen)
    # The epoch at whose end it was killed was not written yet; those before it were.
    assert seen[0][1] == moment[1]
    assert_same_bits(shadow.load(tmp_path), whole)
    assert not list((tmp_path / "begun").iterdir())


def test_what_goes_on_runs_in_the_program_compiled_before(caplog):
    """Compiled once more, from other shardings, a program need not say the same to the bit."""
    ids = np.arange(7, dtype=np.int32)
    recipe = dataclasses.replace(CONFIG, batch_size=9)  # no other test's: nothing is compiled yet

    def begun():
        training = Training(MODEL, X, Y, recipe, key=KEY, membership=members(ids), ids=ids)
        training.advance()
        return training

    whole, again = begun(), begun()
    again.advance()
    with jax.log_compiles():
        again.restore(whole.fetch())
        again.advance()
        assert not [each for each in caplog.messages if each.startswith("Compiling")]
        jax.jit(lambda x: x * 3)(1.0)  # it would have been seen
        assert [each for each in caplog.messages if each.startswith("Compiling")]
    again.advance()
    whole.advance()
    whole.advance()
    assert_same_bits(again.result(), whole.result())


def test_another_recipe_is_refused_by_name(tmp_path):
    train(tmp_path, range(2))
    with pytest.raises(UsageError, match=r"learning_rate=0.5: .* holds models with learning_rate=0.003"):
        train(tmp_path, range(4), config=shadow.TrainConfig(epochs=3, batch_size=8, learning_rate=0.5))
    with pytest.raises(UsageError, match="features"):
        train(tmp_path, range(4), x=X + 1)
    with pytest.raises(UsageError, match="labels"):
        train(tmp_path, range(4), y=(Y + 1) % 3)
    with pytest.raises(UsageError, match="key"):
        train(tmp_path, range(4), key=jax.random.key(8))
    with pytest.raises(UsageError, match="network"):
        train(tmp_path, range(4), model=shadow_model_with_more_units())
    with pytest.raises(UsageError, match="trained on other points"):
        train(tmp_path, range(4), members=lambda ids: np.ones((len(ids), POINTS), bool))


def shadow_model_with_more_units():
    from leakjax.models import mlp

    return mlp(3, widths=(7,))


def test_a_diverged_model_is_stored_counted_and_the_same_alone(tmp_path):
    x = X.copy()
    x[0] = np.inf  # whoever is trained on it diverges
    bad = np.flatnonzero(np.asarray(members(np.arange(6)))[:, 0])
    assert 0 < len(bad) < 6
    said = []
    contents = train(tmp_path / "all", range(6), x=x, say=said.append)
    np.testing.assert_array_equal(contents.diverged, bad)
    assert "diverged: models " + ", ".join(map(str, bad)) in said[0]
    ensemble = shadow.load(tmp_path / "all")
    kept, excluded = shadow.exclude_diverged(ensemble)
    np.testing.assert_array_equal(excluded, bad)
    assert len(kept.ids) == 6 - len(bad)
    train(tmp_path / "alone", bad[:1], x=x)
    alone = jax.tree.map(lambda leaf: leaf[bad[:1]], ensemble)
    assert_same_bits(shadow.load(tmp_path / "alone"), alone)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ids": [1, 1]}, "ids: must differ"),
        ({"block": 0}, "block=0: must be at least 1"),
        ({"block": 10**12}, r"block=1000000000000: takes about .* GiB, of .* free; \d+ models fit"),
        ({"share": shadow.Share(0, 2)}, "block=None: must be given"),
        ({"damaged": "ignore"}, "damaged='ignore'"),
    ],
)
def test_bad_arguments_are_named(tmp_path, options, said):
    with pytest.raises(UsageError, match=said):
        train(tmp_path, **({"ids": range(2)} | options))
    assert not list(tmp_path.iterdir())


def test_what_was_not_trained_cannot_be_loaded(tmp_path):
    with pytest.raises(UsageError, match="no ensemble was trained here"):
        shadow.load(tmp_path)
    train(tmp_path, range(2))
    with pytest.raises(UsageError, match=r"models=\[5\]: .* holds no such ids"):
        shadow.load(tmp_path, [0, 5])
    with pytest.raises(UsageError, match="holds 2 models"):
        shadow.load(tmp_path, 3)
    with pytest.raises(UsageError, match=r"gap=0.1: .* holds models at the gaps \[\]"):
        shadow.load(tmp_path, gap=0.1)


def test_shares_of_two_processes_are_the_whole(tmp_path, whole):
    seen = []
    first = train(
        tmp_path, range(7), block=2, share=shadow.Share(1, 2), on_epoch=lambda now: seen.extend(now.ids)
    )
    assert set(seen) == {2, 3, 6} == set(first.ids.tolist())  # what the other has to do waits for it
    train(tmp_path, range(7), block=2, share=shadow.Share(0, 2))
    assert_same_bits(shadow.load(tmp_path), whole)


def test_a_second_run_is_refused_unless_it_is_another_share(tmp_path):
    refused = []

    def second(now):
        if (now.block, now.epoch) == (0, 0):
            for share in (shadow.Share(0, 2), shadow.Share(0, 1)):
                with pytest.raises(UsageError, match=r"workdir=.* is in use by process"):
                    train(tmp_path, range(4), block=2, share=share)
                refused.append(share)
            train(tmp_path, range(4), block=2, share=shadow.Share(1, 2))

    train(tmp_path, range(4), block=2, share=shadow.Share(0, 2), on_epoch=second)
    assert len(refused) == 2
    np.testing.assert_array_equal(shadow.contents(tmp_path).ids, range(4))


def test_more_models_than_run_together_are_the_same_to_the_bit(tmp_path):
    ids = np.arange(37, dtype=np.int32)  # in groups of 16 on two devices
    whole = shadow.train_ensemble(MODEL, X, Y, CONFIG, key=KEY, membership=members(ids), ids=ids)
    train(tmp_path, ids, block=10)
    assert_same_bits(shadow.load(tmp_path), whole)


def test_what_another_host_held_is_taken_over_only_if_told(tmp_path):
    fields = {"host": "far", "machine": "another", "pid": 1, "since": "2026-11-25 03:00:00", "token": "t"}
    claim = json.dumps(fields | {"run": "r", "processes": 1})
    (tmp_path / ".claim.0").write_text(claim)
    with pytest.raises(UsageError, match=r"is claimed by process 1 on far, .* --take_over"):
        train(tmp_path, range(2))
    train(tmp_path, range(2), take_over=True)
    np.testing.assert_array_equal(shadow.contents(tmp_path).ids, range(2))


def test_a_run_that_was_taken_over_writes_no_more(tmp_path):
    def another(now):
        (tmp_path / ".claim.0").write_text("{}")

    with pytest.raises(UsageError, match="was taken over"):
        train(tmp_path, range(2), on_epoch=another)
    assert len(shadow.contents(tmp_path).ids) == 0
