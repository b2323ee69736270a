"""Asking a language model behind a server: the question, the client, batches and what it will cost."""
