"""Stock: positions, demand, available to sell. Pure."""
