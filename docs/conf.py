"""Configuration of the documentation: Sphinx, MyST Markdown and the PyData theme.

Sphinx is what pymatgen, jobflow and atomate2 use, so that links to their objects are possible, and
its theme fetches nothing from another host.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_extension")]

project = "Screening"
copyright = "the authors of Screening"  # noqa: A001 - the name that Sphinx reads
extensions = [
    "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "reference_pages",
]  # fmt: skip
exclude_patterns = ["_build", "_extension"]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 4
nitpicky = False
suppress_warnings = ["myst.strikethrough"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_ivar = True

html_theme = "pydata_sphinx_theme"
html_title = "Screening"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 5,
}
