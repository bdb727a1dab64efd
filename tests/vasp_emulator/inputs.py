"""All inputs of one calculation, read and compared with each other."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vasp_emulator.errors import VaspError
from vasp_emulator.incar import fill, read_incar


@dataclass
class Potential:
    """What the header of a POTCAR says."""

    titel: str
    element: str
    zval: float
    enmax: float
    lexch: str


@dataclass
class Inputs:
    """Inputs of one calculation; `incar` as given, `tags` with VASP's defaults."""

    incar: dict
    tags: dict
    cell: np.ndarray
    fractional: np.ndarray
    movable: np.ndarray
    elements: list
    counts: list
    potentials: list
    mesh: tuple
    mesh_style: str
    kpoints: np.ndarray
    weights: np.ndarray
    magmoms: list

    @property
    def symbols(self):
        """Element of each atom."""
        pairs = zip(self.elements, self.counts, strict=True)
        return [element for element, count in pairs for _ in range(count)]


def read_inputs(folder):
    """Read and check the inputs in a folder; raise what VASP would say of them."""
    incar = read_incar(_text(folder, "INCAR"))
    tags = fill(incar)
    cell, elements, counts, fractional, movable = read_poscar(_text(folder, "POSCAR"))
    potentials = read_potcar(_text(folder, "POTCAR"))
    _check_potentials(elements, potentials)
    mesh, style, shift = _mesh(folder, incar, tags, cell)
    symbols = [kind for kind, count in zip(elements, counts, strict=True) for _ in range(count)]
    kpoints, weights = _irreducible(mesh, shift, cell, fractional, symbols, tags)
    tags.setdefault("ENCUT", max(potential.enmax for potential in potentials))
    pairs = zip(potentials, counts, strict=True)
    tags.setdefault("NELECT", sum(potential.zval * count for potential, count in pairs))
    tags.setdefault("NBANDS", math.ceil(tags["NELECT"] / 2) + max(4, len(symbols) // 2))
    magmoms = _check(tags, len(symbols), len(elements), len(weights))
    return Inputs(incar, tags, cell, fractional, movable, elements, counts, potentials, mesh,
                  style, kpoints, weights, magmoms)  # fmt: skip


def _text(folder, name):
    path = Path(folder) / name
    if not path.is_file() or not path.stat().st_size:
        raise VaspError(f"No {name} found, STOPPING")
    return path.read_text()


def read_poscar(text):
    """Return cell, elements, counts, fractional coordinates and which coordinates may move."""
    lines = text.splitlines()
    try:
        scale = [float(word) for word in lines[1].split()]
        cell = np.array([[float(x) for x in line.split()[:3]] for line in lines[2:5]])
        elements = [word.split("_")[0].split("/")[0] for word in lines[5].split()]
        counts = [int(word) for word in lines[6].split()]
        at = 8 if lines[7].strip()[:1].upper() == "S" else 7
        n = sum(counts)
        rows = [line.split() for line in lines[at + 1 : at + 1 + n]]
        positions = np.array([[float(x) for x in row[:3]] for row in rows])
        movable = np.array([_flags(row, selective=at == 8) for row in rows])
        style = lines[at].strip()[:1].upper()
    except (ValueError, IndexError) as error:
        raise VaspError(f"ERROR: there must be something wrong in POSCAR ({error})") from None
    if positions.shape != (n, 3) or len(elements) != len(counts) or elements[0].isdigit():
        raise VaspError("ERROR: there must be something wrong in POSCAR: atoms and counts differ")
    volume = np.linalg.det(cell)
    if volume < 0:
        raise VaspError(
            "ERROR: the triple product of the basis vectors is negative, exchange two basis vectors"
        )
    factor = scale[0] if scale[0] > 0 else (-scale[0] / volume) ** (1 / 3)
    cell *= factor if len(scale) == 1 else np.array(scale)
    if style in {"C", "K"}:
        positions = positions * factor @ np.linalg.inv(cell)
    return cell, elements, counts, positions, movable


def _flags(row, *, selective):
    return [word.strip(".").upper()[0] == "T" for word in row[3:6]] if selective else [True] * 3


def read_potcar(text):
    """Return the potentials of a POTCAR, in order."""
    found = []
    for part in text.split("End of Dataset")[:-1]:
        values = dict(re.findall(r"(TITEL|VRHFIN|ZVAL|ENMAX|LEXCH)\s*=\s*=?([^;\n]*)", part))
        if set(values) != {"TITEL", "VRHFIN", "ZVAL", "ENMAX", "LEXCH"}:
            raise VaspError("ERROR: there must be something wrong in POTCAR")
        found.append(
            Potential(
                titel=values["TITEL"].strip(),
                element=values["VRHFIN"].split(":")[0].strip(),
                zval=float(values["ZVAL"].split()[0]),
                enmax=float(values["ENMAX"]),
                lexch=values["LEXCH"].strip(),
            )
        )
    if not found:
        raise VaspError("ERROR: there must be something wrong in POTCAR: no potential")
    return found


def _check_potentials(elements, potentials):
    given = [potential.element for potential in potentials]
    if len(given) != len(elements):
        raise VaspError(
            f"ERROR: number of potentials on File POTCAR incompatible with number of species: "
            f"{given} for {elements}"
        )
    if given != elements:
        raise VaspError(
            f"ERROR: the type information on POSCAR and POTCAR are incompatible: {elements} and "
            f"{given}"
        )
    if len({potential.lexch for potential in potentials}) > 1:
        raise VaspError("ERROR: the potentials of POTCAR are of different functionals")


def _mesh(folder, incar, tags, cell):
    """Return divisions, style and shift of the k-points, from KPOINTS or KSPACING."""
    if not (Path(folder) / "KPOINTS").is_file():
        if "KSPACING" not in incar:
            raise VaspError("No KPOINTS found, STOPPING (and no KSPACING in INCAR)")
        lengths = np.linalg.norm(np.linalg.inv(cell).T, axis=1) * 2 * math.pi
        mesh = tuple(max(1, math.ceil(length / tags["KSPACING"])) for length in lengths)
        return mesh, "Gamma" if tags["KGAMMA"] else "Monkhorst-Pack", np.zeros(3)
    lines = _text(folder, "KPOINTS").splitlines()
    try:
        letter = lines[2].strip()[:1].upper()
        if int(lines[1].split()[0]) != 0 or letter not in {"G", "M"}:
            raise VaspError("Error in KPOINTS: the emulator knows Gamma and Monkhorst meshes only")
        mesh = tuple(int(word) for word in lines[3].split()[:3])
        shift = [float(word) for word in lines[4].split()[:3]] if len(lines[4:]) else [0.0] * 3
    except (ValueError, IndexError):
        raise VaspError("Error reading KPOINTS file") from None
    if len(mesh) != 3 or min(mesh) < 1 or len(shift) not in {0, 3}:
        raise VaspError("Error reading KPOINTS file: three positive divisions are needed")
    return mesh, "Gamma" if letter == "G" else "Monkhorst-Pack", np.array(shift or [0.0] * 3)


def _irreducible(mesh, shift, cell, fractional, symbols, tags):
    """Return the irreducible k-points (fractional) and their weights (sum 1)."""
    from ase.data import atomic_numbers
    from spglib import get_ir_reciprocal_mesh

    if tags["ISYM"] > 0 and not shift.any():
        numbers = [atomic_numbers[symbol] for symbol in symbols]
        mapping, grid = get_ir_reciprocal_mesh(
            list(mesh), (cell, fractional, numbers), is_shift=[0, 0, 0], symprec=tags["SYMPREC"]
        )
        chosen, counts = np.unique(mapping, return_counts=True)
        return grid[chosen] / np.array(mesh), counts / counts.sum()
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in mesh], indexing="ij"), -1).reshape(-1, 3)
    return (grid + shift) / np.array(mesh), np.full(len(grid), 1 / len(grid))


def _check(tags, n_atoms, n_types, n_kpoints):
    """Compare the tags with the crystal; return the starting moments."""
    for name in ("ENCUT", "EDIFF", "SIGMA", "POTIM"):
        if tags[name] <= 0:
            raise VaspError(f"Error reading item '{name}' from file INCAR: it must be positive")
    magmoms = [1.0] * n_atoms
    if "MAGMOM" in tags:
        magmoms = tags["MAGMOM"]
        if len(magmoms) != n_atoms:
            raise VaspError(
                f"Error reading item 'MAGMOM' from file INCAR: {len(magmoms)} for {n_atoms} atoms"
            )
    for name in ("LDAUU", "LDAUJ", "LDAUL"):
        if tags["LDAU"] and name in tags and len(tags[name]) != n_types:
            raise VaspError(f"Error reading item '{name}' from file INCAR: {n_types} are needed")
    if tags["ISMEAR"] == -5 and n_kpoints < 4:
        raise VaspError("ERROR: Tetrahedron method fails (number of k-points < 4)")
    if tags["IBRION"] in {0, 5, 6, 44} and tags["NSW"] > 0:
        raise VaspError(f"the emulator does not know IBRION = {tags['IBRION']}")
    return magmoms if tags["ISPIN"] == 2 else []
