"""The page of a study: what it found in a sentence, then figures and tables with the text that belongs to each."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from leakjax.report import shell
from leakjax.report.tables import Table


class Part(NamedTuple):
    """One part of a page.

    Attributes:
      heading: above it; "" for none.
      sentences: paragraphs before what is shown.
      figure: the name of an image; "" for none.
      caption: what stands below the image.
      table: below that.
    """

    heading: str
    sentences: Sequence[str] = ()
    figure: str = ""
    caption: str = ""
    table: Table | None = None


def section(
    title: str, lead: str, parts: Sequence[Part], images: Mapping[str, bytes], *, level: int = 1
) -> Markup:
    """A study as an HTML fragment.

    Args:
      title: of the section.
      lead: what was found, in one or two sentences.
      parts: in order.
      images: PNGs by name.
      level: of its heading; those inside are one below.
    """
    shown = [
        {
            "heading": part.heading,
            "sentences": part.sentences,
            "picture": shell.picture(images, part.figure, part.caption),
            "table": part.table,
        }
        for part in parts
    ]
    return shell.render("papers.html", level=level, title=title, lead=lead, parts=shown)


def page(title: str, lead: str, parts: Sequence[Part], images: Mapping[str, bytes]) -> str:
    """The section on a page of its own; arguments as of `section`."""
    return shell.wrap(f"leakjax: {title}", section(title, lead, parts, images))
