"""Examples of clients, each to be run with `python -m`: see README.md in this folder."""
