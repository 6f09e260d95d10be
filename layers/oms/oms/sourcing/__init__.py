"""Choosing locations for order lines. Pure."""
