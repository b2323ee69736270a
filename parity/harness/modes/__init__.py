"""Further ways of comparing two sides: free runs, draws within a step, objects put back in a state."""
