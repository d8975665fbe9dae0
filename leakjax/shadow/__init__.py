"""Train one model, train an ensemble of shadow models, save it and load it."""
