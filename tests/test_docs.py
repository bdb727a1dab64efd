"""The documentation builds without a warning: links, references, generated pages."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site; a broken link is a warning, and a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(ROOT / "docs"), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("reference/campaign_file", ["max_above_hull", "charge-balanced compositions"]),
        ("reference/commands", ["screening predict", "--methods"]),
        ("reference/settings", ["SCREENING_MONGO_URI"]),
        ("reference/documents", ["energy_above_hull", "eV/atom"]),
        ("reference/makers", ["GenerationMaker", "RelaxMaker"]),
        ("reference/web_api", ["/api/v1/"]),
        ("start/first_prediction", ["screening predict SrTiO3"]),
    ],
)
def test_pages_hold_what_they_promise(site, page, words):
    text = (site / f"{page}.html").read_text()
    for word in words:
        assert word in text, word


def test_pages_fetch_nothing_from_another_host(site):
    for page in site.rglob("*.html"):
        text = page.read_text()
        for mark in ('src="http', 'rel="stylesheet" href="http'):
            assert mark not in text, page
