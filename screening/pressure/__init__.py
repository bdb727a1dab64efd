"""Crystals under pressure: equations of state, phase transitions, and data for training."""
