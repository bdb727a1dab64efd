"""Single points of a second potential on the lowest crystals of searched formulas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.engines import Crystal, make_engine
from screening.engines.threads import one_thread
from screening.evaluation.stability.background import evidence_of_record
from screening.evaluation.stability.search import read_records
from screening.progress import report
from screening.stability.evidence import JUDGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from screening.engines import Engine

FORMULAS = 8
"""Formulas whose crystals are evaluated together."""


def lowest_crystals(record: Mapping[str, Any]) -> dict[str, Crystal]:
    """Rebuild the lowest relaxed crystals of a record, by their number in it."""
    evidence = evidence_of_record(record)
    if evidence is None:
        return {}
    crystals = {}
    for proposal in evidence.proposals[:JUDGED]:
        name = proposal.structure_id or "0"
        row = record["structures"][int(name)]
        cell = np.array(row["lattice"], dtype=np.float64)
        points = np.array(row["frac_coords"], dtype=np.float64)
        crystals[name] = Crystal(np.array(row["numbers"], dtype=np.int64), cell, points @ cell)
    return crystals


def judge_records(records: Sequence[Mapping[str, Any]], engine: Engine) -> Iterator[dict[str, Any]]:
    """Evaluate the lowest crystals of records, and yield a row for each formula.

    Rows hold `formula`, `engine`, and `energies` (eV/atom) by the number of the structure in the
    record; there are none of a formula without a relaxed structure.
    """
    for start in range(0, len(records), FORMULAS):
        batch = records[start : start + FORMULAS]
        crystals = [lowest_crystals(record) for record in batch]
        flat = [crystal for group in crystals for crystal in group.values()]
        with one_thread():
            results = iter(engine.evaluate(flat) if flat else [])
        for record, group in zip(batch, crystals, strict=True):
            energies = {
                name: next(results).energy / len(crystal) for name, crystal in group.items()
            }
            finite = {name: energy for name, energy in energies.items() if np.isfinite(energy)}
            yield {"formula": record["formula"], "engine": engine.name, "energies": finite}


def judge_file(records_path: Path, out: Path, engine_name: str, device: str) -> list[str]:
    """Judge the records of a file that another file does not have yet; append to that file.

    Returns
    -------
    Formulas that the file has.
    """
    records = read_records(records_path)
    done = [row["formula"] for row in read_records(out)]
    remaining = [record for record in records if record["formula"] not in set(done)]
    engine = make_engine(engine_name, device=device)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a", encoding="utf-8") as file:
        for row in judge_records(remaining, engine):
            file.write(json.dumps(row) + "\n")
            file.flush()
            done.append(row["formula"])
            report("stability-judge", len(done), len(records), row["formula"])
    return done
