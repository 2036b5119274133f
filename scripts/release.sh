#!/usr/bin/env bash
# Packs both programs for machines without Rust: scripts/release.sh [--target TARGET] [--features cuda] [--out DIR]
#
# Writes DIR/cratedigger-VERSION-TARGET.tar.gz (with CUDA: -cuda.tar.gz) and its SHA-256 checksum. The archive has the
# programs, shell completions, manual pages, the licences of this project and of all crates that are linked in, and
# REQUIREMENTS.txt: what the programs need of the system. --target is a target of rustc (default: this machine's); the
# programs for x86_64-unknown-linux-musl need no C library and run on any Linux. They need `rustup target add
# x86_64-unknown-linux-musl` and musl-gcc. --features cuda is for NVIDIA GPUs. DIR is target/packages by default.
#
# The same sources and the same compiler in the same directory give the same archive.
set -euo pipefail

usage() {
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "${BASH_SOURCE[0]}" >&2
    exit 2
}

fail() {
    echo "error: $1" >&2
    exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
target=$host features='' out=target/packages
while [[ $# -gt 0 ]]; do
    case $1 in
        --target | --features | --out)
            [[ $# -ge 2 ]] || usage
            declare "${1#--}=$2"
            shift 2
            ;;
        *) usage ;;
    esac
done
[[ -z $features || $features == cuda ]] || usage
for program in readelf strip; do
    command -v "$program" > /dev/null || fail "$program is missing; install binutils"
done

# The programs name it in --version.
CRATEDIGGER_COMMIT=$(git rev-parse --short=12 HEAD)
export CRATEDIGGER_COMMIT
build=(cargo build --release --locked)
bin=${CARGO_TARGET_DIR:-target}
if [[ $target != "$host" ]]; then
    build+=(--target "$target")
    bin+=/$target
fi
bin+=/release
if [[ $target == *-musl ]]; then
    [[ -z $features ]] || fail "CUDA is loaded at run time, which a musl program cannot do; leave out --target or --features"
    command -v musl-gcc > /dev/null || fail "musl-gcc is missing; on Debian: apt-get install -y musl-tools"
fi
"${build[@]}" -p preprocess
"${build[@]}" -p train ${features:+--features "$features"}

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
name=cratedigger-$version-$target${features:+-$features}
mkdir -p "$out"
out=$(cd "$out" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
package=$scratch/$name
mkdir -p "$package"/{bin,completions,man/man1}

for program in preprocess train; do
    strip -o "$package/bin/$program" "$bin/$program"
    for shell in bash fish zsh; do
        "$package/bin/$program" completions "$shell" > "$package/completions/$program.$shell"
    done
    "$package/bin/$program" man "$package/man/man1" > /dev/null
done
cp README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$package"

# needed PROGRAM: the shared libraries that it loads at start.
needed() {
    LC_ALL=C readelf --dynamic "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

# glibc PROGRAM: the newest version of a symbol of glibc that it uses.
glibc() {
    LC_ALL=C readelf --version-info "$1" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1
}

{
    echo "Target: $target"
    echo "Built with: $(rustc --version)"
    for program in preprocess train; do
        libraries=$(needed "$package/bin/$program" | sort | paste -sd ' ')
        version_needed=$(glibc "$package/bin/$program" || true)
        echo
        "$package/bin/$program" --version
        echo "    libraries: ${libraries:-none, it is statically linked}"
        if [[ -n $version_needed ]]; then
            echo "    glibc: ${version_needed#GLIBC_} or newer (\`ldd --version\` prints yours)"
        fi
    done
    if [[ $features == cuda ]]; then
        cat << 'END'

train --device cuda also needs:
    an NVIDIA driver: libcuda.so.1
    NVRTC of the CUDA toolkit: libnvrtc.so, in LD_LIBRARY_PATH or the system's library path
    the header files of the CUDA toolkit: $CUDA_PATH/include, or /usr/local/cuda/include
    with several GPUs: NCCL, libnccl.so
END
    fi
} > "$package/REQUIREMENTS.txt"

# The list of linked crates except those of this project, which have a path, and their licence texts. Equal texts are
# written once.
cargo tree --locked -p preprocess -p train ${features:+--features "train/$features"} --target "$target" -e normal \
    --prefix none --format '{p}|{l}' | grep -v ' (/' | sed 's/ (.*|/|/; s/ (\*)$//' | sort -u > "$scratch/crates"
sources=("${CARGO_HOME:-$HOME/.cargo}"/registry/src/*)
mkdir "$scratch/texts"
while IFS='|' read -r crate licence; do
    # find fails if there are several registries, because one of them lacks the crate.
    { find "${sources[@]/%//${crate/ v/-}}" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' \
        -o -iname 'notice*' -o -iname 'unlicense*' \) 2> /dev/null || true; } | sort |
        while read -r text; do
            sum=$(sha256sum < "$text")
            cp "$text" "$scratch/texts/${sum%% *}"
            echo "${sum%% *} $crate ($licence)" >> "$scratch/uses"
        done
done < "$scratch/crates"
{
    echo "Crates that are linked into the programs, and their licences. Their sources are on https://crates.io."
    echo
    sed 's/|/: /' "$scratch/crates"
    cut -d ' ' -f 1 "$scratch/uses" | sort -u | while read -r sum; do
        printf '\n%.0s' 1 2
        echo "=== $(sed -n "s/^$sum //p" "$scratch/uses" | sort -u | paste -sd , | sed 's/,/, /g')"
        echo
        cat "$scratch/texts/$sum"
    done
} > "$package/LICENSES-OF-CRATES.txt"

# The time of the commit, so the archive does not depend on when it is made.
time=$(git log -1 --format=%ct)
find "$package" -type d -exec chmod 755 {} +
find "$package" -type f -exec chmod 644 {} +
chmod 755 "$package"/bin/*
tar --create --directory "$scratch" --sort=name --format=ustar --mtime="@$time" --owner=0 --group=0 --numeric-owner "$name" |
    gzip --no-name -9 > "$scratch/$name.tar.gz"

# Runs the programs of the archive without this environment.
mkdir "$scratch/unpacked"
tar --extract --directory "$scratch/unpacked" --file "$scratch/$name.tar.gz"
for program in preprocess train; do
    env -i "$scratch/unpacked/$name/bin/$program" --version
done
mv "$scratch/$name.tar.gz" "$out"
(cd "$out" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")
du -h "$out/$name.tar.gz"
