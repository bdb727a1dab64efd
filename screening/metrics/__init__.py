"""Metrics, with intervals: what `screening evaluate` and `screening compare` report."""
