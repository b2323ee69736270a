"""The command ``envparity``: check a pair, show one case, write a first pair, plant faults."""
