"""Crystallography: space groups, Wyckoff positions, cells, equality; no method, no model."""
