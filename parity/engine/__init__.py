"""The parity engine: compares any mutable reference with any functional port. It knows neither."""
