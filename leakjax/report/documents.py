"""The documents that studies write: their published JSON Schemas, and what each field means.

    python -m leakjax.report.documents

writes the schemas anew, after a change of the types, and prints the tables of fields in Markdown.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from leakjax.evaluate.document import Report, field_table, schema_text
from leakjax.hardening.document import HardeningReport, ServingReport
from leakjax.inversion.document import InversionReport
from leakjax.monitoring.document import MonitorReport
from leakjax.papers.dimensions.document import Dimensions
from leakjax.papers.hardened.document import HardeningProfile
from leakjax.papers.leakage.document import LeakageProfile
from leakjax.papers.overfitting.document import Overfitting
from leakjax.papers.root_cause.document import RootCause
from leakjax.papers.theorem.document import Theorem
from leakjax.records.document import RecordsReport


def published() -> Mapping[type, Path]:
    """Where the JSON Schema of each document lies."""
    places = {
        Report: ("leakjax.evaluate", "report.schema.json"),
        RecordsReport: ("leakjax.records", "records.schema.json"),
        HardeningReport: ("leakjax.hardening", "hardening.schema.json"),
        ServingReport: ("leakjax.hardening", "serving.schema.json"),
        InversionReport: ("leakjax.inversion", "inversion.schema.json"),
        MonitorReport: ("leakjax.monitoring", "monitor.schema.json"),
        LeakageProfile: ("leakjax.papers", "leakage_profile.schema.json"),
        HardeningProfile: ("leakjax.papers", "hardening_profile.schema.json"),
        RootCause: ("leakjax.papers", "root_cause.schema.json"),
        Dimensions: ("leakjax.papers", "dimensions.schema.json"),
        Overfitting: ("leakjax.papers", "overfitting.schema.json"),
        Theorem: ("leakjax.papers", "theorem.schema.json"),
    }
    return {cls: Path(str(resources.files(package) / name)) for cls, (package, name) in places.items()}


if __name__ == "__main__":
    for document, path in published().items():
        path.write_text(schema_text(document))
        print(f"## {document.SCHEMA}\n\n{field_table(document)}")  # type: ignore[attr-defined]
