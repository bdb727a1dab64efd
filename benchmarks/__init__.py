"""Measurements, against the peer in the same run where there is one; `python -m benchmarks`."""
