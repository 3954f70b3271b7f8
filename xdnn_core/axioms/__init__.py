"""Table 1: axioms of attribution methods, each cell decided by experiment."""
