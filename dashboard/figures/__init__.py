"""Figures (plotly) of documents; for the report, the web pages and notebooks."""

from dashboard.figures.flow import flow_figure
from dashboard.figures.funnel import funnel_figure
from dashboard.figures.hull import hull_figure
from dashboard.figures.models import caption, model_figures
from dashboard.figures.parity import parity_figure
from dashboard.figures.phonon import phonon_figure
from dashboard.figures.structure import structure_figure

__all__ = [
    "caption",
    "flow_figure",
    "funnel_figure",
    "hull_figure",
    "model_figures",
    "parity_figure",
    "phonon_figure",
    "structure_figure",
]
