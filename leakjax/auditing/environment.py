"""What a report says about where it was made."""

import platform
from typing import Any

import jax
import jaxlib
import numpy as np

from leakjax._precision import PRECISION
from leakjax._version import version


def environment() -> dict[str, Any]:
    """Versions, devices and platform, as reports record them."""
    return {
        "leakjax": version(),
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "numpy": np.__version__,
        "precision_of_products": PRECISION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": [str(device) for device in jax.local_devices()],
    }
