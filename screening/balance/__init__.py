"""Charge neutrality and electronegativity balance of packed compositions.

Shared by the stages that judge compositions and by those that enumerate or measure them.
"""

from screening.balance.rules import accepted, balance_codes
from screening.balance.tables import DEFAULT_TABLE

__all__ = ["DEFAULT_TABLE", "accepted", "balance_codes"]
