"""The demonstration: a believable retailer, its orders, and a simulated warehouse, on a deployed stack."""
