"""What a report says about where it was made."""

import platform
from importlib import metadata
from typing import Any

import jax
import jaxlib
import numpy as np


def environment() -> dict[str, Any]:
    """Versions, devices and platform, as reports record them."""
    return {
        "leakjax": _version(),
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": [str(device) for device in jax.local_devices()],
    }


def _version() -> str:
    try:
        return metadata.version("leakjax")
    except metadata.PackageNotFoundError:
        return "not installed"
