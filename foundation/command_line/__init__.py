"""What the options of every command line have in common."""
