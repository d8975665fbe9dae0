"""How a figure looks: on light or dark paper, as wide as a page or as a phone; and its files."""

import io
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # drawing is optional work: matplotlib is imported where something is drawn
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

DPI = 192  # two pixels of a figure to one of a page


class Look(NamedTuple):
    """What a figure is drawn for.

    Attributes:
      dark: light lines on dark paper.
      narrow: as wide as a phone.
    """

    dark: bool = False
    narrow: bool = False


# The look of a file of its own has no mark; the others stand in pages, beside the name of the figure.
LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "": Look(),
        "@dark": Look(dark=True),
        "@narrow": Look(narrow=True),
        "@narrow_dark": Look(dark=True, narrow=True),
    }
)
WIDE = ("", "@dark")
PHONE = 3.9  # inches, the width of a narrow figure
Draw = Callable[[Look], "Figure | None"]  # in the current style
PAPER = MappingProxyType({False: "#ffffff", True: "#14171a"})
INK = MappingProxyType({False: "#1b1f24", True: "#e8eaed"})
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11.0,
    "legend.frameon": False,
    "text.parse_math": False,  # names of the user's may hold a dollar
    "figure.facecolor": "white",
    "svg.hashsalt": "leakjax",  # equal figures give equal files
}
_COLOURED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")


@contextmanager
def style(look: Look) -> Iterator[None]:
    """Figures that are drawn inside have a look."""
    import matplotlib

    ink, paper = INK[look.dark], PAPER[look.dark]
    own: Any = {**STYLE, **dict.fromkeys(_COLOURED, ink)}
    own |= {"figure.facecolor": paper, "axes.facecolor": paper, "savefig.facecolor": paper}
    with matplotlib.rc_context(own):
        yield


def ink(share: float = 1.0) -> tuple[float, float, float]:
    """The colour of lines under the current style, mixed with that of the paper: 0 is the paper itself."""
    import matplotlib

    return mixed(matplotlib.rcParams["text.color"], share)


def mixed(colour: Any, share: float) -> tuple[float, float, float]:
    """A colour, mixed with that of the paper under the current style."""
    import matplotlib
    from matplotlib.colors import to_rgb

    paper = to_rgb(matplotlib.rcParams["figure.facecolor"])
    red, green, blue = (
        share * one + (1.0 - share) * other for one, other in zip(to_rgb(colour), paper, strict=True)
    )
    return red, green, blue


def drawn(draws: Mapping[str, Draw], looks: Collection[str] = LOOKS) -> dict[str, bytes]:
    """Figures in several looks, as PNGs by name and mark of the look, as "race" and "race@dark".

    Args:
      draws: who draws each figure, by its name.
      looks: marks, of `LOOKS`: all, or `WIDE` for figures that are not drawn for a phone.
    """
    found: dict[str, bytes] = {}
    for mark in looks:
        with style(LOOKS[mark]):
            for name, draw in draws.items():
                if (figure := draw(LOOKS[mark])) is not None:
                    found[f"{name}{mark}"] = png(figure)
    return found


def plain_ticks(axis: "Axis") -> None:
    """Labels of a logarithmic axis as plain numbers: names of the user's keep mathematics from being parsed."""
    from matplotlib.ticker import NullFormatter

    axis.set_major_formatter(lambda value, _: f"{value:,g}")
    axis.set_minor_formatter(NullFormatter())


def png(figure: "Figure") -> bytes:
    """A figure as the bytes of a PNG at DPI, without the metadata, which name the version of matplotlib."""
    _laid_out(figure)
    return _saved(figure, "png", dpi=DPI, metadata={"Software": None})


def saved(figure: "Figure") -> dict[str, bytes]:
    """A figure as PNG, SVG (letters as shapes) and PDF, by kind; none has a date, or says who made it."""
    found = {"png": png(figure)}
    found["svg"] = _saved(figure, "svg", metadata={"Date": None, "Creator": None})
    found["pdf"] = _saved(figure, "pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return found


def _laid_out(figure: "Figure") -> None:
    """Lays a figure out for good: one that has an engine for this is drawn twice each time that it is saved."""
    engine = figure.get_layout_engine()
    if engine is not None:
        figure.set_dpi(DPI)
        engine.execute(figure)
        figure.set_layout_engine(None)


def _saved(figure: "Figure", kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=kind, **options)
    return content.getvalue()
