"""Channels: one module per kind, each of which verifies and parses what that kind of channel sends."""
