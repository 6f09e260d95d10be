"""The local stack: MiniStack with the template of production deployed into it, on this machine alone.

`make up`, `make down` and `make logs` are its commands. Programs that use a running stack call `load_stack`.
"""

from infra.local.stack import Stack, load_stack

__all__ = ["Stack", "load_stack"]
