"""Commands around a strategy that trades: its C# sources, and its decision log replayed."""
