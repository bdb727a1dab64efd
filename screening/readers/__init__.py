"""Readers of crystals and compositions from files."""
