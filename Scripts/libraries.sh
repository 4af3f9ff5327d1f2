#!/bin/sh
# Links what is installed and shipped from the objects that a release build left, with the Swift
# run-time inside: libapus.so, libapus-runtime.so, and the apus command with its media library.
# Nothing is compiled here: whether the run-time is static is decided by the linker alone, so that
# this takes seconds and works with any flavour of release build.
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

mkdir -p "$out/static"
# The C++ library is linked in as the Swift run-time is: little of it is used, and to load it whole
# takes longer and more memory. Alone in a folder, it is found before the shared one.
clang=$(dirname "$(realpath "$(command -v "$swiftc")")")/clang++
[ -x "$clang" ] || clang=clang++
cxx=$("$clang" -print-file-name=libstdc++.a) || fail "Swift's clang++ was not found beside swiftc"
[ -f "$cxx" ] || fail "libstdc++.a is missing: install Debian's libstdc++-12-dev"
ln -sf "$cxx" "$out/static/libstdc++.a"
# Only what apus.h declares is visible; everything that it does not reach is dropped.
functions=$(grep -o 'apus_[a-z0-9_]*(' Sources/CApus/include/apus.h | tr '(' ';' | sort -u)
printf '{ global: %s local: *; };\n' "$functions" >"$out/exports.map"
printf '{ global: apus_media_api; local: *; };\n' >"$out/media.map"

# link PRODUCT FILE OPTION…: links the objects of a product.
link() {
  product=$1
  file=$2
  shift 2
  objects=$bin/$product.product/Objects.LinkFileList
  [ -f "$objects" ] || fail "$objects is missing: build with 'swift build -c release' first"
  "$swiftc" "$@" -static-stdlib -L"$out/static" -use-ld=lld -o "$out/$file.new" "@$objects" \
    -Xlinker --gc-sections -Xlinker --as-needed -Xlinker -s -lm
  case $file in libapus*) check "$file" ;; esac
  mv "$out/$file.new" "$out/$file"
  ls -l "$out/$file" | awk '{ printf "libraries: %s, %.1f MB\n", $NF, $5 / 1e6 }'
}

# library PRODUCT FILE MAP OPTION…: complete in itself, and never unloaded, since it has threads.
library() {
  map=$3
  name=$2
  product=$1
  shift 3
  link "$product" "$name" "$@" -emit-library -Xlinker -soname="$name" \
    -Xlinker --version-script="$out/$map" -Xlinker -z -Xlinker defs -Xlinker -z -Xlinker nodelete
}

# Nothing may be needed but what every Linux has, and nothing but the C interface be seen.
check() {
  for needed in $(objdump -p "$out/$1.new" | awk '$1 == "NEEDED" { print $2 }'); do
    case $needed in
      libc.so.* | libm.so.* | libgcc_s.so.* | ld-linux*) ;;
      *) fail "$1 needs $needed, which not every machine has" ;;
    esac
  done
  for name in $(nm -D --defined-only "$out/$1.new" | awk '{ print $3 }'); do
    case $functions in *"$name;"*) ;; *) fail "$1 exports $name" ;; esac
  done
}

# capus_hypotf: see Sources/CApus/support.c.
library ApusFull libapus.so exports.map -Xlinker --defsym=hypotf=capus_hypotf
library ApusRuntime libapus-runtime.so exports.map -Xlinker --defsym=hypotf=capus_hypotf
# shellcheck disable=SC2046
library ApusMedia libApusMedia.so media.map $(pkg-config --libs libavformat libavcodec libavutil libswscale)
# SwiftPM gives the entry of an executable its own name, for tests.
link apus apus -emit-executable -Xlinker --defsym=main=ApusMain_main \
  -Xlinker --no-export-dynamic -Xlinker -z -Xlinker pack-relative-relocs
