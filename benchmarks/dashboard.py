"""List and detail addresses of the dashboard on a large database: candidates, crystals, structures.

The documents have the fields and sizes of real ones, with random values; crystals and structures
are a fifth of the candidates. Times are those of whole answers of the application, without the
network.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient

    from stores import Database

BAR_MS = 150.0
FIRST_PAGE_MS = 1000.0
BULK = 5000
CACHE_GB = "1.5"
"""Memory of the server's cache: its default of 0.25 GB holds a tenth of the documents."""
HULL_ENTRIES = 300
DATE = datetime(2026, 1, 1, tzinfo=UTC)
CAMPAIGNS = [f"camp-{n}" for n in range(5)]
METHODS = ("prototypes", "random", "substitution", "metric", "spacegroups")
VERDICTS = ("stable", "marginal", "unstable", "not_converged")
SYMBOLS = (
    "Li", "Be", "B", "C", "N", "O", "F", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "K", "Ca", "Sc",
    "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Rb", "Sr",
    "Y", "Zr", "Nb", "Mo", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Cs", "Ba",
    "La", "Ce", "Nd", "Gd", "Hf", "Ta", "W", "Ir", "Pt", "Au", "Pb", "Bi",
)  # fmt: skip


def run(items: int, seed: int, repeats: int) -> Report:
    """Fill a database and ask each kind of question ``100 * repeats`` times."""
    report = Report(f"dashboard: {items:,} candidates, {items // 5:,} crystals and structures")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SCREENING_DATA_DIR": folder, "SCREENING_CACHE_GB": CACHE_GB}
        from db_config import get_settings, reset_settings
        from stores import Database

        reset_settings()
        with closing(Database(get_settings())) as database:
            start = time.perf_counter()
            fill(database, items, seed)
            report.figures["seconds to fill"] = round(time.perf_counter() - start, 1)
            ask_all(database, report, items, seed, 100 * repeats)
    return report


def ask_all(database: Database, report: Report, items: int, seed: int, n: int) -> None:
    """Measure every kind of question."""
    from fastapi.testclient import TestClient

    from dashboard.app import create_app

    with TestClient(create_app(database), base_url="http://127.0.0.1") as client:
        for name, question in questions(client, items, seed).items():
            times = sorted(_time(client, question()) for _ in range(n))
            middle, p95 = median(times), times[int(0.95 * len(times))]
            report.figures[f"{name}, ms (median, p95, longest)"] = (
                f"{middle:.0f}, {p95:.0f}, {times[-1]:.0f}"
            )
            if name == "first page":
                passed = times[-1] <= FIRST_PAGE_MS
                report.check(
                    name, f"longest {times[-1]:.0f} ms <= {FIRST_PAGE_MS:.0f}", passed=passed
                )
            report.check(name, f"p95 {p95:.0f} ms <= {BAR_MS:.0f}", passed=p95 <= BAR_MS)


def _time(client: TestClient, address: str) -> float:
    start = time.perf_counter()
    answer = client.get(address)
    seconds = time.perf_counter() - start
    if answer.status_code != 200:
        raise RuntimeError(f"{address}: {answer.status_code} {answer.text[:200]}")
    return 1000 * seconds


def questions(client: TestClient, items: int, seed: int) -> dict[str, Callable[[], str]]:
    """Name what is asked; each call gives another address."""
    generator = random.Random(seed + 1)

    def material() -> str:
        return f"mat-{generator.randrange(items // 5):07d}"

    def following() -> str:
        answer = client.get(f"/api/v1/materials?{_filter(generator)}&limit=50").json()
        after = f"&after={answer['after']}" if answer["after"] else ""
        return f"/api/v1/materials?limit=50{after}"

    return {
        "first page": lambda: "/discoveries",
        "discoveries, filtered": lambda: f"/api/v1/materials?{_filter(generator)}",
        "discoveries, filtered page": lambda: f"/discoveries?{_filter(generator)}",
        "discoveries, next page": following,
        "material": lambda: f"/api/v1/materials/{material()}",
        "material page": lambda: f"/materials/{material()}",
        "candidates of a campaign": lambda: (
            f"/api/v1/candidates?campaign={generator.choice(CAMPAIGNS)}&limit=100"
        ),
        "candidates by energy": lambda: f"/api/v1/candidates?sort={generator.choice(SORTS)}",
        "campaigns": lambda: "/",
        "campaign page": lambda: f"/campaigns/{generator.choice(CAMPAIGNS)}",
        "chemical system": lambda: f"/api/v1/systems/{_system(generator)}",
        "OPTIMADE, filtered": lambda: f"/optimade/v1/structures?filter={_optimade(generator)}",
    }


SORTS = ("e_form", "-e_form", "rank", "-rank")


def _system(generator: random.Random) -> str:
    return "-".join(sorted(generator.sample(SYMBOLS[:20], generator.choice((2, 3)))))


def _filter(generator: random.Random) -> str:
    """Make a filter as people do: one to three conditions, and sometimes another order."""
    some = {
        "elements": lambda: "&".join(
            f"elements={el}" for el in generator.sample(SYMBOLS, generator.choice((1, 2)))
        ),
        "system": lambda: f"chemsys={_system(generator)}",
        "e_hull": lambda: f"e_hull_max={generator.choice((0.0, 0.02, 0.05, 0.1))}",
        "e_form": lambda: f"e_form_max={-generator.random() * 2:.2f}",
        "atoms": lambda: f"atoms_max={generator.randint(3, 40)}",
        "space_group": lambda: f"space_group={generator.choice((1, 2, 12, 62, 194, 216, 225))}",
        "stable": lambda: "stable=true",
        "phonons": lambda: f"phonons={generator.choice(VERDICTS)}",
        "known": lambda: f"known={generator.choice(('true', 'false'))}",
        "method": lambda: f"method={generator.choice(METHODS)}",
        "campaign": lambda: f"campaign={generator.choice(CAMPAIGNS)}",
    }
    chosen = generator.sample(sorted(some), generator.randint(1, 3))
    orders = ("", "", "&sort=e_form", "&sort=-e_hull", "&sort=atoms", "&sort=formula")
    return "&".join(some[name]() for name in chosen) + generator.choice(orders)


def _optimade(generator: random.Random) -> str:
    first, second = generator.sample(SYMBOLS, 2)
    return generator.choice(
        (
            f'elements HAS ALL "{first}","{second}"',
            f'elements HAS "{first}" AND nelements=3',
            f'_screening_energy_above_hull<0.01 AND elements HAS "{first}"',
            f"nsites<{generator.randint(4, 12)}",
            '_screening_kind="material"',
        )
    )


def fill(database: Database, items: int, seed: int) -> None:
    """Write the documents."""
    from stores.optimade import build_optimade

    generator = random.Random(seed)
    raw = database.raw
    raw("campaigns").insert_many([_campaign(name) for name in CAMPAIGNS])
    raw("hulls").insert_one(_hull())
    for name, rows in (
        ("candidates", (_candidate(generator, n) for n in range(items))),
        ("structures", (_structure(generator, n) for n in range(items // 5))),
        ("materials", (_material(generator, n) for n in range(items // 5))),
    ):
        while batch := list(islice(rows, BULK)):
            raw(name).insert_many(batch, ordered=False)
    build_optimade(database)


def _campaign(name: str) -> dict[str, Any]:
    from screening.schemas import CampaignDoc

    document = CampaignDoc(campaign_id=name, name=name, seed=1, config={}, state="finished")
    return document.model_dump(mode="python") | {"state": "finished"}


def _hull() -> dict[str, Any]:
    entry = {
        "composition": {"Li": 2.0, "S": 1.0}, "formula": "Li2S", "energy_per_atom": -4.0,
        "formation_energy_per_atom": -1.0, "energy_above_hull": 0.1, "decomposition": {},
        "role": "candidate", "outlier": None, "members": [],
    }  # fmt: skip
    return {
        "hull_id": "hull-1", "chemsys": "Li-S", "energy_source": "chgnet-0.3.0", "version": 1,
        "entries": [{**entry, "entry_id": f"str-{n:07d}"} for n in range(HULL_ENTRIES)],
        "n_entries": HULL_ENTRIES, "created": DATE, "provenance": None,
    }  # fmt: skip


def _composition(generator: random.Random) -> dict[str, Any]:
    n = generator.choices((1, 2, 3, 4), (2, 25, 55, 18))[0]
    pool = SYMBOLS[:20] if generator.random() < 0.5 else SYMBOLS
    elements = sorted(generator.sample(pool, n))
    counts = [generator.randint(1, 6) for _ in elements]
    return {
        "formula": "".join(
            f"{el}{c if c > 1 else ''}" for el, c in zip(elements, counts, strict=True)
        ),
        "chemsys": "-".join(elements),
        "elements": elements,
        "nelements": n,
    }


def _candidate(generator: random.Random, n: int) -> dict[str, Any]:
    energy = generator.gauss(-1.2, 0.8)
    return {
        "candidate_id": f"cand-{n:07d}",
        "campaign_id": generator.choice(CAMPAIGNS),
        **_composition(generator),
        "natoms_formula": 8,
        "generation": {"method": "matgan", "batch_id": "bat-1", "index": n, "seed": 1},
        "validity": {
            "valid": True, "reason": "balanced", "table": "icsd24_filtered", "metallicity": 0.1,
        },
        "energy": {
            "formation_energy_per_atom": energy, "uncertainty": 0.05, "lower90": energy - 0.08,
            "upper90": energy + 0.08, "reference": "mp2020",
            "model": {"name": "energy", "version": "2", "sha256": "0" * 64},
        },
        "score": energy, "rank": n // 5 + 1, "stage": "energy",
        "provenance": None,
    }  # fmt: skip


def _crystal(generator: random.Random) -> dict[str, Any]:
    composition = _composition(generator)
    nsites = generator.randint(2, 12)
    symbols = [composition["elements"][i % composition["nelements"]] for i in range(nsites)]
    number = generator.choice((1, 2, 12, 62, 194, 216, 225, *range(1, 231)))
    return composition | {
        "nsites": nsites,
        "density": generator.uniform(2, 12),
        "symmetry": {
            "number": number, "symbol": f"P{number}", "crystal_system": "cubic", "symprec": 0.01,
        },
        "structure": {
            "@module": "pymatgen.core.structure", "@class": "Structure", "charge": 0,
            "lattice": {"matrix": [[5.0, 0, 0], [0, 5.0, 0], [0, 0, 5.0]], "pbc": [True] * 3},
            "sites": [
                {
                    "species": [{"element": symbol, "occu": 1}],
                    "abc": [i / nsites] * 3, "xyz": [5 * i / nsites] * 3, "label": symbol,
                    "properties": {},
                }
                for i, symbol in enumerate(symbols)
            ],
        },
    }  # fmt: skip


def _structure(generator: random.Random, n: int) -> dict[str, Any]:
    return {
        "structure_id": f"str-{n:07d}", "parent_id": None, "stage": "relaxed", "role": "candidate",
        **_crystal(generator), "volume_per_atom": 15.0,
        "origins": [_origin(generator)], "duplicate_of": None, "state": "ok", "reason": None,
        "relaxation": {
            "engine": "chgnet-0.3.0", "state": "converged", "energy": -30.0,
            "energy_per_atom": -5.0, "fmax": 0.04, "steps": 50, "pressure": 0.0,
        },
        "provenance": None,
    }  # fmt: skip


def _origin(generator: random.Random) -> dict[str, Any]:
    return {
        "method": generator.choice(METHODS), "version": "1", "rank": 1, "score": 0.1, "seed": 1,
        "template": None, "parameters": {},
    }  # fmt: skip


def _material(generator: random.Random, n: int) -> dict[str, Any]:
    crystal = _crystal(generator)
    above = max(0.0, generator.expovariate(20) - 0.005)
    return {
        "material_id": f"mat-{n:07d}", "structure_id": f"str-{n:07d}",
        "found_as": [f"str-{n:07d}"], "campaign_ids": [generator.choice(CAMPAIGNS)],
        "candidate_ids": [f"cand-{n:07d}"], "formula_pretty": crystal.pop("formula"),
        "formula_anonymous": "AB", **crystal, "volume": 15.0 * crystal["nsites"],
        "energy_source": "chgnet-0.3.0", "energy_per_atom": -5.0,
        "formation_energy_per_atom": generator.gauss(-1.2, 0.8), "energy_above_hull": above,
        "is_stable": above == 0, "hull_id": "hull-1", "hull_created": DATE, "decomposes_to": {},
        "dynamic_stability": generator.choice(VERDICTS) if generator.random() < 0.02 else None,
        "min_frequency": None, "known": generator.random() < 0.1, "known_source": None,
        "predicted_formation_energy_per_atom": -1.0, "origins": [_origin(generator)],
        "method": generator.choice(METHODS), "last_updated": DATE,
    }  # fmt: skip
