"""`python -m benchmarks NAME`: run one benchmark, or all of them."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path


def resume() -> None:
    """Kill a campaign 10 times and compare its materials with an undisturbed run."""
    from benchmarks.resume import kill_and_compare

    with tempfile.TemporaryDirectory() as folder:
        result = kill_and_compare(Path(folder), kills=10)
    print(
        f"killed {result.kills} times: {result.resumed} materials, undisturbed "
        f"{result.undisturbed} in {result.seconds:.0f} s; equal: {result.equal}; tasks finished "
        f"twice: {result.doubled}"
    )


BENCHMARKS = {"resume": resume}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*BENCHMARKS, []], help="which; default: all")
    for name in parser.parse_args().name or BENCHMARKS:
        print(f"== {name}: {(BENCHMARKS[name].__doc__ or '').strip()}")
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
