"""The page around any content: one style, figures inside, nothing loaded from elsewhere."""

import base64
from importlib import resources
from string import Template

from leakjax.report.figures import DPI
from leakjax.report.tables import escaped


def wrap(title: str, content: str) -> str:
    """A whole page.

    Args:
        title: A text.
        content: HTML, finished.
    """
    return template("shell.html").substitute(title=escaped(title), content=content)


def template(name: str) -> Template:
    """A template of this package."""
    return Template(resources.files(__package__).joinpath(name).read_text("utf-8"))


def figure(png: bytes, description: str) -> str:
    """A figure drawn at DPI with its description below, as HTML."""
    data = base64.b64encode(png).decode()
    width = int.from_bytes(png[16:20]) * 96 // DPI  # in the pixels of a page, from those of the PNG
    return (
        f'<figure><img alt="chart, described below" width="{width}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escaped(description)}</figcaption></figure>\n"
    )
