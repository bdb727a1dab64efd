"""The shape of the project: who imports whom, how large things are, which paths are public."""

import ast
import collections
import graphlib
import json
import re
from functools import cache
from pathlib import Path

import pytest

from screening.checkpoints import bundled_names, read_card

ROOT = Path(__file__).parents[1]
PACKAGES = ("screening", "stores", "makers", "flows", "db_config", "dashboard", "cli")
ALLOWED = {
    "screening": set(),
    "db_config": {"screening"},  # errors only, see below
    "stores": {"screening", "db_config"},
    "makers": {"screening", "stores", "db_config"},
    "flows": {"screening", "makers", "stores", "db_config"},
    "dashboard": {"screening", "stores", "db_config"},
    "cli": {"screening", "makers", "flows", "stores", "db_config", "dashboard"},
}
STAGES = (
    "generation", "validity", "energy", "symmetry", "structure", "relax", "hull", "stability",
    "phonon", "validation",
)  # fmt: skip
LIBRARIES = (
    "balance", "checkpoints", "crystal", "data", "energy_scale", "engines", "features", "gpaw",
    "metrics", "properties", "prototypes", "readers", "references", "schemas", "site_likelihood",
    "training", "tuning",
)  # fmt: skip
"""Packages of `screening/` that stages share; they know no stage."""
APPLICATIONS = ("evaluation", "pressure")
"""Packages of `screening/` above the stages, which may import several of them."""
BARE_WORDS = {
    "after", "all_", "asked", "before", "both", "chosen", "each", "far", "found", "given", "kept",
    "known", "least", "left", "made", "mine", "more", "most", "near", "one", "others", "own",
    "part", "parts", "place", "places", "rest", "second", "there", "thing", "things", "wanted",
    "way", "ways",
}  # fmt: skip
"""Determiners and participles that say nothing in a traceback."""
MAX_BARE_WORDS = 1160
"""Bindings of `BARE_WORDS` at most; lowered with each pass over the names, never raised."""
MAX_FILE, MAX_MAKER, MAX_INIT, MAX_FUNCTION = 400, 200, 100, 60


@cache
def parsed(path):
    """Parse a file once for all tests."""
    return ast.parse(path.read_text())


@cache
def sources():
    found = (path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    return sorted(path for path in found if "node_modules" not in path.parts)


def imports(path):
    """Yield the modules that a file imports, anywhere in it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def ids(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", sources(), ids=ids)
def test_imports_point_one_way(path):
    package = path.relative_to(ROOT).parts[0]
    found = {name.split(".")[0] for name in imports(path)} & set(PACKAGES)
    assert found - {package} <= ALLOWED[package]


def test_settings_stand_below_everything():
    for path in (ROOT / "db_config").glob("*.py"):
        ours = {name for name in imports(path) if name.split(".")[0] == "screening"}
        assert ours <= {"screening.errors"}, path


def test_every_package_of_the_science_has_its_place():
    packages = {path.parent.name for path in (ROOT / "screening").glob("*/*.py")}
    assert packages <= {*STAGES, *LIBRARIES, *APPLICATIONS}


@pytest.mark.parametrize("package", [*STAGES, *LIBRARIES])
def test_stages_and_libraries_do_not_import_stages(package):
    """A stage imports libraries, a library other libraries; only applications import stages."""
    above = {f"screening.{other}" for other in (*STAGES, *APPLICATIONS) if other != package}
    for path in (ROOT / "screening" / package).rglob("*.py"):
        imported = {".".join(name.split(".")[:2]) for name in imports(path)}
        assert not imported & above, path


def test_names_make_sense_in_a_traceback():
    """`found`, `own`, `part` ... are not names of things; see `BARE_WORDS`."""
    bindings = collections.Counter(
        (path, name)
        for path in sources()
        for node in ast.walk(parsed(path))
        if (name := _binding(node)) in BARE_WORDS
    )
    worst = [f"{ids(path)}: {name} x {n}" for (path, name), n in bindings.most_common(10)]
    assert bindings.total() <= MAX_BARE_WORDS, worst


def _binding(node):
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    return node.arg if isinstance(node, ast.arg) else None


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_the_same_stem_everywhere(stage):
    assert (ROOT / "screening" / stage / "__init__.py").is_file()
    assert (ROOT / "screening" / "schemas" / f"{stage}.py").is_file()
    assert (ROOT / "makers" / f"{stage}.py").is_file()
    assert list((ROOT / "tests" / "screening" / stage).glob("test_*.py"))


def test_only_stores_talk_to_mongodb():
    for path in sources():
        if path.relative_to(ROOT).parts[0] in {"stores", "db_config"}:
            continue
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"pymongo", "maggma", "gridfs", "bson"}, path


def test_only_stores_write_queries():
    """Operators and raw collections of MongoDB stay inside; ``$ref`` is JSON schema's."""
    for path in sources():
        if path.relative_to(ROOT).parts[0] not in {"stores", "db_config", "screening"}:
            text = path.read_text()
            assert not re.search(r"""["']\$(?!ref)[a-z]|\.raw\(""", text), path


def test_no_branch_on_a_dft_code():
    """`makers.dft.code` hands out what differs between codes."""
    for path in sources():
        if path.relative_to(ROOT).parts[0] in {"makers", "flows", "cli"}:
            assert not re.search(r"\.?\bcode (==|!=|in) [\"'\[({]", path.read_text()), path


def test_no_circles():
    """No circle of imports, those inside functions and for type checkers included."""
    modules = {_module(path): path for path in sources()}
    graph = {}
    for module, path in modules.items():
        tree = ast.walk(parsed(path))
        names = {
            name for node in tree for name in _imported(node) if name in modules and name != module
        }
        graph[module] = names
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def _module(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def _imported(node):
    """Yield what may be modules: of ``from a import b`` also ``a.b``, and only then not ``a``."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            is_module = (ROOT / full.replace(".", "/")).with_suffix(".py").exists()
            yield full if is_module else node.module


def test_science_knows_no_workflow_engine():
    for path in (ROOT / "screening").rglob("*.py"):
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"jobflow", "fireworks", "atomate2"}, path


@pytest.mark.parametrize("path", sources(), ids=ids)
def test_sizes(path):
    text = path.read_text()
    lines = text.count("\n")
    limit = MAX_MAKER if path.parent.name == "makers" and path.stem != "base" else MAX_FILE
    assert lines <= (MAX_INIT if path.name == "__init__.py" else limit)
    for node in ast.walk(parsed(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = node.body[0].end_lineno - node.body[0].lineno + 1
            length = node.end_lineno - node.lineno + 1
            length -= docstring if ast.get_docstring(node) else 0
            assert length <= MAX_FUNCTION, f"{node.name} has {length} lines"


def test_public_paths():
    """jobflow, FireWorks and cards keep these paths: moving one needs a re-export.

    A class of a checkpoint needs a line in `screening.checkpoints.former_names` instead.
    """
    listed = json.loads((ROOT / "tests" / "public_paths.json").read_text())
    for path in listed:
        module, name = path.split(":")
        assert hasattr(__import__(module, fromlist=[name]), name), path
    present = {read_card(name).model for name in bundled_names()}
    for source in [*(ROOT / "makers").rglob("*.py"), *(ROOT / "flows").glob("*.py")]:
        module = ".".join(source.relative_to(ROOT).with_suffix("").parts)
        for node in parsed(source).body:
            is_maker = isinstance(node, ast.ClassDef) and node.name.endswith("Maker")
            is_job = isinstance(node, ast.FunctionDef) and any(
                isinstance(mark, ast.Name) and mark.id == "job" for mark in node.decorator_list
            )
            if is_maker or is_job:
                present.add(f"{module}:{node.name}")
    assert present <= set(listed), "add new public paths to tests/public_paths.json"


def test_scripts_of_others_are_not_in_the_repository():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"node_modules/", "/dashboard/static/bundle/"} <= set(ignored)
    lock = json.loads((ROOT / "dashboard/frontend/package-lock.json").read_text())
    for name, package in lock["packages"].items():
        assert not name or package.get("integrity"), name


def test_nothing_prints():
    for path in sources():
        for node in ast.walk(parsed(path)):
            assert not (isinstance(node, ast.Call) and getattr(node.func, "id", None) == "print"), (
                path
            )


def test_no_pickle_is_read():
    for path in sources():
        text = re.sub(r"torch\.load\((?:[^()]|\([^()]*\))*weights_only=True", "", path.read_text())
        assert not re.search(r"\bimport pickle\b|\bjoblib\b|torch\.load\(|np\.load\(", text), path


def test_every_document_field_has_a_description():
    from screening import schemas
    from screening.schemas import Document
    from screening.schemas import __all__ as names

    for name in names:
        schema = getattr(schemas, name)
        if isinstance(schema, type) and issubclass(schema, Document):
            for field, info in schema.model_fields.items():
                assert info.description, f"{name}.{field}"
