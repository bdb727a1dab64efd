"""Library of known prototypes: the bank, retrieval, substitution and ranking."""
