"""Everything around the system: its command line, its local stack, its locks and its documents."""
