"""Clients of the native protocol. They know the wire format and nothing of the server."""
