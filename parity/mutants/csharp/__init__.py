"""Mutation testing of the C# side: a seeded sample of small changes, each compiled and judged."""
