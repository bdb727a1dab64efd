"""Training and evaluation: the one way to make checkpoints and to measure them."""
