#!/bin/sh
# Gives a parser random bytes for a while and reports what it cannot stand.
#
#   fuzz.sh TARGET [SECONDS]      archive, compiler, model-file, protobuf or ranges-table; default 60
#
# Builds with libFuzzer and the address sanitiser into build/fuzz. Seeds are the fixtures of the
# tests and small model files made of them. What is learnt stays in build/fuzz/corpus/TARGET,
# findings in build/fuzz/findings.
set -eu
cd "$(dirname "$0")/.."

target=${1:?"usage: fuzz.sh TARGET [SECONDS]"}
seconds=${2:-60}
swift=${SWIFT:-swift}
tools=$(dirname "$(readlink -f "$(command -v "$swift")")")
APUS_FUZZER=$(find "$tools/../lib/clang" -name 'libclang_rt.fuzzer_no_main-*.a' | head -n 1)
[ -n "$APUS_FUZZER" ] || { echo "fuzz: libFuzzer is not among the libraries of $tools" >&2; exit 71; }
export APUS_FUZZER

build="$swift build -c release --scratch-path build/fuzz/build"
$build --product apus-fuzz
program=$($build --show-bin-path)/apus-fuzz

corpus=build/fuzz/corpus/$target
seeds=build/fuzz/seeds/$target
mkdir -p "$corpus" "$seeds" build/fuzz/findings
case $target in
  protobuf | compiler) find Tests/Fixtures -name '*.onnx' -size -64k -exec cp {} "$seeds" ';' ;;
  archive) find Tests/Fixtures Tests/ArchivesTests/Fixtures -name '*.np[yz]' -size -16k \
    -exec cp {} "$seeds" ';' ;;
  ranges-table) cp Tests/Fixtures/fuzzing/*.txt "$seeds" ;;
  model-file)
    # The plain command: instrumented programs do not make seeds faster.
    env -u APUS_FUZZER "$swift" build -c release --product apus
    apus=$(env -u APUS_FUZZER "$swift" build -c release --show-bin-path)/apus
    for model in $(find Tests/Fixtures -name '*.onnx' -size -64k); do
      for precision in fp32 bf16; do
        "$apus" compile "$model" -o "$seeds/$(basename "$model" .onnx).$precision.apus" \
          --precision "$precision" --no-proof >"$seeds/../log" 2>&1 || true
      done
    done
    # With all that a file can hold besides: processing, self-tests, proof, calibration.
    fixtures=Tests/Fixtures/exporters
    "$apus" compile $fixtures/yolov5-legacy11.onnx -o "$seeds/detector.apus" --postprocess \
      yolov8:score=0.3 --preprocess size=48x48,resize=letterbox,pad=114,raw-scale=1 \
      >"$seeds/../log" 2>&1
    "$apus" compile $fixtures/efficientnet-legacy17.onnx -o "$seeds/classifier.apus" \
      --precision int8 --calibrate-random 2 --preprocess \
      mean=0.485/0.456/0.406,std=0.229/0.224/0.225 --postprocess classification:max=5 \
      >"$seeds/../log" 2>&1
    ;;
esac
exec "$program" "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
  -max_len=200000 -print_final_stats=1 -artifact_prefix=build/fuzz/findings/"$target"- \
  "$corpus" "$seeds"
