"""Fulfillment orders and shipments: states, transitions, counters. Pure."""
