"""UCI Adult: does a person of the 1994 census earn more than 50,000 dollars, or another question on them."""

from pathlib import Path

import numpy as np

from leakjax import _validate
from leakjax.data import files
from leakjax.data.labels import classes_of
from leakjax.data.points import Points, in_order, take
from leakjax.data.registry import registered

_URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult"
TRAIN = files.Original(
    "adult.data",
    f"{_URL}/adult.data",
    3_974_305,
    "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
)
TEST = files.Original(
    "adult.test",
    f"{_URL}/adult.test",
    2_003_153,
    "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
)

# The columns in the order of the files, each with its categories in adult.names; a number has none.
_NAMES = """\
age:
workclass: Private Self-emp-not-inc Self-emp-inc Federal-gov Local-gov State-gov Without-pay Never-worked
fnlwgt:
education: Bachelors Some-college 11th HS-grad Prof-school Assoc-acdm Assoc-voc 9th 7th-8th 12th Masters \
    1st-4th 10th Doctorate 5th-6th Preschool
education-num:
marital-status: Married-civ-spouse Divorced Never-married Separated Widowed Married-spouse-absent \
    Married-AF-spouse
occupation: Tech-support Craft-repair Other-service Sales Exec-managerial Prof-specialty Handlers-cleaners \
    Machine-op-inspct Adm-clerical Farming-fishing Transport-moving Priv-house-serv Protective-serv \
    Armed-Forces
relationship: Wife Own-child Husband Not-in-family Other-relative Unmarried
race: White Asian-Pac-Islander Amer-Indian-Eskimo Other Black
sex: Female Male
capital-gain:
capital-loss:
hours-per-week:
native-country: United-States Cambodia England Puerto-Rico Canada Germany Outlying-US(Guam-USVI-etc) India \
    Japan Greece South China Cuba Iran Honduras Philippines Italy Poland Jamaica Vietnam Mexico Portugal \
    Ireland France Dominican-Republic Laos Ecuador Taiwan Haiti Columbia Hungary Guatemala Nicaragua \
    Scotland Thailand Yugoslavia El-Salvador Trinadad&Tobago Peru Hong Holand-Netherlands
"""
COLUMNS: dict[str, list[str]] = {
    name: categories.split() for name, categories in (line.split(":") for line in _NAMES.splitlines())
}
_NUMBERS = [name for name, categories in COLUMNS.items() if not categories]
_CATEGORIES = {name: categories for name, categories in COLUMNS.items() if categories}
_UNKNOWN = -1
_INCOME = "income"


def raw(data_dir: Path, source_dir: Path | None = None) -> dict[str, np.ndarray]:
    """The columns of the two files as they are, for encodings other than that of `load`.

    Args:
      data_dir: where the set is prepared once and read from later.
      source_dir: a folder that holds `adult.data` and `adult.test`, plain or gzipped; downloaded if None.

    Returns:
      The 14 columns of `COLUMNS` in their order, then `label`, each [48842], the 32,561 rows of adult.data
      first. Numbers, fnlwgt among them, are int32; categories are str, `?` where unknown; the label is
      int32, 1 above 50,000 dollars.
    """
    from leakjax.data import prepared  # imported here: slow, and the embedded sets do without

    def splits() -> dict[str, prepared.Columns]:
        folders = [source_dir] if source_dir else []
        download_dir = data_dir / "downloads" / "adult"
        contents = [files.content(original, folders, download_dir) for original in (TRAIN, TEST)]
        return dict(zip(("train", "test"), map(_parse, contents), strict=True))

    stored = prepared.columns("leakjax_adult", splits, data_dir, version="1.0.0")
    columns = dict(zip(_NUMBERS, stored["numbers"].T, strict=True))
    for (name, categories), codes in zip(_CATEGORIES.items(), stored["categories"].T, strict=True):
        columns[name] = np.array([*categories, "?"])[codes]  # _UNKNOWN, -1, picks the last
    return {name: columns[name] for name in COLUMNS} | {"label": stored["label"]}


@registered("adult")
def load(data_dir: Path, source_dir: Path | None = None, label: str = _INCOME) -> Points:
    """48,842 people as 104 features, the encoding of the paper.

    The five numbers other than fnlwgt, scaled to [0, 1] by their least and greatest value, then an indicator
    for each of the 99 categories; an unknown category sets none. Without fnlwgt, 11,174 rows have a twin.

    Args:
      data_dir: as in `raw`.
      source_dir: as in `raw`.
      label: what is to be predicted: income, or a column of categories, which then is no feature while income is
        one. Who has none is left out, and so are rare classes.

    Returns:
      The points, x float32 [48842, 104] for income, with the groups race, sex and age (in bands of ten years).

    Raises:
      UsageError: `label` is no column of categories.

    Source: Shokri, Strobel, Zick, Privacy Risks of Explaining Machine Learning Models, appendix B.
    """
    _validate.one_of("label", label, [_INCOME, *_CATEGORIES])
    columns = raw(data_dir, source_dir)
    kept = [name for name in _NUMBERS if name != "fnlwgt"]
    numbers = np.stack([columns[name] for name in kept], axis=1).astype(np.float32)
    low, high = numbers.min(axis=0), numbers.max(axis=0)
    categories = {name: listed for name, listed in _CATEGORIES.items() if name != label}
    indicators = [columns[name][:, None] == np.array(listed) for name, listed in categories.items()]
    names = kept + [f"{name}: {category}" for name, listed in categories.items() for category in listed]
    sources = kept + [name for name, listed in categories.items() for _ in listed]
    if label != _INCOME:
        indicators.append(columns["label"][:, None] == 1)
        names.append(f"{_INCOME}: >50K")
        sources.append(_INCOME)
    decade = columns["age"] // 10 * 10
    groups = {
        "race": columns["race"],
        "sex": columns["sex"],
        "age": np.array([f"{start}-{start + 9}" for start in decade]),
    }
    x = np.concatenate([(numbers - low) / (high - low), *indicators], axis=1, dtype=np.float32)

    def points(y: np.ndarray, classes: int, name: str) -> Points:
        return in_order(x, y, classes=classes, name=name, groups=groups, feature_names=names, columns=sources)

    if label == _INCOME:
        return points(columns["label"], 2, "adult")
    labelled = classes_of(label, np.where(columns[label] == "?", "", columns[label]))
    y = np.zeros(len(x), np.int32)
    y[labelled.rows] = labelled.y
    found = take(points(y, len(labelled.names), f"adult(label={label!r})"), labelled.rows)
    return found._replace(notes=tuple(labelled.notes))


def _parse(content: bytes) -> dict[str, np.ndarray]:
    lines = content.decode("ascii").splitlines()
    rows = [line.split(", ") for line in lines if line and not line.startswith("|")]
    fields = dict(zip([*COLUMNS, "label"], zip(*rows, strict=True), strict=True))
    numbers = np.array([fields[name] for name in _NUMBERS], dtype=np.int32)
    codes = []
    for name, categories in _CATEGORIES.items():
        code = {text: position for position, text in enumerate(categories)} | {"?": _UNKNOWN}
        codes.append([code[text] for text in fields[name]])
    return {
        "numbers": numbers.T,
        "categories": np.array(codes, dtype=np.int8).T,
        # In adult.test the labels end in a dot.
        "label": np.array([text.rstrip(".") == ">50K" for text in fields["label"]], dtype=np.int32),
    }
