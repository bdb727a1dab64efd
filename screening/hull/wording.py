"""How a verdict and its ground are said, the same in tables, on pages, in files and in reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.schemas import PhononDoc

SHOWN = 4
"""Systems that a sentence names; the others are counted."""


def reference_gap(systems: Sequence[str]) -> str:
    """Say which systems of a hull have no reference compound.

    Parameters
    ----------
    systems
        Chemical systems, as `screening.hull.coverage.systems_without_reference` lists them.

    Returns
    -------
    str
        Empty where every system has one.

    Examples
    --------
    >>> reference_gap(["Mn-S"])
    'no Mn-S compound among the references'
    >>> reference_gap(["Li-Mn", "Mn-S", "Li-Mn-S"])
    'no Li-Mn, Mn-S or Li-Mn-S compound among the references'
    """
    if not systems:
        return ""
    named, n_further = systems[:SHOWN], len(systems) - SHOWN
    text = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} or {named[-1]}"
    further = (
        f", nor of {n_further} further system{'s' * (n_further > 1)}," if n_further > 0 else ""
    )
    return f"no {text} compound{further} among the references"


def reference_ground(n_references: int | None, systems: Sequence[str]) -> str:
    """Say how many reference compounds a distance to the hull rests on, and what is missing.

    Examples
    --------
    >>> reference_ground(1, ["Mn-S"])
    '1 reference compound, no Mn-S compound among the references'
    """
    if n_references is None:
        return "references not counted: `screening db doctor --fix`"
    plural = "" if n_references == 1 else "s"
    clauses = [f"{n_references} reference compound{plural}", reference_gap(systems)]
    return ", ".join(clause for clause in clauses if clause)


def is_complete(n_references: int | None, systems: Sequence[str]) -> bool:
    """Whether each system has a reference compound, so that 'on the hull' may be shown as good."""
    return n_references is not None and not systems


def known_statement(known: bool | None, source: str | None) -> str:  # noqa: FBT001 - a field
    """Say whether a crystal is a known phase, never without the source that was searched.

    Examples
    --------
    >>> known_statement(False, "prototype bank 'prototypes' (2026-11-21)")
    "not in prototype bank 'prototypes' (2026-11-21)"
    """
    if known is None:
        return "not compared with known phases"
    if source is None:
        return "the sources that were searched are not named: `screening db doctor --fix`"
    return f"{'in' if known else 'not in'} {source}"


def superseded_statement(superseded_by: str | None) -> str:
    """Say what has replaced a material; empty while it is current.

    Examples
    --------
    >>> superseded_statement("hull-8b1f")
    'superseded: not an entry of the newest hull, hull-8b1f'
    """
    if superseded_by is None:
        return ""
    if superseded_by.startswith("hull-"):
        return f"superseded: not an entry of the newest hull, {superseded_by}"
    return f"superseded by {superseded_by}, the same crystal with a lower energy"


def phonon_rule(phonon: PhononDoc) -> str:
    """Say by which rule frequencies were judged; see `screening.phonon.verdict`."""
    return (
        "The lowest frequency at the q points that fit the supercell decides: below "
        f"-{phonon.marginal_tolerance:g} THz the crystal is unstable, below "
        f"-{phonon.tolerance:g} THz marginal. Elsewhere frequencies are interpolated: an imaginary "
        "one there makes it marginal at most"
    )


def ranking_rule(*, by_hull: bool) -> str:
    """Say in which order a campaign has its compositions; see `makers.candidates`."""
    if by_hull:
        return (
            "by the distance to the hull of the predicted energies of all compositions of the "
            "campaign; equal distances by the predicted formation energy"
        )
    return "by the predicted formation energy"
