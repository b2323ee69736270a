"""What a training tells: its log, the loggers beside it, and a ranking of its agents."""
