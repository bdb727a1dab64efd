"""Order-free autoregressive model of compositions."""
