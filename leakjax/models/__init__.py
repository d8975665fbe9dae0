"""Small flax.linen networks, each as a `Model`."""
