"""English of docstrings, help and pages: the worst patterns do not come back.

A title is a noun phrase with its technical noun first, or an imperative. Counts may only fall:
lower a ceiling when you have mended some.
"""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("screening", "stores", "makers", "flows", "db_config", "dashboard", "cli")
START = ("index.md", "howto.md", "explanation.md", "glossary.md", "laboratory_notes.md")
CEILINGS = {
    r"^(What|How|Which|Whether|Where|Why|Those|That)\b(?!.*\?)": 380,
    r"^(Most|Fewest|Least) \w+": 45,
    r"\bso many\b": 16,
    r"\b(likeliest|commonest|surest)\b": 44,
}
"""Pattern -> number of docstrings with it that are left to be mended."""


def docstrings():
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "node_modules" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)):
                    text = ast.get_docstring(node)
                    if text:
                        name = getattr(node, "name", "module")
                        yield f"{path.relative_to(ROOT)}:{name}", text


def beginnings(text):
    """First line of a docstring, and of what it says of each argument or attribute."""
    lines = text.splitlines()
    return [
        line.strip()
        for before, line in pairwise(["", *lines])
        if line and (line == lines[0] or (line[0] == " " and before and before[0] != " "))
    ]


@pytest.mark.parametrize("pattern", CEILINGS)
def test_docstrings(pattern):
    places = [
        place
        for place, text in docstrings()
        if any(re.search(pattern, line) for line in beginnings(text))
    ]
    assert len(places) <= CEILINGS[pattern], places


def pages():
    return [
        *(ROOT / "docs" / name for name in START),
        *(ROOT / "docs" / "start").glob("*.md"),
        *(ROOT / "docs" / "methods").glob("*.md"),
        ROOT / "README.md",
    ]


def sentences(path):
    """Sentences of the prose of a page: no code, tables, headings or lists of links."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not re.match(r"    |\||#|:?- |!\[|\d\. ", line)]
    prose = re.sub(r"\]\([^)]*\)", "]", "\n".join(lines)).replace(":   ", "")
    prose = re.sub(r"`[^`]*`", "code", prose)  # a command is one word
    for paragraph in re.split(r"\n\s*\n", prose):
        yield from (s for s in re.split(r"(?<=[.!?:])\s+", " ".join(paragraph.split())) if s)


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_sentences_of_the_first_pages_are_short(path):
    long = [text for text in sentences(path) if len(text.split()) > 28]
    assert not long


def test_sentences_of_all_pages_are_short():
    """Nine of ten sentences have at most 28 words."""
    everything = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "methods").glob("*.md")]
    lengths = sorted(len(text.split()) for path in everything for text in sentences(path))
    assert lengths[int(0.9 * len(lengths))] <= 28


def test_links_of_the_first_files_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / name).read_text()):
            assert (ROOT / target).exists(), f"{name}: {target}"
