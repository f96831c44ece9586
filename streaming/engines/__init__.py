"""Runtimes: one file per library that runs networks, and the fake."""
