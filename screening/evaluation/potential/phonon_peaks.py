"""The last peak of the phonon density of states against DFPT's, and false imaginary modes.

As in matbench_phonons (Petretto et al. 2018, doi:10.1038/sdata.2018.65): the frequency of the last
maximum of the density of states.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.engines.descent import RelaxOptions
from screening.metrics.intervals import bootstrap_interval
from screening.phonon.calculation import phonons_with
from screening.phonon.options import PhononOptions
from screening.progress import report
from screening.schemas.phonon import PhononVerdict

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from screening.engines import Crystal
    from screening.evaluation.potential.subject import Subject

PER_CM = 33.35640952
"""One THz in 1/cm."""
LOWEST_PEAK = 0.02
"""A maximum below this share of the largest one is noise of the mesh."""
RELAXATION = RelaxOptions(
    fmax=1e-3, max_stress=0.02, max_steps=1000, fix_symmetry=True, keep_trajectory=False
)


def measure_phonons(subject: Subject, table: pd.DataFrame) -> dict[str, Any]:
    """Compare last peaks.

    Returns
    -------
    ``mae`` and ``bias`` (1/cm) with intervals, ``imaginary``: share of crystals with imaginary
    modes, ``n``, and ``failed`` (crystals without phonons, with the commonest reason).
    """
    truth = table["last_phdos_peak"].to_numpy(dtype=np.float64)
    rows = []
    crystals = subject.crystals(table)
    for done, crystal in enumerate(crystals):
        report("phonon peaks", done, len(crystals), detail=subject.engine.name)
        if subject.largest is None or len(crystal) <= subject.largest:
            rows.append(subject.remembered("phonon", crystal, partial(_peak, subject, crystal)))
        else:
            rows.append({"peak": None, "reason": "left out: too many atoms"})
    report("phonon peaks", len(crystals), len(crystals), detail=subject.engine.name)
    peaks = np.array([row["peak"] if row["peak"] is not None else np.nan for row in rows])
    good = np.isfinite(peaks)
    errors = (peaks - truth)[good]
    unstable = np.array([bool(row.get("imaginary")) for row in rows])[good].astype(np.float64)
    tried = [row for row in rows if not str(row["reason"]).startswith("left out")]
    reasons = [str(row["reason"]) for row in tried if row["peak"] is None]
    return {
        "n": int(good.sum()),
        "failed": len(reasons),
        "reason": max(set(reasons), key=reasons.count) if reasons else None,
        "mae": float(np.abs(errors).mean()) if len(errors) else None,
        "mae_interval": bootstrap_interval(np.abs(errors), seed=subject.seed),
        "bias": float(errors.mean()) if len(errors) else None,
        "imaginary": float(unstable.mean()) if len(errors) else None,
        "imaginary_interval": bootstrap_interval(unstable, seed=subject.seed),
    }


def _peak(subject: Subject, crystal: Crystal) -> dict[str, Any]:
    relaxed, document = subject.relaxed(crystal, RELAXATION)
    if not document.state.usable:
        return {"peak": None, "reason": f"relaxation: {document.reason}"}
    doc = phonons_with(
        relaxed.to_structure(), PhononOptions(), structure_id="measured", engine=subject.engine
    )
    if doc.dos is None:
        return {"peak": None, "reason": doc.reason}
    frequencies, densities = (np.asarray(doc.dos[key]) for key in ("frequencies", "densities"))
    return {
        "peak": last_peak(frequencies, densities) * PER_CM,
        "imaginary": doc.verdict == PhononVerdict.UNSTABLE,
        "lowest": doc.min_frequency,
        "reason": doc.reason,
    }


def last_peak(frequencies: NDArray[np.float64], densities: NDArray[np.float64]) -> float:
    """Find the last maximum of a density of states.

    Parameters
    ----------
    frequencies
        Increasing, shape ``(n,)``.
    densities
        Shape ``(n,)``.

    Returns
    -------
    Its frequency, in the unit of `frequencies`.
    """
    padded = np.concatenate([[0.0], densities, [0.0]])
    rising, falling = padded[1:-1] > padded[:-2], padded[1:-1] >= padded[2:]
    high = densities > LOWEST_PEAK * densities.max()
    return float(frequencies[np.flatnonzero(rising & falling & high)[-1]])
