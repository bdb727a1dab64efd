"""The ladder of evidence: what a crystal has passed, where it failed, what nobody asked.

The rungs follow the protocol of arXiv:2607.01713. The first rung that fails decides the line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.schemas.stability import BY_DFT, LadderDoc, Rung, RungState
from screening.stability.assess import DECIDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.schemas import StabilityDoc
    from screening.schemas.material import MaterialDoc
    from screening.schemas.phonon import PhononDoc

NEW = "new composition"
"""Name of the rung that a known compound fails, which says nothing against it."""
COMPLETE = 1
"""Least number of known compounds in the chemical system of a complete enough diagram."""


def climb(
    stability: StabilityDoc,
    material: MaterialDoc | None = None,
    phonon: PhononDoc | None = None,
) -> LadderDoc:
    """Climb the ladder of one composition and its lowest crystal.

    Parameters
    ----------
    stability
        Probability and distances.
    material
        The crystal as users browse it, if it is near a hull.
    phonon
        Its phonons by a potential, if they were computed.
    """
    rungs = [
        _on_hull(stability),
        _complete(stability),
        _potentials(stability),
        _dynamic(material, phonon),
        Rung(
            name="stable at temperature",
            state=RungState.NOT_ASKED,
            ground="free energies of the crystal and of its competitors are not compared",
        ),
        _known(stability),
    ]
    return LadderDoc(
        formula=stability.formula,
        structure_id=stability.structure_id,
        rungs=rungs,
        line=_line(rungs, stability),
    )


def _line(rungs: Sequence[Rung], stability: StabilityDoc) -> str:
    """Sum up: P, the first rung that fails or all that are passed, and whether it is known."""
    climbed = [rung for rung in rungs if rung.name != NEW]
    failed = next((rung for rung in climbed if rung.state is RungState.FAILED), None)
    passed = [rung.name for rung in climbed if rung.state is RungState.PASSED]
    if failed is not None:
        state = f"fails at '{failed.name}': {failed.ground}"
    else:
        state = f"passed: {', '.join(passed) or 'nothing'}"
    known_distance = stability.known_above_hull
    new = (
        "new composition"
        if known_distance is None
        else f"known, {known_distance:.3f} eV/atom above the hull (DFT)"
    )
    words = stability.verdict.worded(stability.verdict_by)
    return (
        f"{stability.formula}: {words}, "
        f"P(on the hull) = {stability.probability.on_hull:.2f}; {state}; {new}"
    )


def _on_hull(stability: StabilityDoc) -> Rung:
    """Stable at 0 K: by DFT where the compound is known, else by the probability."""
    probability, known_distance = stability.probability.on_hull, stability.known_above_hull
    best = stability.judge_distance or stability.structure_distance
    distance = best or stability.composition_distance
    text = (
        f"P(on the hull) = {probability:.2f} from {stability.evidence}, prevalence "
        f"{stability.prevalence:.2f}; decomposition enthalpy "
        f"{distance.decomposition_enthalpy:+.3f} eV/atom by {distance.source}"
    )
    if stability.verdict_by == BY_DFT and known_distance is not None:
        return Rung(
            name="stable at 0 K",
            state=RungState.PASSED if known_distance <= 0 else RungState.FAILED,
            value=known_distance,
            unit="eV/atom above the hull",
            ground=f"{known_distance:.3f} eV/atom above the hull by DFT; {text}",
        )
    return Rung(
        name="stable at 0 K",
        state=RungState.PASSED if probability >= DECIDED else RungState.FAILED,
        value=probability,
        unit="probability",
        ground=text,
    )


def _complete(stability: StabilityDoc) -> Rung:
    """Tell whether the diagram knows compounds in all of its systems."""
    missing = stability.systems_without_reference
    enough = stability.n_references >= COMPLETE and (not missing or missing == [stability.chemsys])
    text = f"{stability.n_references} known compounds ({stability.reference})"
    if missing:
        text += f"; none in {', '.join(missing)}"
    return Rung(
        name="on a complete enough diagram",
        state=RungState.PASSED if enough else RungState.FAILED,
        value=float(stability.n_references),
        unit="compounds",
        ground=text,
    )


def _potentials(stability: StabilityDoc) -> Rung:
    """By how many of the potentials the lowest crystal is on the hull."""
    distances = [
        d for d in (stability.structure_distance, stability.judge_distance) if d is not None
    ]
    if not distances:
        return Rung(
            name="by potentials",
            state=RungState.NOT_ASKED,
            ground="no structure has an energy on the scale of the diagram",
        )
    agree = sum(distance.decomposition_enthalpy <= 0 for distance in distances)
    return Rung(
        name="by potentials",
        state=RungState.PASSED if 2 * agree > len(distances) else RungState.FAILED,
        value=float(agree),
        unit=f"of {len(distances)}",
        ground="; ".join(
            f"{d.decomposition_enthalpy:+.3f} eV/atom by {d.source}" for d in distances
        ),
    )


def _dynamic(material: MaterialDoc | None, phonon: PhononDoc | None) -> Rung:
    """Tell whether the phonons have no imaginary frequencies."""
    verdict = material.dynamic_stability if material else None
    if verdict is None or verdict == "not_converged":
        return Rung(
            name="dynamically stable",
            state=RungState.NOT_ASKED,
            ground="no phonons: ask with `screening predict FORMULA --phonon`",
        )
    text = f"phonons are {verdict}"
    if phonon is not None:
        text += f" by {phonon.engine}, supercell {phonon.supercell}"
    return Rung(
        name="dynamically stable",
        state=RungState.FAILED if verdict == "unstable" else RungState.PASSED,
        value=material.min_frequency if material else None,
        unit="THz",
        ground=text,
    )


def _known(stability: StabilityDoc) -> Rung:
    """Tell whether the composition is new: a known one is no failure, but no discovery either."""
    distance = stability.known_above_hull
    if distance is None:
        return Rung(
            name=NEW,
            state=RungState.PASSED,
            ground=f"not in {stability.reference}",
        )
    return Rung(
        name=NEW,
        state=RungState.FAILED,
        value=distance,
        unit="eV/atom above the hull in DFT",
        ground=f"known: {stability.reference}; {distance:.3f} eV/atom above the hull in DFT",
    )
