"""Each example script runs as it is, in an empty data folder, and prints what it promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
PROMISES = {
    "relax_structures": ["eV/atom", "collapsed"],
    "phonons": ["stable", "1 displacement"],
    "hull": ["rock salt", "0.040 eV/atom above the hull"],
    "generate_compositions": ["Na2FeS2: charges balance", "Na3S: charges do not balance"],
    "campaign": ["sodium-chloride is finished", "NaCl"],
    "predict_formula": ["Fm-3m", "prototypes, rank "],
}


def test_every_script_is_run():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PROMISES)


@pytest.mark.parametrize("name", PROMISES)
def test_script(name, mongo, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    for words in PROMISES[name]:
        assert words in done.stdout, done.stdout
