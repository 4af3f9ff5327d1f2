#!/bin/sh
# Checks what building Apus needs and installs the Debian packages that are missing. Asks the
# network for nothing where all of them are there.
#
#   setup.sh           what building and running need
#   setup.sh --tests   also what only tests need: servers that they start, a C compiler, CMake,
#                      valgrind, Python's virtual environments
set -eu

swift=${SWIFT:-swift}
packages='libzip-dev libturbojpeg0-dev libavformat-dev libavcodec-dev libavutil-dev
  libswscale-dev libwebp-dev libfreetype-dev fonts-dejavu-core pkg-config'
test_packages='python3 python3-gi gir1.2-gst-rtsp-server-1.0 gir1.2-gst-plugins-base-1.0
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  python3-venv gcc g++ binutils cmake valgrind'

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

check_swift() {
  command -v "$swift" >/dev/null 2>&1 || fail \
    'Swift was not found. Apus needs Swift 6.2 or later:' \
    'install it from https://www.swift.org/install/linux/ (Debian 12) and put its bin folder' \
    'into PATH, or name it: make SWIFT=/path/to/swift …'
  version=$("$swift" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p')
  major=${version%%.*}
  rest=${version#*.}
  minor=${rest%%.*}
  case "$major$minor" in
    '' | *[!0-9]*) fail "cannot tell the version of '$swift': run '$swift --version'" ;;
  esac
  if [ "$major" -lt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -lt 2 ]; }; then
    fail "Swift $version is too old: Apus needs 6.2 or later, from" \
      'https://www.swift.org/install/linux/'
  fi
}

missing_packages() {
  for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || printf ' %s' "$package"
  done
}

install_packages() {
  missing=$1
  command="apt-get update && apt-get install -y --no-install-recommends$missing"
  if [ "$(id -u)" -eq 0 ]; then
    as_root=
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
  else
    fail "Debian packages are missing:$missing" 'install them as root with' "    $command"
  fi
  echo "setup: installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  # The lists may be stale or absent, so they are fetched first.
  $as_root apt-get update -qq || echo 'setup: the package lists could not be refreshed' >&2
  # shellcheck disable=SC2086
  $as_root apt-get install -y -qq --no-install-recommends $missing ||
    fail 'installing failed; as root, run' "    $command"
}

case "${1-}" in
  '') ;;
  --tests) packages="$packages $test_packages" ;;
  *) fail "unknown option '$1'; there is --tests" ;;
esac
check_swift
command -v dpkg-query >/dev/null 2>&1 ||
  fail 'this is not Debian or a relative of it; install what provides these packages:' "$packages"
missing=$(missing_packages)
if [ -n "$missing" ]; then
  install_packages "$missing"
  missing=$(missing_packages)
  [ -z "$missing" ] || fail "still missing after installing:$missing"
fi
echo 'setup: everything that Apus needs is installed'
