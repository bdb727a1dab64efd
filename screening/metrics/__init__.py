"""Metrics, with intervals; each is used by `screening evaluate` and by nothing else twice."""
