#!/bin/busybox sh
# The first process of a guest. Variables in capitals come from the kernel's
# command line (../kernels.ts).
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs dev /dev
exec </dev/null >/dev/console 2>&1
$bb mount -t securityfs securityfs /sys/kernel/security
$bb mount -t bpf bpf /sys/fs/bpf
[ "$CGROUP" = 0 ] || $bb mount -t cgroup2 cgroup2 /sys/fs/cgroup
$bb ip link set lo up
[ "$JIT" != 0 ] || echo 0 >/proc/sys/net/core/bpf_jit_enable
export PATH=/bin HOME=/tmp DENO_DIR=/tmp/deno DENO_NO_UPDATE_CHECK=1 NO_COLOR=1
cd /tcpspan
deno run -A --no-lock --cached-only --no-check test/kernels/guest/main.ts
$bb poweroff -f
