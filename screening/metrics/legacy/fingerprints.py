"""Distances of two descriptors of a crystal: local order parameters, and orbital field matrices.

Own code on pymatgen's neighbours and order parameters, because matminer 0.10.1 refuses the pandas
of this platform. The fingerprint has its numbers to 1e-9 (`SiteStatsFingerprint` of
`CrystalNNFingerprint`, preset "ops"). The orbital field matrix has the numbers of the authors'
tables; matminer's `OrbitalFieldMatrix` agrees for main-group elements only, since pymatgen sorts
shells and matminer takes the last one, 3d, for the outermost.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.constants import value

from screening.crystal.symmetry_dataset import symmetry_dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Element, Structure

    Floats = NDArray[np.float64]

MAX_COORDINATION = 24
SYMPREC = 1e-5
"""Angstrom within which atoms are equivalent."""
SHELLS = ((2, 0), (6, 2), (10, 8), (14, 18))
"""Electrons of a full s, p, d and f shell, and where the shell begins in the vector of 32."""
ANGSTROM_TO_BOHR = value("Angstrom star") / value("Bohr radius")
"""As matminer has it: the Angstrom star is 1.000015 Angstrom."""


def fingerprint_distance(reference: Structure, predicted: Structure) -> float:
    """Euclidean distance of the statistics of local order parameters; 0 or more, no unit.

    Mean, standard deviation, least and largest value over atoms of each order parameter weighted
    by how likely its coordination number is (Zimmermann and Jain 2020, doi:10.1039/C9RA07755C).
    Elements do not count, and two crystals with the same environments are at 0.
    """
    return float(np.linalg.norm(_site_statistics(reference) - _site_statistics(predicted)))


def ofm_distance(reference: Structure, predicted: Structure) -> float:
    """Euclidean distance of the mean orbital field matrices, in 1/Bohr; 0 or more.

    Valence shells of an atom and its Voronoi neighbours, weighted by solid angle and inverse
    distance (Pham et al. 2017, doi:10.1080/14686996.2017.1378060). Elements with the same valence
    shell are the same.
    """
    return float(np.linalg.norm(_orbital_field(reference) - _orbital_field(predicted)))


def _site_statistics(structure: Structure) -> Floats:
    from pymatgen.analysis.local_env import CrystalNN

    neighbours = CrystalNN(distance_cutoffs=None, x_diff_weight=0)
    kinds = _kinds(structure)
    found = {int(i): _site(structure, int(i), neighbours) for i in np.unique(kinds)}
    table = np.array([found[int(kind)] for kind in kinds])
    return np.concatenate([table.mean(0), table.std(0), table.min(0), table.max(0)])


def _site(structure: Structure, index: int, neighbours: Any) -> list[float]:
    """Weight of each coordination number, and its order parameters times the weight."""
    found = neighbours.get_nn_data(structure, index)
    values: list[float] = []
    for number in range(1, MAX_COORDINATION + 1):
        weight = found.cn_weights.get(number, 0)
        values.append(weight)
        for parameter in _order_parameters().get(number, ()):
            if not weight:
                values.append(0.0)
                continue
            sites = [structure[index], *(near["site"] for near in found.cn_nninfo[number])]
            indices = list(range(1, len(sites)))
            value = parameter.get_order_parameters(sites, 0, indices_neighs=indices)[0]
            values.append(weight * (value or 0.0))
    return values


@cache
def _order_parameters() -> dict[int, tuple[Any, ...]]:
    """Order parameters of each coordination number: its motifs, bond-orientational ones from 9."""
    from pymatgen.analysis.local_env import CN_OPT_PARAMS, LocalStructOrderParams

    bonds = [("q2",), ("q4",), ("q6",)]
    chosen: dict[int, list[Any]] = {1: [("sgl_bd",)]}
    for number, motifs in CN_OPT_PARAMS.items():
        chosen[int(number)] = list(motifs.values())
    for number in range(9, 13):
        chosen[number] = [*chosen.get(number, []), *bonds]
    return {
        number: tuple(
            LocalStructOrderParams([kind[0]], parameters=[kind[1] if len(kind) > 1 else None])
            for kind in kinds
        )
        for number, kinds in chosen.items()
    }


def _orbital_field(structure: Structure) -> Floats:
    """Mean orbital field matrix, flat, shape ``(1024,)``, in 1/Bohr."""
    from pymatgen.analysis.local_env import VoronoiNN

    voronoi = VoronoiNN(allow_pathological=True)
    total = np.zeros((32, 32))
    for index, count in zip(*np.unique(_kinds(structure), return_counts=True), strict=True):
        site = structure[int(index)]
        centre = _valence(site.specie)
        for near in voronoi.get_nn_info(structure, int(index)):
            distance = np.linalg.norm(near["site"].coords - site.coords)
            scale = near["weight"] / (distance * ANGSTROM_TO_BOHR)
            total += count * scale * np.outer(_valence(near["site"].specie), centre)
    return (total / len(structure)).ravel()


def _kinds(structure: Structure) -> NDArray[np.int64]:
    """For each atom the first that is equivalent to it; equivalent ones need no second look."""
    found = symmetry_dataset(
        np.asarray(structure.lattice.matrix),
        np.asarray(structure.frac_coords),
        np.asarray(structure.atomic_numbers),
        SYMPREC,
    )
    if found is None:
        return np.arange(len(structure), dtype=np.int64)
    return np.asarray(found.equivalent_atoms, dtype=np.int64)


def _valence(element: Element) -> Floats:
    """Which valence subshells hold how many electrons: one-hot, shape ``(32,)``.

    Valence are the outermost s and p, the d one shell below and the f two shells below.
    """
    result = np.zeros(32)
    shells = element.full_electronic_structure
    outermost = max(n for n, _, _ in shells)
    for n, kind, electrons in shells:
        subshell = "spdf".index(kind)
        if n >= outermost - max(0, subshell - 1):
            result[SHELLS[subshell][1] + electrons - 1] = 1
    return result
