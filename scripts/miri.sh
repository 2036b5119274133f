#!/usr/bin/env bash
# Runs the tests of byte casts (shards, shard writer, summary) and of paths under Miri, which finds undefined behaviour.
# Needs a nightly toolchain with the components miri and rust-src. Miri does not support memory-mapped files, so tests
# that map files are skipped; their casts are tested on plain bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Isolation is off because the tests write temporary files. Proptest must not write its failure files.
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-symbolic-alignment-check"
export PROPTEST_DISABLE_FAILURE_PERSISTENCE=true
cargo +nightly miri test -p shared --lib -- shard:: statistics::summary_file:: inside:: "$@"
