"""``rltrader sweep``: a search for settings, on Optuna, by as many workers as take part."""
