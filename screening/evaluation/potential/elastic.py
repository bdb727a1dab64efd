"""Elastic moduli (Voigt-Reuss-Hill) against those of DFT.

Stresses at small strains of the relaxed crystal, the atoms relaxed at each strain (de Jong et al.
2015, doi:10.1038/sdata.2015.9).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.engines.base import Crystal
from screening.engines.descent import RelaxOptions, relax_batch
from screening.metrics.intervals import bootstrap_interval
from screening.progress import report

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from screening.evaluation.potential.subject import Subject

NORMAL, SHEAR = 0.005, 0.01
"""Size of a normal strain, and of an engineering shear strain."""
RELAXATION = RelaxOptions(fmax=2e-3, max_stress=0.05, max_steps=800, keep_trajectory=False)
INSIDE = RelaxOptions(fmax=2e-3, max_steps=400, relax_cell=False, keep_trajectory=False)
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
LARGEST_MODULUS = 2000.0
"""Moduli beyond this (GPa), or not positive, are no moduli."""


def measure_elastic(subject: Subject, table: pd.DataFrame) -> dict[str, Any]:
    """Compare bulk and shear moduli.

    Returns
    -------
    ``bulk_median`` and ``shear_median``: medians of the relative errors (shares) with intervals,
    ``bulk_bias`` (median signed relative error), ``n`` and ``failed``.
    """
    rows = []
    crystals = subject.crystals(table)
    for done, crystal in enumerate(crystals):
        report("elastic moduli", done, len(crystals), detail=subject.engine.name)
        rows.append(subject.remembered("elastic", crystal, partial(_moduli, subject, crystal)))
    report("elastic moduli", len(crystals), len(crystals), detail=subject.engine.name)
    result: dict[str, Any] = {
        "n": sum(row["bulk"] is not None for row in rows),
        "failed": sum(row["bulk"] is None for row in rows),
    }
    for kind in ("bulk", "shear"):
        column = f"{kind}_modulus_vrh"
        if column not in table.columns:
            continue
        truth = table[column].to_numpy(dtype=np.float64)
        values = np.array([np.nan if row[kind] is None else row[kind] for row in rows])
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = np.where(truth > 0, values / truth - 1, np.nan)
        errors = errors[np.isfinite(errors)]
        result |= {
            f"{kind}_n": len(errors),
            f"{kind}_median": float(np.median(np.abs(errors))) if len(errors) else None,
            f"{kind}_median_interval": bootstrap_interval(
                np.abs(errors), np.median, seed=subject.seed
            ),
            f"{kind}_bias": float(np.median(errors)) if len(errors) else None,
        }
    return result


def _moduli(subject: Subject, crystal: Crystal) -> dict[str, Any]:
    relaxed, document = subject.relaxed(crystal, RELAXATION)
    if not document.state.usable:
        return {"bulk": None, "shear": None, "reason": document.reason}
    strained = [
        _strained(relaxed, i, sign * (NORMAL if i < 3 else SHEAR))
        for i in range(6)
        for sign in (1, -1)
    ]
    relax_batch(strained, INSIDE, subject.engine)
    results = subject.engine.evaluate(strained)
    if any(result.error for result in results):
        return {"bulk": None, "shear": None, "reason": next(r.error for r in results if r.error)}
    stresses = np.array([[result.stress[i, j] for i, j in VOIGT] for result in results])
    sizes = np.array([NORMAL] * 3 + [SHEAR] * 3)
    stiffness = (stresses[0::2] - stresses[1::2]) / (2 * sizes[:, None])
    bulk, shear = hill_moduli((stiffness + stiffness.T) / 2)
    sane = 0 < bulk < LARGEST_MODULUS and 0 < shear < LARGEST_MODULUS
    return {
        "bulk": bulk if sane else None,
        "shear": shear if sane else None,
        "reason": None if sane else f"moduli of {bulk:.3g} and {shear:.3g} GPa",
    }


def _strained(crystal: Crystal, component: int, size: float) -> Crystal:
    """Apply a normal or an engineering shear strain."""
    i, j = VOIGT[component]
    bend = np.eye(3)
    bend[i, j] += size if i == j else size / 2
    bend[j, i] += 0 if i == j else size / 2
    return Crystal(crystal.numbers, crystal.cell @ bend, crystal.positions @ bend)


def hill_moduli(stiffness: NDArray[np.float64]) -> tuple[float, float]:
    """Bulk and shear modulus of a polycrystal: Hill's mean of Voigt's and Reuss's bounds.

    Parameters
    ----------
    stiffness
        Elastic constants in Voigt's notation (GPa), shape ``(6, 6)``.

    Returns
    -------
    Bulk and shear modulus (GPa); NaN where the stiffness cannot be inverted.

    Examples
    --------
    >>> import numpy as np
    >>> cubic = np.diag([3.0, 3, 3, 1, 1, 1])
    >>> cubic[:3, :3] += 1.0 - np.eye(3)
    >>> [round(float(modulus), 3) for modulus in hill_moduli(cubic)]
    [1.667, 1.0]
    """
    try:
        compliance = np.linalg.inv(stiffness)
    except np.linalg.LinAlgError:
        return np.nan, np.nan
    c, s = stiffness, compliance
    normal, mixed = c[:3, :3].trace(), c[0, 1] + c[1, 2] + c[0, 2]
    bulk_voigt = (normal + 2 * mixed) / 9
    shear_voigt = (normal - mixed + 3 * c[3:, 3:].trace()) / 15
    normal, mixed = s[:3, :3].trace(), s[0, 1] + s[1, 2] + s[0, 2]
    bulk_reuss = 1 / (normal + 2 * mixed)
    shear_reuss = 15 / (4 * normal - 4 * mixed + 3 * s[3:, 3:].trace())
    return float(bulk_voigt + bulk_reuss) / 2, float(shear_voigt + shear_reuss) / 2
