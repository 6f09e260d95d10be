"""The local stack: MiniStack with the template of production deployed into it, on this machine alone.

`make up`, `make down` and `make logs` are its commands. Programs that use one call `ministack.running_stack`.
"""
