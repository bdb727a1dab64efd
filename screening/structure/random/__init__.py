"""Random symmetric crystals, a structure generator."""
