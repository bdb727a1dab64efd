"""Training and measurement of the probability of stability, through the whole pipeline."""
