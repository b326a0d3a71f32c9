#!/bin/sh
# Builds the kernel program: build.sh OUTPUT. The compiler is the clang 19 in
# Zig 0.14.1, the same on every distribution, so that the committed object can be
# compared byte for byte; ./setup.sh --dev installs it.
set -eu
cd "$(dirname "$0")"
cache=${TCPSPAN_CACHE:-/var/cache/tcpspan}
zig=$cache/bin/zig
if [ ! -x "$zig" ]; then
	echo "cannot build the kernel program: no $zig; run ./setup.sh --dev" >&2
	exit 1
fi
ZIG_LOCAL_CACHE_DIR=$(mktemp -d)
export ZIG_LOCAL_CACHE_DIR ZIG_GLOBAL_CACHE_DIR="$ZIG_LOCAL_CACHE_DIR"
trap 'rm -rf "$ZIG_LOCAL_CACHE_DIR"' EXIT

flags="-target bpfel-freestanding-none -mcpu=v3 -O2 -nostdinc \
	-Wall -Wextra -Werror -Wno-unused-parameter"

# Each header compiles alone: it includes what it uses.
for header in *.h; do
	echo "#include \"$header\"" >"$ZIG_LOCAL_CACHE_DIR/$header.c"
done
"$zig" clang $flags -fsyntax-only -I. "$ZIG_LOCAL_CACHE_DIR"/*.h.c

# Unwind tables, address significance and sanitizers mean nothing to the kernel.
"$zig" cc $flags -g \
	-fno-unwind-tables -fno-asynchronous-unwind-tables -fno-addrsig -fno-sanitize=all \
	-fdebug-compilation-dir=. -c tcpspan.bpf.c -o "$1"
llvm-strip -g "$1"
