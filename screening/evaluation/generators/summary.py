"""Figures of each method from what was noted of its structures."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.balance import accepted, balance_codes
from screening.composition import CompositionArray
from screening.crystal.distances import MIN_CONTACT
from screening.evaluation.generators.options import KNOWN
from screening.evaluation.transformer import LEAST_DISTANCE
from screening.metrics.intervals import bootstrap_interval
from screening.metrics.matching import TOLERANCES, Matches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from screening.evaluation.generators.held_out import Subject

    Row = dict[str, Any]

PAPER = {
    "random-p1": {"converged": 0.502, "steps": 90.25, "displacement": 1.88},
    "random": {"converged": 0.798, "steps": 50.81, "displacement": 1.35},
    "cond-cdvae": {"converged": 0.946, "steps": 44.73, "displacement": 0.79},
}
"""Cond-CDVAE-4M, Table III at 0 GPa: 500 structures of each kind, PBE, at most 150 steps."""
PAPER_STEPS = 150
"""Most steps of a relaxation in the paper."""
NEAR = 0.05
"""Relaxed structures within this (eV/atom) of the known crystal are near it."""

_RANKS = (1, 20, 100)


def figures(part: Mapping[str, Any], known: Mapping[str, float], seed: int) -> dict[str, Any]:
    """Summarise one method.

    Means are over formulas, of the mean of each; their 95 % intervals are bootstrapped over
    formulas (over structures where there is one formula).

    Parameters
    ----------
    part
        ``formulas`` and ``rows``, see `Measurement.block`.
    known
        Energy of the relaxed known crystal of each formula (eV/atom).
    seed
        Seed of the intervals.

    Returns
    -------
    ``n`` formulas, ``structures``, ``without`` any; ``seconds`` of the processor for a structure;
    means of ``valid_distance`` (0.5 Angstrom), ``valid_contact``, ``distinct``, ``new_family``,
    ``new_prototype``; ``match``, ``match_interval`` and ``rmse`` by tolerance; ``relaxation``, see
    `_relaxation`.
    """
    formulas, rows = part["formulas"], part["rows"]
    made = sum(one["made"] for one in formulas)
    measures: dict[str, Callable[[Row], float]] = {
        "valid_distance": lambda row: row["distance"] >= LEAST_DISTANCE,
        "valid_contact": lambda row: row["contact"] >= MIN_CONTACT,
        "distinct": lambda row: row["distinct"],
        "new_family": lambda row: row["new_family"],
        "new_prototype": lambda row: row["new_prototype"],
    }
    matches = matches_of(part)
    return {
        "n": len(formulas),
        "structures": made,
        "without": sum(not one["made"] for one in formulas),
        "seconds": sum(one["seconds"] for one in formulas) / made if made else None,
        **{name: _mean(rows, value, seed) for name, value in measures.items()},
        "match": _rates(matches),
        "match_interval": _intervals(matches, seed),
        "rmse": matches.rmse(),
        "relaxation": _relaxation(rows, known, seed),
    }


def matches_of(part: Mapping[str, Any]) -> Matches:
    """Put the distances from the known crystals back in order: formulas by ranks."""
    places = {one["formula"]: place for place, one in enumerate(part["formulas"])}
    top = max(one["asked"] for one in part["formulas"])
    rms = {name: np.full((len(places), top), np.nan) for name in TOLERANCES}
    for row in part["rows"]:
        for name, values in rms.items():
            if row[name] is not None:
                values[places[row["formula"]], row["rank"] - 1] = row[name]
    return Matches(rms)


def _ranks(matches: Matches) -> list[int]:
    last = matches.ranks()[-1]
    return sorted({rank for rank in _RANKS if rank < last} | {last})


def _rates(matches: Matches) -> dict[str, dict[str, float]]:
    return {
        name: {str(rank): float(matches.hits(name, rank).mean()) for rank in _ranks(matches)}
        for name in TOLERANCES
    }


def _intervals(matches: Matches, seed: int) -> dict[str, dict[str, list[float]]]:
    return {
        name: {
            str(rank): list(bootstrap_interval(matches.hits(name, rank).astype(float), seed=seed))
            for rank in _ranks(matches)
        }
        for name in TOLERANCES
    }


def _relaxation(rows: Sequence[Row], known: Mapping[str, float], seed: int) -> dict[str, Any]:
    """Summarise relaxations.

    Returns
    -------
    ``n`` relaxed, ``states``, means of ``converged`` and ``converged_150`` (within the paper's
    steps); of the converged ones means of ``steps``, ``displacement`` (Angstrom), ``above``
    (eV/atom above the known crystal), its ``median_above``; of all that were relaxed ``near``
    (within 0.05 eV/atom of the known crystal, or below) and ``loose`` and ``strict`` matches.
    """
    relaxed = [row for row in rows if "relaxed" in row]
    converged = [row for row in relaxed if _converged(row)]
    compared = [row for row in converged if row["formula"] in known]
    above = [_above(row, known) for row in compared]
    return {
        "n": len(relaxed),
        "states": dict(Counter(row["relaxed"]["state"] for row in relaxed)),
        "converged": _mean(relaxed, _converged, seed),
        "converged_150": _mean(
            relaxed, lambda row: _converged(row) and row["relaxed"]["steps"] <= PAPER_STEPS, seed
        ),
        "steps": _mean(converged, lambda row: row["relaxed"]["steps"], seed),
        "displacement": _mean(converged, lambda row: row["relaxed"]["displacement"], seed),
        "above": _mean(compared, lambda row: _above(row, known), seed),
        "median_above": float(np.median(above)) if above else None,
        "near": _mean(relaxed, lambda row: near(row, known), seed),
        **{name: _mean(relaxed, partial(_matched, tolerance=name), seed) for name in TOLERANCES},
    }


def _converged(row: Row) -> bool:
    return bool(row["relaxed"]["state"] == "converged")


def _matched(row: Row, tolerance: str) -> bool:
    return row["relaxed"][tolerance] is not None


def _above(row: Row, known: Mapping[str, float]) -> float:
    return float(row["relaxed"]["energy"] - known[row["formula"]])


def near(row: Row, known: Mapping[str, float]) -> bool:
    """Tell whether a relaxed structure is as low as the known crystal, or almost."""
    return (
        row["relaxed"]["energy"] is not None
        and row["formula"] in known
        and _above(row, known) <= NEAR
    )


def known_energies(part: Mapping[str, Any]) -> dict[str, float]:
    """Energies of the relaxed known crystals (eV/atom), the lowest of each formula."""
    found: dict[str, float] = {}
    for row in part["rows"]:
        if "relaxed" in row and _converged(row):
            energy = row["relaxed"]["energy"]
            found[row["formula"]] = min(energy, found.get(row["formula"], energy))
    return found


def _mean(rows: Sequence[Row], value: Callable[[Row], float], seed: int) -> dict[str, Any]:
    """Mean with its interval; both None for no rows."""
    groups: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        groups[row["formula"]].append(float(value(row)))
    if not groups:
        return {"mean": None, "interval": None}
    means = [float(np.mean(values)) for values in groups.values()]
    each = means if len(means) > 1 else next(iter(groups.values()))
    interval = bootstrap_interval(np.array(each), seed=seed)
    return {"mean": float(np.mean(means)), "interval": list(interval)}


def plots(parts: Mapping[str, Mapping[str, Any]], known: Mapping[str, float]) -> dict[str, Any]:
    """Numbers behind the figures.

    Returns
    -------
    ``samples``: share of the formulas found (loosely) by number of structures; ``minima`` and
    ``displacements``: shares of all that were relaxed with no more energy (eV/atom) above the known
    crystal, or displacement (Angstrom), than each value. By method: columns ``x`` and ``y``.
    """
    found: dict[str, dict[str, Any]] = {"samples": {}, "minima": {}, "displacements": {}}
    for method, part in parts.items():
        relaxed = [row for row in part["rows"] if "relaxed" in row]
        converged = [row for row in relaxed if _converged(row)]
        moved = [row["relaxed"]["displacement"] for row in converged]
        found["displacements"][method] = _cumulative(moved, len(relaxed))
        if method == KNOWN:
            continue
        above = [_above(row, known) for row in converged if row["formula"] in known]
        found["minima"][method] = _cumulative(above, len(relaxed))
        matches = matches_of(part)
        ranks = range(1, matches.ranks()[-1] + 1)
        found["samples"][method] = {
            "x": list(ranks),
            "y": [float(matches.hits("loose", rank).mean()) for rank in ranks],
        }
    return found


def _cumulative(values: Sequence[float], n: int) -> dict[str, list[float]]:
    ordered = np.sort(np.array(values, dtype=np.float64))
    return {"x": ordered.round(4).tolist(), "y": (np.arange(1, len(ordered) + 1) / n).tolist()}


def tables(methods: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tables for a terminal: what was generated, what matches, and how it relaxed."""
    generated, relaxed = [], []
    for method, own in methods.items():
        shares = {name: own[name]["mean"] for name in ("valid_contact", "distinct", "new_family")}
        generated.append({"method": method, **{key: own[key] for key in GENERATED}, **shares})
        moved = own["relaxation"]
        relaxed.append(
            {"method": method, "n": moved["n"], "median_above": moved["median_above"]}
            | {name: moved[name]["mean"] for name in (*PAPER["random"], "near", "loose")}
        )
    relaxed += [{"method": f"paper: {name}", **row} for name, row in PAPER.items()]
    return [
        {"title": "Generated", "rows": generated, "columns": GENERATED_COLUMNS},
        *(_matches_table(methods, name) for name in TOLERANCES),
        {"title": "Relaxed", "rows": relaxed, "columns": RELAXED_COLUMNS},
    ]


def _matches_table(methods: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    rows = [
        {
            "method": method,
            **{f"@{rank}": rate for rank, rate in own["match"][name].items()},
            "rmse": own["rmse"][name],
        }
        for method, own in methods.items()
    ]
    headings = {key: key for row in rows for key in row}
    return {"title": f"Matches, {name}", "rows": rows, "columns": headings}


def polymorphs_table(found: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Table of the known crystals that each method found, see `landscape`."""
    rows = [{"method": method, **counts} for method, counts in found.items()]
    return {"title": "Known crystals found", "rows": rows, "columns": POLYMORPH_COLUMNS}


GENERATED = ("n", "structures", "seconds")
GENERATED_COLUMNS = {
    "method": "method",
    "n": "formulas",
    "structures": "made",
    "valid_contact": "valid",
    "distinct": "distinct",
    "new_family": "new",
    "seconds": "CPU s",
}
POLYMORPH_COLUMNS = {
    "method": "method",
    "structures": "structures",
    "known": "known",
    "generated": "found",
    "relaxed": "relaxed",
}
RELAXED_COLUMNS = {
    "method": "method",
    "n": "n",
    "converged": "converged",
    "steps": "steps",
    "displacement": "RMSD, Å",
    "median_above": "eV/atom",
    "near": "near",
    "loose": "match",
}


def join(blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put the parts of a method together."""
    return {
        name: [item for block in blocks for item in block[name]] for name in ("formulas", "rows")
    }


def subjects_summary(subjects: Sequence[Subject]) -> dict[str, Any]:
    """Describe the formulas: their number, and the share that is charge-balanced by SMACT."""
    formulas = [subject.formula for subject in subjects]
    charges = accepted(balance_codes(CompositionArray.from_formulas(formulas)))
    return {
        "n": len(subjects),
        "valid_charge": float(charges.mean()),
        "atoms": float(np.mean([len(subject.crystals[0]) for subject in subjects])),
    }
