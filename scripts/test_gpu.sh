#!/usr/bin/env bash
# Tests the code of GPUs on a device of `train devices`, by default vulkan:0:
# scripts/test_gpu.sh [DEVICE] [--quick | --train]
# Compares the front end, the LSTM, and the logits and gradients of ten models with the CPU's. --quick takes one model;
# --train also compares whole trainings. A software device needs a minute for the front end, a minute for mm-crnn and
# more than ten for some other models. Skips the tests if no Vulkan driver is installed. On Debian, the package
# mesa-vulkan-drivers has a Vulkan device in software.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

device=vulkan:0
tests=(--lib -- frontend::device:: models::tests::on_a_device::)
for argument in "$@"; do
    case $argument in
        --quick) tests=(--lib -- frontend::device:: models::tests::on_a_device::lstm models::tests::on_a_device::mm_crnn) ;;
        --train) tests=(--lib --test e2e -- frontend::device:: models::tests::on_a_device:: gpu::) ;;
        *) device=$argument ;;
    esac
done
case $device in
    cuda*) feature=train/cuda ;;
    *) feature=train/gpu ;;
esac
# Mesa warns if it is missing.
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}

if [[ $device == vulkan* && -z $(find /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /etc/vulkan/icd.d \
    -name '*.json' -print -quit 2> /dev/null) ]]; then
    echo "skipped: no Vulkan driver is installed; on Debian: apt-get install mesa-vulkan-drivers"
    exit 0
fi
# The first kernel that works is good enough for tests.
export CUBECL_AUTOTUNE_LEVEL=minimal
CRATEDIGGER_TEST_DEVICE=$device cargo test --release --workspace --features "$feature" "${tests[@]}"
