"""Sections of other studies on the page of an audit: which function writes the one of each kind of document."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from markupsafe import Markup

from leakjax._validate import UsageError, fail
from leakjax._workdir import reading
from leakjax.evaluate.document import from_json
from leakjax.inversion.document import InversionReport
from leakjax.monitoring.document import MonitorReport
from leakjax.records.document import RecordsReport
from leakjax.report.inversion.section import section as of_inversion
from leakjax.report.monitoring.section import section as of_monitoring
from leakjax.report.records.section import section as of_records

# A document, and its figures as PNGs by name -> HTML that begins with a heading of level 2.
Section = Callable[[Any, Mapping[str, bytes]], Markup]

# A study with a page of its own has one line here: the type of its report.json, and who writes its section.
SECTIONS: Mapping[type, Section] = MappingProxyType(
    {
        RecordsReport: partial(of_records, level=2),
        InversionReport: partial(of_inversion, level=2),
        MonitorReport: partial(of_monitoring, level=2),
    }
)


def of_workdirs(workdirs: Sequence[str | os.PathLike[str]]) -> list[Markup]:
    """The sections of finished runs of other studies, in the order given.

    Args:
      workdirs: each holds a report.json of one of the kinds of `SECTIONS`, and its figures/*.png.

    Raises:
      UsageError: one holds no report.json, a damaged one, or one of another kind.
    """
    return [of_workdir(Path(workdir).expanduser()) for workdir in workdirs]


def of_workdir(workdir: Path, argument: str = "with") -> Markup:
    """The section of one finished run; `argument` names it in errors, which are as of `of_workdirs`."""
    known = {_name(document.SCHEMA): document for document in SECTIONS}  # type: ignore[attr-defined]
    try:
        values = reading.json_of(workdir / "report.json")
    except OSError as error:
        raise fail(argument, str(workdir), f"holds no report.json ({error.strerror})") from None
    except ValueError:
        raise fail(argument, str(workdir), "its report.json is damaged") from None
    schema = values.get("schema") if isinstance(values, dict) else None
    document = known.get(_name(str(schema)))
    if document is None:
        rule = f"its report.json is of kind {schema!r}, which is none of {', '.join(known)}"
        raise fail(argument, str(workdir), rule)
    try:
        report: Any = from_json(document, values)
    except UsageError as error:
        raise fail(argument, str(workdir), str(error)) from None
    images = {
        path.stem: reading.content(path) for path in (workdir / "figures").glob("*.png") if path.is_file()
    }
    return SECTIONS[document](report, images)


def _name(schema: str) -> str:
    """The name of a kind of document without its version: "leakjax.records" of "leakjax.records/3"."""
    return schema.partition("/")[0]
