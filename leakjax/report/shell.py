"""The page around any content: one style, figures inside, nothing loaded from elsewhere."""

import base64
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

from leakjax.report.looks import DPI

# Which paper and which width each look of a figure is for; the first that fits is shown.
_MEDIA = {
    "@narrow_dark": "screen and (max-width: 36rem) and (prefers-color-scheme: dark)",
    "@narrow": "screen and (max-width: 36rem)",
    "@dark": "screen and (prefers-color-scheme: dark)",
}


class Picture(NamedTuple):
    """A PNG inside a page.

    Attributes:
      data: In base64.
      width: In pixels of a page.
      description: What stands below it.
      others: The same in other looks: when each is shown, and its data.
    """

    data: str
    width: int
    description: str
    others: Sequence[tuple[str, str]] = ()


def wrap(title: str, content: Markup) -> str:
    """A whole page.

    Args:
      title: A text.
      content: HTML, finished.
    """
    return str(render("shell.html", title=title, content=content))


def render(template: str, **values: Any) -> Markup:
    """HTML from a template of this package; every value that is not HTML already is escaped."""
    return Markup(_templates().get_template(template).render(values))


def picture(images: Mapping[str, bytes], name: str, description: str) -> Picture | None:
    """A figure that was drawn at DPI, in all the looks that there are of it, with what stands below it.

    Args:
      images: PNGs by name: the figure itself, for light paper, and on dark where there is no other; the same drawn
        for dark paper under "NAME@dark", for a phone "NAME@narrow", for both "NAME@narrow_dark".
      name: Of the figure.
      description: A text.

    Returns:
      The picture; None where there is no such figure.
    """
    if name not in images:
        return None
    width = int.from_bytes(images[name][16:20]) * 96 // DPI  # in the pixels of a page, from those of the PNG
    others = {media: images[f"{name}{mark}"] for mark, media in _MEDIA.items() if f"{name}{mark}" in images}
    looks = [(media, _text(png)) for media, png in others.items()]
    return Picture(_text(images[name]), width, description, looks)


def typeset(text: str) -> Markup:
    """A text as HTML: no line ends before a per cent sign; one may after the plus of a chain, or inside a long name."""
    kept = str(escape(text)).replace(" %", "&nbsp;%")
    return Markup(re.sub(r"(?<=[A-Za-z_)])\+|(?<=\w)_(?=\w)", r"\g<0><wbr>", kept))


def _text(png: bytes) -> str:
    return base64.b64encode(png).decode()


@functools.cache
def _templates() -> jinja2.Environment:
    """The templates; a name that a template asks for and nobody gave is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("leakjax.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["typeset"] = typeset
    return environment
