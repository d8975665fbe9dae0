"""Fashion-MNIST: 70,000 grey pictures of ten kinds of clothes."""

from pathlib import Path

import numpy as np

from leakjax.data import files
from leakjax.data.points import Points, in_order
from leakjax.data.registry import registered

# Where Debian's package dataset-fashion-mnist installs the original files.
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
# The repository of its makers; their other address has no https.
_URL = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
# Split -> images and labels.
FILES = {
    "train": (
        files.Original(
            "train-images-idx3-ubyte",
            f"{_URL}/train-images-idx3-ubyte.gz",
            47_040_016,
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        files.Original(
            "train-labels-idx1-ubyte",
            f"{_URL}/train-labels-idx1-ubyte.gz",
            60_008,
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
    ),
    "test": (
        files.Original(
            "t10k-images-idx3-ubyte",
            f"{_URL}/t10k-images-idx3-ubyte.gz",
            7_840_016,
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        files.Original(
            "t10k-labels-idx1-ubyte",
            f"{_URL}/t10k-labels-idx1-ubyte.gz",
            10_008,
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
}


@registered("fashion_mnist")
def load(data_dir: Path, source_dir: Path | None = None) -> Points:
    """The 60,000 training and the 10,000 test images, in this order.

    Args:
      data_dir: where the set is prepared once and read from later.
      source_dir: a folder that holds the four IDX files, plain or gzipped; else Debian's, else downloaded.

    Returns:
      The points, x uint8 [70000, 28, 28, 1].
    """
    from leakjax.data import prepared  # imported here: slow, and the embedded sets do without

    def splits() -> dict[str, prepared.Columns]:
        folders = [source_dir, DEBIAN] if source_dir else [DEBIAN]
        download_dir = data_dir / "downloads" / "fashion_mnist"
        return {
            split: {
                "image": _idx(files.content(images, folders, download_dir))[..., None],
                "label": _idx(files.content(labels, folders, download_dir)).astype(np.int32),
            }
            for split, (images, labels) in FILES.items()
        }

    columns = prepared.columns("leakjax_fashion_mnist", splits, data_dir, version="1.0.0")
    return in_order(columns["image"], columns["label"], classes=10, name="fashion_mnist")


def _idx(content: bytes) -> np.ndarray:
    # IDX: two zero bytes, the type (8 is uint8), the number of axes, their big-endian lengths, the values.
    shape = np.frombuffer(content, ">u4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)
