"""All metrics of one predicted crystal against its reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from screening.errors import InputError
from screening.metrics import contacts, distances, invariants, matching, sets
from screening.metrics.permutations import align

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.engines.base import Engine

    Task = tuple[tuple[str, ...], Callable[[], tuple[Any, ...]]]

PRIMITIVE_TOLERANCE = 0.01
"""Tolerance in Angstrom with which cells are made primitive."""


class Metric(NamedTuple):
    """What a value of `compare` means.

    Attributes
    ----------
    unit
        Empty for numbers without a unit.
    perfect
        Value of a perfect prediction; None for what is no score.
    """

    unit: str
    perfect: float | None


_LENGTH = "(V/N)^(1/3)"
METRICS = {
    "match_loose": Metric("", 1),
    "match_strict": Metric("", 1),
    "rms_loose": Metric(_LENGTH, 0),
    "rms_strict": Metric(_LENGTH, 0),
    "space_group_reference": Metric("", None),
    "space_group_predicted": Metric("", None),
    "space_group_agrees": Metric("", 1),
    "volume_ratio": Metric("", 1),
    "amd": Metric("Angstrom", 0),
    "pdd": Metric("Angstrom", 0),
    "contact_dice": Metric("", 1),
    "contact_accuracy": Metric("", 1),
    "contact_padded_accuracy": Metric("", 1),
    "contact_exact": Metric("", 1),
    "distance_rmse": Metric("Angstrom", 0),
    "distance_mae": Metric("Angstrom", 0),
    "distance_overlap": Metric("", 1),
    "distance_balanced_overlap": Metric("", 1),
}
"""Keys of `compare`, in order."""
RMS = {"rms_loose", "rms_strict"}
"""Distances that only matching crystals have."""
LEGACY = {
    "legacy_energy": Metric("eV/cell", 0),
    "legacy_energy_per_atom": Metric("eV/atom", 0),
    "legacy_wyckoff_rmse": Metric("fractional", 0),
    "legacy_wyckoff_mae": Metric("fractional", 0),
    "legacy_rms": Metric(_LENGTH, 0),
    "legacy_rms_anonymous": Metric(_LENGTH, 0),
    "legacy_sinkhorn": Metric("Angstrom", 0),
    "legacy_chamfer": Metric("Angstrom", 0),
    "legacy_hausdorff": Metric("Angstrom", 0),
    "legacy_superpose": Metric("Angstrom", 0),
    "legacy_superpose_icp": Metric("Angstrom", 0),
    "legacy_edit_graph": Metric("", 0),
    "legacy_fingerprint": Metric("", 0),
    "legacy_xrd": Metric("1/degree", 0),
    "legacy_ofm": Metric("1/Bohr", 0),
    "legacy_contact": Metric("", 0),
}
"""Further keys with `legacy`."""


def compare(
    reference: Structure,
    predicted: Structure,
    *,
    legacy: bool = False,
    engine: Engine | None = None,
    cifs: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """Compare a predicted crystal with the true one by all metrics.

    Parameters
    ----------
    reference, predicted
        Any cells of the two crystals, without partly occupied sites.
    legacy
        Also the metrics of CSPBenchMetrics as their authors coded them.
    engine
        Source of energies for `legacy_energy`.
    cifs
        Texts of the two CIF files for the Wyckoff errors, which compare files, not crystals; if
        left out, all atoms of the cells are written to CIF files without symmetry.

    Returns
    -------
    For each key of `METRICS` (and `LEGACY`) a number or boolean in the unit named there, None
    where it has no value; under `reasons` why, for each of these.
    """
    tasks = _tasks(reference, predicted)
    if legacy:
        tasks += _legacy_tasks(reference, predicted, engine, cifs)
    values: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for names, task in tasks:
        try:
            found = task()
        except Exception as error:  # noqa: BLE001 - libraries raise anything on odd crystals
            found = (None,) * len(names)
            reasons |= dict.fromkeys(names, " ".join(str(error).split()) or type(error).__name__)
        for name, value in zip(names, found, strict=True):
            values[name] = _plain(value)
            if values[name] is None:
                reasons.setdefault(name, "no match" if name in RMS else "no pair of atoms to judge")
    return {**values, "reasons": reasons}


def _plain(value: Any) -> Any:
    """Python numbers; None for what is not finite."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _tasks(reference: Structure, predicted: Structure) -> list[Task]:
    names = tuple(METRICS)
    return [
        (names[0:4], lambda: _match(reference, predicted)),
        (names[4:7], lambda: _symmetry(reference, predicted)),
        (("volume_ratio",), lambda: (_volume(predicted) / _volume(reference),)),
        (("amd",), lambda: (invariants.amd_distance(reference, predicted),)),
        (("pdd",), lambda: (invariants.pdd_distance(reference, predicted),)),
        (names[10:], lambda: _maps(reference, predicted)),
    ]


def _volume(structure: Structure) -> float:
    return float(structure.volume / len(structure))


def _match(reference: Structure, predicted: Structure) -> tuple[Any, ...]:
    loose, strict = (matching.rms_distance(reference, predicted, t) for t in ("loose", "strict"))
    return bool(np.isfinite(loose)), bool(np.isfinite(strict)), loose, strict


def _symmetry(reference: Structure, predicted: Structure) -> tuple[Any, ...]:
    groups = [sets.space_group(structure) for structure in (reference, predicted)]
    if None in groups:
        raise InputError(f"spglib finds no space group within {sets.SYMPREC} Angstrom")
    return (*groups, groups[0] == groups[1])


def comparable_cells(reference: Structure, predicted: Structure) -> tuple[Structure, Structure]:
    """Two cells with the same atoms: primitive ones, else those given.

    Raises
    ------
    InputError
        If neither pair holds the same number of atoms of each element.
    """
    given = (reference, predicted)
    primitive = tuple(s.get_primitive_structure(tolerance=PRIMITIVE_TOLERANCE) for s in given)
    for first, second in (primitive, given):
        if first.composition == second.composition:
            return first, second
    raise InputError(
        f"cells of {primitive[0].composition.formula} and {primitive[1].composition.formula} "
        "have other atoms: maps need the same"
    )


def contact_map(structure: Structure) -> NDArray[np.bool_]:
    """Contacts of a cell by `screening.metrics.contacts.covalent_contacts`, shape ``(n, n)``."""
    numbers = np.asarray(structure.atomic_numbers, dtype=np.int64)
    return contacts.covalent_contacts(np.asarray(structure.distance_matrix), numbers)


def _maps(reference: Structure, predicted: Structure) -> tuple[Any, ...]:
    """Contact and distance scores in the order of equal atoms that agrees best."""
    cells = comparable_cells(reference, predicted)
    matrices = [np.asarray(cell.distance_matrix, dtype=np.float64) for cell in cells]
    numbers = [np.asarray(cell.atomic_numbers, dtype=np.int64) for cell in cells]
    order = align(matrices[0], matrices[1], numbers[0], numbers[1])
    first, second = (contact_map(cell) for cell in cells)
    second = second[order][:, order]
    true, found = matrices[0], matrices[1][order][:, order]
    return (
        contacts.dice(first, second),
        contacts.accuracy(first, second),
        contacts.padded_accuracy(first, second, max(contacts.PADDED_SIZE, len(first))),
        contacts.exact(first, second),
        distances.distance_rmse(true, found),
        distances.distance_mae(true, found),
        contacts.overlap(true, found),
        contacts.balanced_overlap(true, found),
    )


def _legacy_tasks(
    reference: Structure,
    predicted: Structure,
    engine: Engine | None,
    cifs: tuple[str, str] | None,
) -> list[Task]:
    from screening.metrics.legacy import (
        contacts,
        diffraction,
        fingerprints,
        graphs,
        matching,
        points,
        superposition,
        wyckoff,
    )

    both = (reference, predicted)
    clouds = tuple(points.cloud(structure) for structure in both)
    names = tuple(LEGACY)
    return [
        (names[0:2], lambda: _energies(reference, predicted, engine)),
        (names[2:4], lambda: wyckoff.wyckoff_errors(*(cifs or (s.to(fmt="cif") for s in both)))),
        (("legacy_rms",), lambda: (matching.rms(*both),)),
        (("legacy_rms_anonymous",), lambda: (matching.rms_anonymous(*both),)),
        (("legacy_sinkhorn",), lambda: (points.sinkhorn(*clouds),)),
        (("legacy_chamfer",), lambda: (points.chamfer(*clouds),)),
        (("legacy_hausdorff",), lambda: (points.hausdorff(*clouds),)),
        (("legacy_superpose",), lambda: (superposition.superpose_rmsd(*clouds),)),
        (("legacy_superpose_icp",), lambda: (superposition.icp_rmsd(*clouds),)),
        (("legacy_edit_graph",), lambda: (graphs.edit_graph_distance(*both),)),
        (("legacy_fingerprint",), lambda: (fingerprints.fingerprint_distance(*both),)),
        (("legacy_xrd",), lambda: (diffraction.xrd_distance(*both),)),
        (("legacy_ofm",), lambda: (fingerprints.ofm_distance(*both),)),
        (("legacy_contact",), lambda: (contacts.contact_distance(*both),)),
    ]


def _energies(
    reference: Structure, predicted: Structure, engine: Engine | None
) -> tuple[float, float]:
    from screening.metrics.legacy.energy import energy_distances

    if engine is None:
        raise InputError("no engine was given: name one with --engine")
    return energy_distances(reference, predicted, engine)
