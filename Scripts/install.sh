#!/bin/sh
# Installs libraries, header, pkg-config and CMake files, and the apus command with its media
# library, under a prefix. Installs what is built; builds nothing.
#
#   install.sh LIB_DIR PREFIX      DESTDIR is put before PREFIX
set -eu
cd "$(dirname "$0")/.."

lib=$1
prefix=$2
root=${DESTDIR:-}$prefix
version=$(sed -n 's/^#define APUS_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\)$/\2/p' \
  Sources/CApus/include/apus.h | paste -sd.)

fail() {
  printf 'install: FAILED: %s\n' "$*" >&2
  exit 1
}

case $prefix in
  /*) ;;
  *) fail "PREFIX must be an absolute path, not '$prefix'" ;;
esac

# put MODE FILE… FOLDER
put() {
  mode=$1
  shift
  for last in "$@"; do :; done
  mkdir -p "$root/$last"
  while [ $# -gt 1 ]; do
    [ -f "$1" ] || fail "$1 is missing"
    install -m "$mode" "$1" "$root/$last/"
    shift
  done
}

put 755 "$lib/libapus.so" "$lib/libapus-runtime.so" lib
put 644 Sources/CApus/include/apus.h include
put 755 "$lib/apus" bin
put 755 "$lib/libApusMedia.so" lib/apus

mkdir -p "$root/lib/pkgconfig" "$root/lib/cmake/Apus"
# pc NAME LIBRARY SENTENCE
pc() {
  cat >"$root/lib/pkgconfig/$1.pc" <<END
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: $1
Description: $3
Version: $version
Libs: -L\${libdir} -l$2
Cflags: -I\${includedir}
END
}
pc apus apus 'Compiles and runs neural networks'
pc apus-runtime apus-runtime 'Runs compiled neural networks (.apus files)'

cat >"$root/lib/cmake/Apus/ApusConfig.cmake" <<'END'
# Apus::apus compiles and runs, Apus::runtime only runs.
get_filename_component(_apus_root "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
foreach(_apus_part "apus;libapus.so" "runtime;libapus-runtime.so")
  list(GET _apus_part 0 _apus_name)
  list(GET _apus_part 1 _apus_file)
  if(NOT TARGET Apus::${_apus_name})
    add_library(Apus::${_apus_name} SHARED IMPORTED)
    set_target_properties(Apus::${_apus_name} PROPERTIES
      IMPORTED_LOCATION "${_apus_root}/lib/${_apus_file}"
      IMPORTED_SONAME "${_apus_file}"
      INTERFACE_INCLUDE_DIRECTORIES "${_apus_root}/include")
  endif()
endforeach()
unset(_apus_part)
unset(_apus_name)
unset(_apus_file)
unset(_apus_root)
END
cat >"$root/lib/cmake/Apus/ApusConfigVersion.cmake" <<END
set(PACKAGE_VERSION "$version")
# Before 1.0 every minor version may change the interface.
if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION OR
   NOT PACKAGE_FIND_VERSION VERSION_GREATER_EQUAL "${version%.*}")
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
  if(NOT PACKAGE_FIND_VERSION)
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
  endif()
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
END
printf 'install: %s under %s\n' "$version" "$root"
