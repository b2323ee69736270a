"""Commands for a strategy that trades: its sources for NinjaTrader, its decision log replayed."""
