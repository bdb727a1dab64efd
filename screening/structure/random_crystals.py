"""Random symmetric crystals: random Wyckoff occupations, free coordinates and cells.

The idea of RandSpg (Avery and Zurek 2017, doi:10.1016/j.cpc.2016.12.005) and pyxtal (Fredericks et
al. 2021, doi:10.1016/j.cpc.2020.107810), in batches: crystals of one occupation are drawn together
and their distances checked in compiled code.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from screening.identity import derive_seed
from screening.structure.bank import Bank
from screening.structure.crystals import Crystal, lattice_matrix, to_structure
from screening.structure.distances import MIN_CONTACT, covalent_radii, images_needed
from screening.structure.spacegroups import LETTERS, SpaceGroup, space_group
from screening.structure.target import Proposal
from screening.structure.wyckoff_sampling import Occupation, sample_occupation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from screening.structure.target import Target

Floats = NDArray[np.float64]

BATCH = 64
_LENGTH_SPREAD = 0.4
_VOLUME_RANGE = (0.95, 1.25)
_ANGLES = (60.0, 120.0)
_MIN_CELL = 0.35
_ATTEMPTS_PER_PROPOSAL = 60


@njit(cache=True)
def _possible(
    lattice: Floats, points: Floats, firsts: NDArray[np.int64], radii: Floats, least: float
) -> bool:
    """Whether no distance is below `least` times the sum of the radii; points are in [0, 1).

    `firsts` are the first atoms of the orbits: by symmetry only their distances need a look.
    """
    cartesian = points @ lattice
    needed = images_needed(lattice, 2 * least * radii.max())
    for i in firsts:
        for a in range(-needed[0], needed[0] + 1):
            for b in range(-needed[1], needed[1] + 1):
                for c in range(-needed[2], needed[2] + 1):
                    shift = a * lattice[0] + b * lattice[1] + c * lattice[2] - cartesian[i]
                    home = a == 0 and b == 0 and c == 0
                    for j in range(len(radii)):
                        limit = least * (radii[i] + radii[j])
                        square = 0.0
                        for axis in range(3):
                            square += (cartesian[j, axis] + shift[axis]) ** 2
                        if square < limit * limit and not (home and i == j):
                            return False
    return True


@njit(cache=True)
def _which_possible(
    lattices: Floats, points: Floats, firsts: NDArray[np.int64], radii: Floats, least: float
) -> NDArray[np.bool_]:
    """Apply `_possible` to a batch."""
    result = np.empty(len(lattices), dtype=np.bool_)
    for s in range(len(lattices)):
        result[s] = _possible(lattices[s], points[s], firsts, radii, least)
    return result


def random_cells(system: str, volume: Floats, rng: np.random.Generator) -> Floats:
    """Draw conventional cells of a crystal system.

    Parameters
    ----------
    system
        As in `SpaceGroup.crystal_system`.
    volume
        Volumes (Angstrom^3), shape ``(b,)``.
    rng
        Source of randomness.

    Returns
    -------
    a, b, c (Angstrom), alpha, beta, gamma (degrees), shape ``(b, 6)``.
    """
    n = len(volume)
    lengths = np.exp(_LENGTH_SPREAD * rng.standard_normal((n, 3)))
    angles = np.full((n, 3), 90.0)
    if system in {"tetragonal", "hexagonal", "cubic"}:
        lengths[:, 1] = lengths[:, 0]
    if system == "cubic":
        lengths[:, 2] = lengths[:, 0]
    if system == "hexagonal":
        angles[:, 2] = 120.0
    if system == "monoclinic":
        angles[:, 1] = rng.uniform(90.0, _ANGLES[1], n)
    if system == "triclinic":
        angles = rng.uniform(*_ANGLES, (n, 3))
    cosines = np.cos(np.radians(angles))
    square = 1 - (cosines**2).sum(axis=1) + 2 * cosines.prod(axis=1)
    while (flat := square < _MIN_CELL**2).any():  # too flat, or no cell at all: draw again
        angles[flat] = rng.uniform(*_ANGLES, (int(flat.sum()), 3))
        cosines = np.cos(np.radians(angles))
        square = 1 - (cosines**2).sum(axis=1) + 2 * cosines.prod(axis=1)
    lengths *= np.cbrt(volume / (lengths.prod(axis=1) * np.sqrt(square)))[:, None]
    return np.concatenate([lengths, angles], axis=1)


def draw_batch(
    group: SpaceGroup,
    occupation: Occupation,
    volume_per_atom: float,
    rng: np.random.Generator,
    *,
    min_contact: float,
    size: int = BATCH,
) -> list[Crystal]:
    """Draw crystals with one occupation and keep those without too short distances.

    Parameters
    ----------
    group
        Space group.
    occupation
        Orbits.
    volume_per_atom
        Expected volume (Angstrom^3); each crystal has 0.95 to 1.25 of it.
    rng
        Source of randomness.
    min_contact
        Shortest distance in units of the sum of the covalent radii.
    size
        Number of crystals that are drawn.
    """
    letters = np.array([letter for letter, _ in occupation])
    species = np.array([element for _, element in occupation])
    positions = [group.positions[letter] for letter in letters]
    counts = np.array([p.multiplicity // group.n_centring for p in positions])
    parameters = rng.random((size, len(letters), 3)) * np.array([p.free for p in positions])
    points = np.concatenate(
        [
            np.einsum("mij,bj->bmi", p.matrices[:m], parameters[:, k]) + p.offsets[:m]
            for k, (p, m) in enumerate(zip(positions, counts, strict=True))
        ],
        axis=1,
    )
    volume = counts.sum() * group.n_centring * volume_per_atom * rng.uniform(*_VOLUME_RANGE, size)
    cells = random_cells(group.crystal_system, volume, rng)
    possible = _which_possible(
        group.primitive @ lattice_matrix(cells),
        (points @ np.linalg.inv(group.primitive)) % 1.0,
        np.concatenate([[0], np.cumsum(counts)[:-1]]),
        covalent_radii()[np.repeat(species, counts)],
        min_contact,
    )
    return [
        Crystal(group.number, cells[i], letters, species, parameters[i])
        for i in np.flatnonzero(possible)
    ]


class RandomGenerator:
    """Proposes random crystals in random (or in the predicted) space groups.

    Parameters
    ----------
    min_contact
        Shortest distance that is accepted, in units of the sum of the covalent radii (Cordero).
    per_occupation
        Most crystals that are kept of one choice of Wyckoff positions.
    bank
        Where the volume comes from if the target has none; read when it is first needed.
    """

    name = "random"
    version = "1"

    def __init__(
        self,
        *,
        min_contact: float = MIN_CONTACT,
        per_occupation: int = 1,
        bank: Bank | str = "prototypes",
    ) -> None:
        self.min_contact = min_contact
        self.per_occupation = per_occupation
        self._bank = bank

    @cached_property
    def _volumes(self) -> Floats:
        bank = Bank.load(self._bank) if isinstance(self._bank, str) else self._bank
        return bank.element_volumes

    def generate(self, target: Target, n: int, seed: int = 0) -> list[Proposal]:
        """Propose up to `n` crystals in the order in which they were drawn; they have no score.

        Fewer come back if the atoms do not fit: after 60 choices of space group, formula units and
        Wyckoff positions for each crystal that is wanted, the search ends.

        Parameters
        ----------
        target
            Composition and limits; with `symmetry`, only its space groups are drawn, with their
            probabilities.
        n
            Most proposals.
        seed
            Other seeds give other crystals.
        """
        rng = np.random.default_rng(derive_seed(self.name, self.version, target.formula, seed))
        proposals: list[Proposal] = []
        for crystal in self.crystals(target, rng, _ATTEMPTS_PER_PROPOSAL * n):
            if len(proposals) == n:
                break
            letters = "".join(LETTERS[letter] for letter in crystal.letters)
            proposals.append(
                Proposal(
                    structure=to_structure(crystal),
                    template=f"{crystal.number}_{letters}",
                    parameters={"space_group": crystal.number, "min_contact": self.min_contact},
                )
            )
        return proposals

    def crystals(
        self, target: Target, rng: np.random.Generator, attempts: int
    ) -> Iterator[Crystal]:
        """Draw crystals without end, or until so many choices of occupation were made."""
        volume = target.expected_volume or self._volume(target)
        numbers, weights = _space_groups(target)
        units = target.allowed_units
        for _ in range(attempts):
            number = int(rng.choice(numbers, p=weights))
            multiple = int(rng.choice(units))
            counts = {z: count * multiple for z, count in target.composition.items()}
            occupation = sample_occupation(number, counts, rng)
            if occupation is not None:
                batch = draw_batch(
                    space_group(number), occupation, volume, rng, min_contact=self.min_contact
                )
                yield from batch[: self.per_occupation]

    def _volume(self, target: Target) -> float:
        counts = np.array(list(target.composition.values()), dtype=np.float64)
        return float(self._volumes[list(target.composition)] @ counts / counts.sum())


def _space_groups(target: Target) -> tuple[NDArray[np.int64], Floats]:
    """Space groups and their probabilities: those predicted, or all alike."""
    guesses = target.symmetry.space_groups if target.symmetry else []
    if not any(guess.probability > 0 for guess in guesses):
        return np.arange(1, 231), np.full(230, 1 / 230)
    weights = np.array([guess.probability for guess in guesses])
    return np.array([guess.number for guess in guesses]), weights / weights.sum()
