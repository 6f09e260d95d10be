# Included by the Makefile of every function and layer; `sam build` runs it in their own folders (build_in_source).

PROJECT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/..)

build-%:
	cd "$(PROJECT)" && .venv/bin/python -m infra.artifacts "$(CURDIR)" "$(ARTIFACTS_DIR)"
