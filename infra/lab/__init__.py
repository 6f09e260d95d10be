"""The lab: the whole system in one process, under seeded faults (see `infra.lab.simulation`)."""
