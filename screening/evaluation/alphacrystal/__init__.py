"""Measurement of AlphaCrystal: maps, reconstruction and recovery of crystals."""
