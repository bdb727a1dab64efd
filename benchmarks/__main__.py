"""Measure: `python -m benchmarks [NAME ...]`; without a name, all that compare with a peer."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import MissingPeerError, machine
from benchmarks.output import print_machine, print_report, say
from benchmarks.peers import REQUIREMENTS, install

if TYPE_CHECKING:
    from benchmarks.harness import Report

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: a function ``run(items, seed, repeats)`` of a module.

    Attributes
    ----------
    module
        The module.
    items, of
        How many items it measures by default, and what they are.
    summary
        What it compares, in a few words.
    unasked
        Whether it runs when no benchmark is named.
    function
        Name of the function.
    """

    module: str
    items: int
    of: str
    summary: str
    unasked: bool = True
    function: str = "run"


BENCHMARKS = {
    "validity": Benchmark("validity", 5000, "compositions", "verdicts, against SMACT"),
    "features": Benchmark("features", 3000, "compositions", "descriptors, against matminer"),
    "relax": Benchmark("relax", 16, "crystals", "CHGNet relaxation, against chgnet's optimizer"),
    "random": Benchmark(
        "random_crystals", 50, "compositions", "random symmetric crystals, against pyxtal"
    ),
    "hull": Benchmark("hull", 1000, "phases", "energies above the hull, against pymatgen"),
    "maps": Benchmark(
        "maps", 5000, "crystals", "fitness of contact maps, against CIF files", unasked=False
    ),
    "maps-search": Benchmark(
        "maps",
        10,
        "space groups",
        "a search of a million evaluations",
        unasked=False,
        function="run_search",
    ),
    "predict": Benchmark(
        "predict", 20, "formulas", "from a formula to its candidates", unasked=False
    ),
    "sites": Benchmark(
        "site_likelihood", 30, "systems", "all substitutions, against plain Python", unasked=False
    ),
    "funnel": Benchmark(
        "funnel", 5_000_000, "samples", "autoregressive, to the best 100", unasked=False
    ),
    "funnel-matgan": Benchmark(
        "funnel", 5_000_000, "samples", "the same with MatGAN", unasked=False, function="run_matgan"
    ),
    "funnel-killed": Benchmark(
        "funnel",
        200_000,
        "samples",
        "killed midway, against undisturbed",
        unasked=False,
        function="run_killed",
    ),
    "dashboard": Benchmark(
        "dashboard", 1_000_000, "candidates", "answers of the web pages", unasked=False
    ),
    "gpaw": Benchmark(
        "gpaw", 6, "crystals", "lattice constants of GPAW, against published ones", unasked=False
    ),
    "potentials": Benchmark(
        "potentials",
        60,
        "crystals of each file",
        "time of an evaluation, and errors on labelled files",
        unasked=False,
    ),
    "resume": Benchmark(
        "resume", 10, "kills", "a killed campaign, against an undisturbed one", unasked=False
    ),
}


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(
        f"  {name:15}{b.summary} ({b.items:,} {b.of})" for name, b in BENCHMARKS.items()
    )
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"{__doc__}\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="*", help="which; default: all that compare with a peer")
    parser.add_argument("--items", type=int, help="how many items, for each benchmark")
    parser.add_argument("--seed", type=int, default=0, help="seed of the inputs (default 0)")
    parser.add_argument("--repeats", type=int, default=3, help="repeats in turns (default 3)")
    parser.add_argument(
        "--install-peers",
        action="store_true",
        help="make the environments of peers that cannot share ours (.peers/, by pip)",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file")
    return parser


def _install_peers() -> None:
    """Make the environment of each peer; one that fails is said, and missing later."""
    for peer in REQUIREMENTS:
        try:
            install(peer)
        except MissingPeerError as error:
            say(f"error: {error}")


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; returns the exit status.

    The status is 1 if results disagree or a peer is not installed; the other benchmarks still run.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    unknown = [name for name in given.name if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}: use some of {', '.join(BENCHMARKS)}")
    for option in ("items", "repeats"):
        value = getattr(given, option)
        if value is not None and value < 1:
            parser.error(f"--{option} {value} must be at least 1")
    if given.json is not None and not given.json.absolute().parent.is_dir():
        parser.error(f"--json {given.json}: its folder does not exist")
    names = given.name or [name for name, each in BENCHMARKS.items() if each.unasked]
    if not given.name:
        say("Benchmarks:")
        for name, each in BENCHMARKS.items():
            say(f"  {name:15}{each.summary}{'' if each.unasked else ' (only when named)'}")
    if given.install_peers:
        _install_peers()
    host = machine()
    print_machine(host)
    results = {name: _run(name, given.items, given.seed, given.repeats) for name in names}
    if given.json is not None:
        content = {"machine": host | {"load_after": machine()["load"]}, "benchmarks": results}
        given.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    failed = [name for name, result in results.items() if not result["passed"]]
    if failed:
        say(f"\nnot passed: {', '.join(failed)}")
    return int(bool(failed))


def _run(name: str, items: int | None, seed: int, repeats: int) -> dict[str, Any]:
    """Run and print one benchmark; returns its figures."""
    benchmark = BENCHMARKS[name]
    count = items or benchmark.items
    settings = {"items": count, "seed": seed, "repeats": repeats}
    try:
        module = import_module(f"benchmarks.{benchmark.module}")
        report: Report = getattr(module, benchmark.function)(count, seed, repeats)
    except MissingPeerError as missing:
        say(f"\n{name}: {missing}")
        return settings | {"passed": False, "missing": str(missing)}
    print_report(name, report)
    return settings | report.as_dict()


if __name__ == "__main__":
    os.environ.update(dict.fromkeys(THREADS, "1"))  # numpy and torch are not imported yet
    sys.exit(main())
