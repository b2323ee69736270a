"""Walk-forward: a policy trained on each window of dates and judged on the dates that follow it."""
