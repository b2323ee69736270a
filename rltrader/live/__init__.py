"""Commands around a strategy that trades: its sources for NinjaTrader, and its decision log replayed."""
