"""Record-based explanations: influence, self-revealing points, reconstruction."""
