.PHONY: help check
check: ## lint, types, import layers and unit tests
	ruff check . && ruff format --check . && mypy && lint-imports && pytest -q -m "not real and not e2e"
