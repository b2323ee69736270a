"""Learning study: whether both learners learn the same, over many seeds, fixed beforehand."""
