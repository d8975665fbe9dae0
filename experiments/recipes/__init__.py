"""Models as people have them, in `leakjax.audit` or scored by `leakjax`: scripts whose cells Jupyter opens."""
