"""Whether both learners learn the same: a study of many seeds with everything fixed beforehand."""
