"""The metrics of CSPBenchMetrics (Wei et al. 2023, doi:10.48550/arXiv.2307.05886), as coded.

They are here to be compared with published tables; `docs/metrics.md` lists their traps. What the
authors' code marks with 5555, 9990, 9995 or 9999 raises an error with the reason instead: a mean
over such numbers means nothing.
"""
