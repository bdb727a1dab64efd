"""What a pool of all methods finds, beside each method alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening.evaluation.generators.options import KNOWN, NO_SYMMETRY, POOL
from screening.evaluation.generators.summary import matches_of
from screening.metrics.intervals import bootstrap_interval
from screening.metrics.matching import TOLERANCES

if TYPE_CHECKING:
    from collections.abc import Mapping

BEST = "prototypes"
"""The method that the pool is compared with, if it is there."""


def compare_pool(parts: Mapping[str, Mapping[str, Any]], each: int, seed: int) -> dict[str, Any]:
    """Compare the first structures of the pool with as many of the prototypes alone.

    Parameters
    ----------
    parts
        What was measured of each method (`screening.evaluation.generators.summary.join`).
    each
        Structures of each method in the pool, and structures that are counted.
    seed
        Seed of the intervals.

    Returns
    -------
    For both tolerances ``pool`` and each method: the share of the formulas whose known crystal is
    among the first `each`; ``any``: among those of any method; ``gain``: how much more the pool has
    than the prototypes, with its paired 95 % ``gain_interval``; ``gained`` and ``lost``: these
    formulas; ``only``: formulas that one method alone finds, by method.
    """
    formulas = [one["formula"] for one in parts[POOL]["formulas"]]
    found: dict[str, Any] = {"each": each, "n": len(formulas)}
    for tolerance in TOLERANCES:
        hits = {
            name: matches_of(part).hits(tolerance, each)
            for name, part in parts.items()
            if name not in {KNOWN, NO_SYMMETRY}
        }
        pool = hits.pop(POOL)
        count = np.sum(list(hits.values()), axis=0)
        own: dict[str, Any] = {
            "pool": float(pool.mean()),
            "any": float((count > 0).mean()),
            "methods": {name: float(hit.mean()) for name, hit in hits.items()},
            "only": {name: _named(formulas, hit & (count == 1)) for name, hit in hits.items()},
        }
        if BEST in hits:
            gain = pool.astype(float) - hits[BEST]
            own |= {
                "gain": float(gain.mean()),
                "gain_interval": list(bootstrap_interval(gain, seed=seed)),
                "gained": _named(formulas, gain > 0),
                "lost": _named(formulas, gain < 0),
            }
        found[tolerance] = own
    return found


def _named(formulas: list[str], chosen: Any) -> list[str]:
    return [formula for formula, is_so in zip(formulas, chosen.tolist(), strict=True) if is_so]


def pool_table(compared: Mapping[str, Any]) -> dict[str, Any]:
    """Table for a terminal: shares found, and what a method alone finds."""
    columns = {"method": "method", **{name: name for name in TOLERANCES}, "only": "only this finds"}
    first = next(iter(TOLERANCES))
    rows = [
        {
            "method": name,
            **{tolerance: compared[tolerance]["methods"][name] for tolerance in TOLERANCES},
            "only": ", ".join(compared[first]["only"][name]),
        }
        for name in compared[first]["methods"]
    ]
    rows += [
        {"method": name, **{tolerance: compared[tolerance][name] for tolerance in TOLERANCES}}
        for name in ("any", "pool")
    ]
    return {"title": f"First {compared['each']} of a pool", "rows": rows, "columns": columns}
