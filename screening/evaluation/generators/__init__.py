"""How good generated crystals are: ``screening evaluate generators``."""
