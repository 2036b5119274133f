#!/usr/bin/env bash
# Runs the tests of the byte casts and of paths under Miri, which finds undefined behaviour: shards, their writer, the
# summary. Needs a nightly toolchain with the components miri and rust-src. Miri maps no files, so tests that do are left
# out; the casts that they make are tested on plain bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Files are really written, in a temporary directory; proptest keeps none of its own.
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-symbolic-alignment-check"
export PROPTEST_DISABLE_FAILURE_PERSISTENCE=true
cargo +nightly miri test -p shared --lib -- shard:: statistics::summary_file:: inside:: "$@"
