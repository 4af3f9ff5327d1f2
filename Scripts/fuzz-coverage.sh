#!/bin/sh
# Says how many lines of the readers the corpora of fuzz.sh reach.
#
#   fuzz-coverage.sh      after fuzz.sh has run for every target
set -eu
cd "$(dirname "$0")/.."

swift=${SWIFT:-swift}
tools=$(dirname "$(readlink -f "$(command -v "$swift")")")
APUS_FUZZER=$(find "$tools/../lib/clang" -name 'libclang_rt.fuzzer_no_main-*.a' | head -n 1)
export APUS_FUZZER
build="$swift build -c release --scratch-path build/fuzz/coverage -Xswiftc -profile-generate
  -Xswiftc -profile-coverage-mapping"
$build --product apus-fuzz
program=$($build --show-bin-path)/apus-fuzz
rm -f build/fuzz/*.profraw
for target in archive compiler model-file protobuf ranges-table; do
  LLVM_PROFILE_FILE=build/fuzz/$target.profraw "$program" "$target" -runs=0 -timeout=60 \
    -rss_limit_mb=4096 -max_len=200000 build/fuzz/corpus/$target build/fuzz/seeds/$target \
    >build/fuzz/coverage.log 2>&1
done
"$tools/llvm-profdata" merge -o build/fuzz/all.profdata build/fuzz/*.profraw
"$tools/llvm-cov" report "$program" -instr-profile build/fuzz/all.profdata \
  Sources/Archives/Np*.swift Sources/Archives/Archive.swift Sources/Importers Sources/ModelFile \
  Sources/Compilation/Calibration/Ranges*.swift
