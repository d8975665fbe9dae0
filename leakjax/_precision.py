"""At which precision explanations, defenses and attacks multiply.

By default a GPU multiplies float32 in TF32 and a TPU in bfloat16: three decimals, which blur the small differences
between models that an attack looks at, and let a clipped norm end above its bound. Training is left as it is.
"""

from contextlib import AbstractContextManager

import jax

PRECISION = "highest"


def stated() -> AbstractContextManager[object]:
    """Inside, float32 products that are traced run in float32 on every device."""
    return jax.default_matmul_precision(PRECISION)
