"""Which call runs next, and where."""
