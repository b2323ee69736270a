"""Mutation of any Python port: small changes of its syntax tree, tried in processes of their own."""
