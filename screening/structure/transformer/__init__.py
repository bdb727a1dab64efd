"""A masked transformer of crystals: space group, cell, Wyckoff letters and coordinates as tokens.

The recipe is that of MaskGXT (arXiv:2606.22866) at a size that trains on one processor core.
"""
