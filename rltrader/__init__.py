"""The command line ``rltrader``: one module a subcommand, which turns options into a library call."""
