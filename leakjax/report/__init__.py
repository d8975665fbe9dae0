"""report.json, figures, one self-contained HTML page."""
