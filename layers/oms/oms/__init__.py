"""The order management system: what all functions share."""

from oms import precompiled

precompiled.install()
