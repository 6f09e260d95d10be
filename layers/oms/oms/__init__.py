"""The order management system: what all functions share."""
