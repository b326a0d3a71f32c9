#!/bin/sh
# Builds the kernel program: build.sh OUTPUT. The compiler's major version is
# pinned, so that the committed object can be compared byte for byte.
set -eu
cd "$(dirname "$0")"
clang-14 -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter \
	-fdebug-compilation-dir=. -c tcpspan.bpf.c -o "$1"
llvm-strip-14 -g "$1"
