"""Money: shares, spreading, refunds. Pure."""
