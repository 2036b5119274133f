#!/usr/bin/env bash
# Runs all tests, end-to-end ones included: scripts/test.sh [ARGUMENTS OF cargo test]
# For example: scripts/test.sh --test e2e verify
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo test --release --workspace "$@"
