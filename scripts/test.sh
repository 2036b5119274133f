#!/usr/bin/env bash
# Runs all tests, including the end-to-end tests: scripts/test.sh [ARGUMENTS OF cargo test]
# For example: scripts/test.sh --test e2e verify
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo test --release --workspace "$@"
