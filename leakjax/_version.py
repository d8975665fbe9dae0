"""Which version of leakjax this is."""

from importlib import metadata


def version() -> str:
    """The version of the installed distribution; "unknown" for sources that were never installed."""
    try:
        return metadata.version("leakjax")
    except metadata.PackageNotFoundError:
        return "unknown"
