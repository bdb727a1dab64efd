"""Stage `validity`: charge neutrality, electronegativity balance, and how metallic it is."""

from screening.validity.verdicts import Verdicts, check_validity

__all__ = ["Verdicts", "check_validity"]
