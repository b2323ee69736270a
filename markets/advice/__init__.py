"""Advice on bars: what advisors say, the table it is kept in, and how it meets a policy."""
