"""Magpie statistics by matminer, in its own environment; nothing of this project is imported."""

import json
import sys
import time
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")
# the script's folder comes first on the path, and this file has the package's name
sys.path.pop(0)

from matminer.featurizers.composition import ElementProperty  # noqa: E402
from pymatgen.core import Composition  # noqa: E402

answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
magpie = ElementProperty.from_preset("magpie")
magpie.stats = [stat for stat in magpie.stats if stat != "mode"]

for line in sys.stdin:
    request = json.loads(line)
    if request["task"] == "describe":
        answer = {
            "version": version("matminer"),
            "labels": [str(label) for label in magpie.feature_labels()],
        }
    else:
        items = request["items"]
        if request["task"] == "packed":
            items = [Composition(item) for item in items]
        start = time.perf_counter()
        rows = [
            magpie.featurize(item if request["task"] == "packed" else Composition(item))
            for item in items
        ]
        seconds = time.perf_counter() - start
        answer = {"rows": [[float(x) for x in row] for row in rows], "seconds": seconds}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
