"""Methods that mask features and look at the answers: ablation, surrogates, Shapley values."""
