"""The potential against DFT: what both say of one crystal, and where they surprise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening.schemas import HullEntry, PhononDoc, StructureDoc


@dataclass(frozen=True)
class Thresholds:
    """From where on a difference is a surprise.

    Attributes
    ----------
    formation_energy
        Formation energies (eV/atom): beyond the error of good potentials (0.03 to 0.1).
    above_hull
        Energies above the hull (eV/atom).
    volume
        Volumes (fraction of DFT's).
    rmsd
        Distance of the atoms (Angstrom), after the best superposition at the same volume.
    moment
        From this moment of a site on (mu_B) a crystal is magnetic.
    """

    formation_energy: float = 0.1
    above_hull: float = 0.05
    volume: float = 0.05
    rmsd: float = 0.1
    moment: float = 0.5


@dataclass(frozen=True)
class Opinion:
    """What one source says of a crystal; None where it says nothing.

    Attributes
    ----------
    structure
        The relaxed structure.
    entry
        Its place on the source's hull.
    phonon
        Its phonons.
    """

    structure: StructureDoc
    entry: HullEntry | None = None
    phonon: PhononDoc | None = None


@dataclass
class Comparison:
    """One crystal by the potential and by DFT. Differences are the potential's minus DFT's.

    Attributes
    ----------
    potential, dft
        What both say.
    formation_energy, above_hull
        eV/atom; None where one of them has no hull.
    volume
        Fraction of DFT's volume per atom.
    rmsd
        Angstrom; None where they are no longer the same crystal.
    surprises
        What exceeds the thresholds, in words.
    """

    potential: Opinion
    dft: Opinion
    formation_energy: float | None = None
    above_hull: float | None = None
    volume: float | None = None
    rmsd: float | None = None
    surprises: list[str] = field(default_factory=list)


def compare(potential: Opinion, dft: Opinion, thresholds: Thresholds | None = None) -> Comparison:
    """Compare a potential with DFT on one crystal.

    Total energies are never compared: those of two sources have different zeros.

    Parameters
    ----------
    potential, dft
        What both say.
    thresholds
        What is a surprise; by default `Thresholds()`.
    """
    limits = thresholds or Thresholds()
    result = Comparison(potential, dft)
    if not (dft.structure.relaxation and dft.structure.relaxation.state.usable):
        result.surprises.append(f"DFT failed: {dft.structure.reason or 'no reason is known'}")
        return result
    _energies(result, limits)
    _shapes(result, limits)
    _verdicts(result)
    moments = dft.structure.relaxation.magnetic_moments or [0.0]
    if max(abs(moment) for moment in moments) > 0.5:
        before = potential.structure.relaxation
        if not (
            before and before.magnetic_moments and max(map(abs, before.magnetic_moments)) > 0.5
        ):
            result.surprises.append("magnetic in DFT only")
    return result


def _energies(result: Comparison, limits: Thresholds) -> None:
    mine, other = result.potential.entry, result.dft.entry
    if mine is None or other is None:
        return
    result.formation_energy = mine.formation_energy_per_atom - other.formation_energy_per_atom
    result.above_hull = mine.energy_above_hull - other.energy_above_hull
    if abs(result.formation_energy) > limits.formation_energy:
        result.surprises.append(
            f"formation energies differ by {result.formation_energy:+.3f} eV/atom"
        )
    if abs(result.above_hull) > limits.above_hull:
        result.surprises.append(
            f"energies above the hull differ by {result.above_hull:+.3f} eV/atom"
        )


def _shapes(result: Comparison, limits: Thresholds) -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    mine, other = result.potential.structure, result.dft.structure
    result.volume = mine.volume_per_atom / other.volume_per_atom - 1
    if abs(result.volume) > limits.volume:
        result.surprises.append(f"volumes differ by {100 * result.volume:+.1f} %")
    found = StructureMatcher().get_rms_dist(mine.to_structure(), other.to_structure())
    if found is None:
        result.surprises.append("DFT relaxes it to another crystal")
        return
    result.rmsd = float(found[0]) * other.volume_per_atom ** (1 / 3)
    if result.rmsd > limits.rmsd:
        result.surprises.append(f"atoms moved by {result.rmsd:.2f} Angstrom")
    if mine.symmetry and other.symmetry and mine.symmetry.number != other.symmetry.number:
        result.surprises.append(
            f"space group {mine.symmetry.symbol} becomes {other.symmetry.symbol}"
        )


def _verdicts(result: Comparison) -> None:
    mine, other = result.potential.phonon, result.dft.phonon
    if mine and other and {mine.verdict, other.verdict} >= {"stable", "unstable"}:
        result.surprises.append(f"phonons: {mine.verdict.value} becomes {other.verdict.value}")
