"""What a service lets out of a model."""

from leakjax.oracle.release import ExplanationPart, PredictionPart, Release, prediction_part

__all__ = ["ExplanationPart", "PredictionPart", "Release", "prediction_part"]
