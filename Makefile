# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0

PYTHON ?= python3
BIN := .venv/bin

# Nodes on other machines stay out of tests and demo.
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

# The wheels in .venv are a ROS of their own; a distribution that the shell has sourced must not mix with it.
unexport PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH

.DEFAULT_GOAL := help
.PHONY: help env test demo lint config clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

env: ## prepare .venv: ROS 2 and torch from wheels, messages, this package
	@$(PYTHON) tools/prepare_env.py

test: env ## run the tests; ARGS="-k name" is passed to pytest
	$(BIN)/python -m pytest $(ARGS)

demo: env ## run the demo; IMAGES=folder and CALIB=file in place of the built-in scene, ARGS
	$(BIN)/lightmatch demo $(if $(IMAGES),--images "$(IMAGES)") $(if $(CALIB),--calib "$(CALIB)") $(ARGS)

lint: env ## check style, format and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

config: env ## regenerate config/lightmatch.yaml and the README's parameter table
	$(BIN)/python -m lightmatch_ros.ros.generate

clean: ## remove what builds and tools leave behind; .venv stays
	rm -rf build install log out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
