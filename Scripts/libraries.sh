#!/bin/sh
# Links libapus.so and libapus-runtime.so from the objects that a release build left, with the Swift
# run-time inside. Nothing is compiled here: whether the run-time is static is decided by the linker
# alone, so that the libraries cost seconds and work with any flavour of release build.
#
#   libraries.sh OUT_DIR     after: swift build -c release
set -eu
cd "$(dirname "$0")/.."

swift=${SWIFT:-swift}
out=$1
bin=$("$swift" build -c release --show-bin-path)
swiftc=$(dirname "$(command -v "$swift")")/swiftc
[ -x "$swiftc" ] || swiftc=swiftc

fail() {
  printf 'libraries: FAILED: %s\n' "$*" >&2
  exit 1
}

mkdir -p "$out"
# Only the C interface is visible; everything that it does not reach is dropped.
exports=$out/exports.map
printf '{ global: apus_*; local: *; };\n' >"$exports"

# link PRODUCT FILE: the objects of a static library product become a shared library.
link() {
  objects=$bin/$1.product/Objects.LinkFileList
  [ -f "$objects" ] || fail "$objects is missing: build with 'swift build -c release' first"
  "$swiftc" -emit-library -static-stdlib -use-ld=lld -o "$out/$2.new" "@$objects" \
    -Xlinker -soname="$2" -Xlinker --version-script="$exports" -Xlinker --gc-sections \
    -Xlinker --as-needed -Xlinker -z -Xlinker defs -Xlinker -s -lm
  # Nothing may be needed but what every Linux has.
  for needed in $(objdump -p "$out/$2.new" | awk '$1 == "NEEDED" { print $2 }'); do
    case $needed in
      libc.so.* | libm.so.* | libstdc++.so.* | libgcc_s.so.* | ld-linux*) ;;
      libfreetype.so.* | libturbojpeg.so.*) ;;
      *) fail "$2 needs $needed, which not every machine has" ;;
    esac
  done
  others=$(nm -D --defined-only "$out/$2.new" | awk '$3 !~ /^apus_/ { print $3 }')
  [ -z "$others" ] || fail "$2 exports $others"
  mv "$out/$2.new" "$out/$2"
}

link ApusFull libapus.so
link ApusRuntime libapus-runtime.so
ls -l "$out" | awk '/\.so$/ { printf "libraries: %s, %.1f MB\n", $NF, $5 / 1e6 }'
