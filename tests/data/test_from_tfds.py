import io

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

from leakjax.data import load


def prepare(data_dir, features, rows, *, name="mine", file_format="array_record", **info):
    """Prepares a set of `rows`, split -> list of examples, as a user of tensorflow-datasets would."""

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.2.0")
        code_path = None

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features), **info)

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(split) for split in rows}

        def _generate_examples(self, split):
            yield from enumerate(rows[split])

    Builder.name = name
    Builder(data_dir=data_dir, file_format=file_format).download_and_prepare(
        download_dir=data_dir / "downloads"
    )


def png(image):
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "png")
    file.seek(0)
    return file


def image_rows(x):
    return [{"image": png(image), "label": i % 3, "id": f"row {i}"} for i, image in enumerate(x)]


def random_images(count):
    return np.random.default_rng(count).integers(0, 256, (count, 6, 5, 3)).astype(np.uint8)


IMAGES = {
    "image": tfds.features.Image(shape=(None, None, 3)),
    "label": tfds.features.ClassLabel(num_classes=3),
    "id": tfds.features.Text(),
}


def test_images_of_all_splits(tmp_path):
    x = {"test": random_images(4), "train": random_images(5)}
    prepare(
        tmp_path, IMAGES, {split: image_rows(x[split]) for split in x}, supervised_keys=("image", "label")
    )
    points = load("tfds:mine", data_dir=tmp_path)
    assert points.x.shape == (9, 6, 5, 3)
    assert points.x.dtype == np.float32
    for split, part in (("train", slice(0, 5)), ("test", slice(5, 9))):
        # tensorflow-datasets shuffles within a split.
        scaled = x[split].astype(np.float32) / np.float32(255)
        expected = sorted((i % 3, image.tobytes()) for i, image in enumerate(scaled))
        found = zip(points.y[part], points.x[part], strict=True)
        assert sorted((label, image.tobytes()) for label, image in found) == expected
    assert (points.classes, points.name) == (3, "tfds:mine")
    np.testing.assert_array_equal(load("tfds:mine/1.2.0", data_dir=tmp_path).x, points.x)


def test_tables_become_flat_numbers_and_indicators(tmp_path):
    features = {
        "weights": tfds.features.Tensor(shape=(2, 2), dtype=np.float32),
        "old": np.bool_,
        "age": np.int64,
        "colour": tfds.features.ClassLabel(names=["red", "green"]),
        "note": tfds.features.Text(),
        "label": tfds.features.ClassLabel(num_classes=2),
    }
    rows = [
        {
            "weights": [[i, 0], [1, 2]],
            "old": i > 1,
            "age": 10 * i,
            "colour": "green",
            "note": "",
            "label": i % 2,
        }
        for i in range(3)
    ]
    prepare(tmp_path, features, {"train": rows}, disable_shuffling=True)
    points = load("tfds:mine", data_dir=tmp_path)
    # age, colour, old, weights
    expected = [[10 * i, 0, 1, i > 1, i, 0, 1, 2] for i in range(3)]
    np.testing.assert_array_equal(points.x, np.array(expected, np.float32))
    assert points.x.dtype == np.float32
    np.testing.assert_array_equal(points.y, [0, 1, 0])


def test_sets_that_cannot_be_used_say_why(tmp_path, usage_error):
    def message(name):
        return usage_error(load, f"tfds:{name}", data_dir=tmp_path)

    assert f"tfds:absent: nothing prepared in {tmp_path}/absent" in message("absent")

    prepare(tmp_path, {"weight": np.float32}, {"train": [{"weight": 1.0}]}, name="blind")
    assert "tfds:blind: is not a classification set, its feature 'label' is not a class" in message("blind")

    textual = {key: IMAGES[key] for key in ("id", "label")}
    prepare(tmp_path, textual, {"train": [{"id": "a", "label": 0}]}, name="textual")
    assert "tfds:textual: has neither an image nor a numeric feature" in message("textual")

    x = random_images(2)
    prepare(tmp_path, IMAGES, {"train": image_rows([x[0], x[1, :4]])}, name="ragged")
    assert "cannot be stacked into arrays" in message("ragged")

    unlabelled = [row | {"label": -1} for row in image_rows(x)]
    prepare(tmp_path, IMAGES, {"train": unlabelled}, name="unlabelled")
    assert "label -1 of row 0 (2 such)" in message("unlabelled")


def test_another_file_format_is_named(tmp_path, usage_error):
    prepare(tmp_path, IMAGES, {"train": image_rows(random_images(2))})
    info = tmp_path / "mine" / "1.2.0" / "dataset_info.json"
    info.write_text(info.read_text().replace('"array_record"', '"tfrecord"'))
    message = usage_error(load, "tfds:mine", data_dir=tmp_path)
    assert "tfds:mine: " in message
    assert "another format than array_record" in message


def test_the_newest_version_is_read_and_unfinished_ones_are_not(tmp_path):
    prepare(tmp_path, IMAGES, {"train": image_rows(random_images(2))})
    for name in ("1.1.0", "incomplete.ABC_1.10.0"):
        (tmp_path / "mine" / name).mkdir()
        (tmp_path / "mine" / name / "dataset_info.json").write_text("not read")
    assert len(load("tfds:mine", data_dir=tmp_path).x) == 2


def test_several_configurations_must_be_chosen_from(tmp_path, usage_error):
    for config in ("big", "small"):
        prepare(tmp_path / "mine", IMAGES, {"train": image_rows(random_images(2))}, name=config)
    message = usage_error(load, "tfds:mine", data_dir=tmp_path)
    assert "several configurations; choose one of tfds:mine/big, tfds:mine/small" in message
    assert len(load("tfds:mine/small", data_dir=tmp_path).x) == 2


@pytest.mark.parametrize(
    "name",
    [
        "../mine",
        "mine/../../mine",
        "..",
        ".",
        "mine/..",
        "/mine",
        "{outside}",
        "mine//1.2.0",
        "a/b/c/d",
        "a\0",
        "~/a",
    ],
)
def test_a_name_cannot_leave_the_folder(tmp_path, usage_error, name):
    prepare(tmp_path, IMAGES, {"train": image_rows(random_images(2))})
    inside = tmp_path / "inside"
    (inside / "mine").mkdir(parents=True)
    message = usage_error(load, f"tfds:{name.format(outside=tmp_path / 'mine')}", data_dir=inside)
    assert "must be tfds:<name>" in message
