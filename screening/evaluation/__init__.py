"""Measurement of trained models and generators; the only package that may import several stages."""
