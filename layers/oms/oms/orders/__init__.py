"""Orders: lines, counters, statuses, money totals, the journal. Pure."""
