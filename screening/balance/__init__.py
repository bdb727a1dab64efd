"""Charge neutrality and electronegativity balance of packed compositions.

Shared by the stages that judge compositions and by those that enumerate or measure them.
"""

from screening.balance.rules import DEFAULT_TABLE, accepted, balance_codes

__all__ = ["DEFAULT_TABLE", "accepted", "balance_codes"]
