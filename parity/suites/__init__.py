"""What the gate runs: each suite turns bars and settings into check results."""
