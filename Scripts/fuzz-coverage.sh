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
# What writes, and what only files on disk reach (external data, mapped sources), is left to the tests.
readers='Archives/NpyDecoding Archives/NpyHeader Archives/NpzReader Importers/GraphBuilder
  Importers/GraphBuilder+Attributes Importers/GraphBuilder+Functions Importers/GraphBuilder+Order
  Importers/NameMap Importers/NameTable Importers/NodeContext Importers/ONNXLimits
  Importers/ONNXMessages Importers/ONNXParser Importers/ONNXParser+Types
  Importers/ONNXTensorDecoder Importers/WireReader Importers/ImportProblems
  Importers/ForeignFormat ModelFile/ByteReader ModelFile/MetadataCoding ModelFile/ModelArchive
  ModelFile/ModelContents ModelFile/ProgramReader ModelFile/SHA256 ModelFile/WeightLayout
  Compilation/Calibration/RangesSyntax Compilation/Calibration/RangesTable'
report=build/fuzz/coverage.txt
# shellcheck disable=SC2046
"$tools/llvm-cov" report "$program" -instr-profile build/fuzz/all.profdata \
  $(for file in $readers; do echo "Sources/$file.swift"; done) >$report
awk '{ print $1, $10 } /^TOTAL/ { if ($10 + 0 < 80) exit 1 }' $report | column -t || {
  echo 'fuzz-coverage: less than 80 % of the lines of the readers' >&2
  exit 75
}
