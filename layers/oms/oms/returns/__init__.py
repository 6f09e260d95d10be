"""Returns: requested, received, disposed. Pure."""
