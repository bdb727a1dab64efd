"""Reference pages of the documentation, generated from the code at each build.

Sphinx calls `write_pages` before it reads sources. Every page is a table or a list that the code
already holds: fields of Makers and documents, options of commands, settings, routes of the web API.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[2]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}


def write_pages(app: Sphinx) -> None:
    """Write the pages that have changed into ``docs/reference`` (ignored by git)."""
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    for name, write in PAGES.items():
        text = "\n".join(write()) + "\n"
        page = folder / f"{name}.md"
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def _cell(text: object) -> str:
    """Write one line of a table cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def _row(*cells: object) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _table(*headings: str) -> Iterator[str]:
    yield ""
    yield _row(*headings)
    yield _row(*("---" for _ in headings))


_SECTION = re.compile(r"Attributes\n-+\n(.*)", re.DOTALL)
_ENTRY = re.compile(r"^(\S[^\n]*)\n((?:[ \t]+[^\n]*\n?|\n(?=[ \t]))+)", re.MULTILINE)


def attribute_texts(kind: type) -> dict[str, str]:
    """Read the `Attributes` sections of numpy docstrings, base classes first."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        section = _SECTION.search(inspect.cleandoc(base.__doc__ or ""))
        for names, text in _ENTRY.findall(section[1]) if section else ():
            for name in re.split(r",\s*", names):
                texts[name.strip("`* ")] = " ".join(text.split())
    return texts


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
        return "" if dataclasses.is_dataclass(value) else f"`{value!r}`"
    return "" if field.default is dataclasses.MISSING else f"`{field.default!r}`"


def campaign_file() -> Iterator[str]:
    """Write one table for each section of a campaign file."""
    from flows.campaign import CampaignMaker

    yield "# Campaign files: every field"
    yield ""
    yield "Sections are Makers, and names are fields of the Makers."
    campaign = CampaignMaker()
    yield from _fields("Campaign", campaign, skipped=campaign.stages())
    for section, maker in campaign.stages().items():
        yield from _fields(f"`{section}`", maker, skipped={})


def _fields(title: str, maker: Any, skipped: dict[str, Any]) -> Iterator[str]:
    texts = attribute_texts(type(maker))
    yield ""
    yield f"## {title}"
    summary = inspect.cleandoc(type(maker).__doc__ or "").splitlines()[0]
    yield ""
    yield f"{summary} [{type(maker).__name__}](makers.md#{type(maker).__name__.lower()})"
    yield from _table("name", "default", "meaning")
    for field in dataclasses.fields(maker):
        if field.name not in skipped:
            yield _row(f"`{field.name}`", _default(field), texts.get(field.name, ""))


def commands() -> Iterator[str]:
    """Write the help of every command."""
    from cli.commands import COMMANDS, load_command

    yield "# Commands"
    yield ""
    yield "`screening COMMAND --help` prints the same."
    for name in sorted(COMMANDS):
        yield from _commands(load_command(name), f"screening {name}")


def _commands(command: Any, path: str) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, child in sorted(command.commands.items()):
            yield from _commands(child, f"{path} {name}")
        return
    arguments = [p.name.upper() for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([path, *arguments])
    yield ""
    yield f"## {path}"
    yield ""
    yield f"    {usage} [OPTIONS]"
    yield ""
    yield _paragraphs(command.help or "")
    yield from _table("option", "meaning", "default")
    for parameter in command.params:
        if parameter.name == "help":
            continue
        names = [*parameter.opts, *parameter.secondary_opts]
        if parameter.param_type_name == "argument":
            names = [parameter.name.upper()]
        default = parameter.default
        shown = "" if default in (None, False, ()) or callable(default) else f"`{default}`"
        spelled = ", ".join(f"`{name}`" for name in names)
        yield _row(spelled, getattr(parameter, "help", "") or "", shown)


def _paragraphs(text: str) -> str:
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def settings() -> Iterator[str]:
    """Write a table of the settings."""
    from db_config import Settings

    yield "# Settings"
    yield ""
    yield (
        "Facts of the machine, never science. Each is a variable `SCREENING_NAME`, or a line "
        "`name: value` in `./screening.yaml` or `~/.screening.yaml`. Variables win. "
        "`screening config show` prints every value with its origin."
    )
    yield from _table("variable", "default", "meaning")
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        yield _row(f"`SCREENING_{name.upper()}`", default, field.description)


def makers() -> Iterator[str]:
    """List all Makers for mkdocstrings."""
    yield "# Makers"
    yield ""
    yield (
        "jobflow Makers: dataclasses whose fields are the science. Facts of the machine are "
        "[settings](settings.md)."
    )
    paths = json.loads((ROOT / "tests" / "public_paths.json").read_text())
    for path in sorted(paths):
        module, _, name = path.partition(":")
        kind = getattr(importlib.import_module(module), name)
        if inspect.isclass(kind) and name.endswith("Maker") and kind.__module__ == module:
            yield ""
            yield f"## {name}"
            yield ""
            yield "```{eval-rst}"
            yield f".. autoclass:: {module}.{name}"
            yield "   :members: make"
            yield "```"


def documents() -> Iterator[str]:
    """Write a table of fields for each document."""
    from stores.collections import COLLECTIONS

    yield "# Documents"
    yield ""
    yield (
        "One MongoDB collection per kind. Energies are in eV or eV/atom, lengths in Angstrom, "
        "pressures in GPa."
    )
    for collection in COLLECTIONS.values():
        schema = collection.schema
        yield ""
        yield f"## `{collection.name}`"
        yield ""
        summary = inspect.cleandoc(schema.__doc__ or "").splitlines()[0]
        yield f"{summary} The key is `{collection.key}`."
        yield from _table("field", "type", "meaning")
        for name, field in schema.model_fields.items():
            kind = re.sub(r"<(?:class|enum) '(?:\w+\.)*(\w+)'>", r"\1", str(field.annotation))
            kind = re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", kind)
            yield _row(f"`{name}`", f"`{kind}`", field.description or "")


def web_api() -> Iterator[str]:
    """Write a table of the routes of the JSON API."""
    from fastapi import FastAPI

    from dashboard.api.routes import router

    yield "# Web API"
    yield ""
    yield "Routes of `screening dashboard`. The same server answers OPTIMADE below `/optimade/v1`."
    application = FastAPI()
    application.include_router(router)
    schema = application.openapi()
    yield from _table("method", "path", "answer")
    for path, methods in sorted(schema["paths"].items()):
        for method, operation in methods.items():
            yield _row(
                method.upper(),
                f"`{path}`",
                operation.get("summary") or operation.get("description", ""),
            )


def index() -> Iterator[str]:
    """List the pages."""
    yield "# Reference"
    yield ""
    yield "Generated from the code, except for the metrics."
    yield ""
    yield "```{toctree}"
    yield ":maxdepth: 1"
    yield ""
    yield from (name for name in PAGES if name != "index")
    yield "/metrics"
    yield "```"


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "index": index,
    "campaign_file": campaign_file,
    "commands": commands,
    "settings": settings,
    "makers": makers,
    "documents": documents,
    "web_api": web_api,
}
