"""The Python client and the command `zhiyin say`."""
