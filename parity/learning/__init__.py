"""Whether two trainers learn the same: tables of results in, a test of equivalence out."""
