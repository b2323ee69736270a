"""What the Python API has beside its agent: callbacks, schedules, networks of the user's own."""
