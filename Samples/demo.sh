#!/bin/sh
# Compiles the sample detector to float32 and int8, proves both, measures their accuracy, and runs
# them on pictures, on a clip and on four streams at once. Leaves build/demo/{model.apus,
# model.int8.apus, report.html, eval.json, annotated.mp4, results.jsonl, stages.json, streams.json,
# pipeline.json, streams/}; needs `make build` before.
set -eu
cd "$(dirname "$0")/.."

swift=${SWIFT:-swift}
out=build/demo
classes=Samples/detector/classes.txt
reference=Samples/detector/reference
preprocess=size=320x320,resize=letterbox,pad=114,raw-scale=1,channel-order=rgb
pictures_wanted=6

fail() {
  printf 'demo: FAILED: %s\n' "$*" >&2
  exit 1
}

step() { printf '\n== %s\n' "$*"; }

# Shows a command as a user would type it, then runs it.
run() {
  {
    printf '$ apus'
    printf ' %s' "$@"
    printf '\n'
  } >&2
  "$apus" "$@" || fail "apus $1 ended with status $?"
}

apus=$("$swift" build -c release --show-bin-path)/apus
[ -x "$apus" ] || fail "$apus is missing: run 'make build'"
for file in Samples/detector/detector.onnx "$classes" "$reference/input.npz" \
  "$reference/output.npz"; do
  [ -f "$file" ] || fail "$file is missing: the checkout is incomplete"
done

pictures=
count=0
for picture in Samples/pictures/validation/*.jpg; do
  [ -f "$picture" ] && [ "$count" -lt "$pictures_wanted" ] || continue
  pictures="$pictures $picture"
  count=$((count + 1))
done
[ "$count" -gt 0 ] || fail 'no picture under Samples/pictures/validation'
clip=
for candidate in Samples/clips/*.mp4; do
  [ -f "$candidate" ] || continue
  clip=$candidate
  break
done
[ -n "$clip" ] || fail 'no clip under Samples/clips'

rm -rf "$out"
mkdir -p "$out/pictures"

step 'Compile the ONNX detector into one file, and prove it against the framework'"'"'s own outputs'
run compile Samples/detector/detector.onnx -o "$out/model.apus" \
  --preprocess "$preprocess" \
  --postprocess "yolov8:classes=$classes" \
  --test-input "$reference/input.npz" --reference "$reference/output.npz"

step 'Compile it to int8: calibrated on 64 pictures, a quarter of the size, the same bits everywhere'
run compile Samples/detector/detector.onnx -o "$out/model.int8.apus" --precision int8 \
  --calibrate Samples/pictures/calibration --preprocess "$preprocess" \
  --postprocess "yolov8:classes=$classes" --report "$out/report.html"

step 'Measure the accuracy of float32 and int8 side by side, on pictures that neither has seen'
run eval Samples/detector/detector.onnx --all-precisions \
  --dataset Samples/pictures/validation --annotations Samples/pictures/validation.json \
  --calibrate Samples/pictures/calibration --preprocess "$preprocess" \
  --postprocess "yolov8:classes=$classes"
run eval "$out/model.int8.apus" --json --dataset Samples/pictures/validation \
  --annotations Samples/pictures/validation.json >"$out/eval.json"

step "Find objects in $count pictures"
# shellcheck disable=SC2086
run run "$out/model.apus" --input $pictures -o "$out/pictures/"

step "Find objects in a clip: draw them, list them, time the stages"
run run "$out/model.apus" --input "$clip" -o "$out/annotated.mp4" -o "$out/results.jsonl" \
  --stages "$out/stages.json"

step 'Four streams at once: three clips and a folder of pictures, side by side through one model'
cat >"$out/streams.json" <<END
{
  "model": "model.int8.apus",
  "sources": [
    {"name": "crossing", "url": "../../Samples/clips/crossing.mp4"},
    {"name": "evening", "url": "../../Samples/clips/evening.mp4"},
    {"name": "square", "url": "../../Samples/clips/square.mp4",
     "queue": {"policy": "block", "capacity": 8}},
    {"name": "pictures", "url": "../../Samples/pictures/validation"}
  ],
  "sinks": [
    {"type": "jsonl", "path": "streams/{stream}.jsonl"}
  ]
}
END
run pipeline "$out/streams.json" --plan
run pipeline "$out/streams.json" --stages "$out/pipeline.json"

for file in model.apus model.int8.apus report.html eval.json annotated.mp4 results.jsonl stages.json \
  pipeline.json streams/crossing.jsonl streams/evening.jsonl streams/pictures.jsonl \
  streams/square.jsonl; do
  [ -s "$out/$file" ] || fail "$out/$file was not written"
done
frames=$(wc -l <"$out/results.jsonl")
objects=$(grep -o '"label"' "$out/results.jsonl" | wc -l)
lines=$(cat "$out"/streams/*.jsonl | wc -l)
[ "$frames" -gt 0 ] || fail 'the clip gave no frames'
[ "$objects" -gt 0 ] || fail 'nothing was found in the clip'

step 'Done'
printf '%s\n' \
  "The model, ready for any machine:  $out/model.apus ($(($(wc -c <"$out/model.apus") / 1024)) KiB)" \
  "The same in int8:                  $out/model.int8.apus ($(($(wc -c <"$out/model.int8.apus") / 1024)) KiB)" \
  "What int8 did to every layer:      $out/report.html" \
  "How accurate it is:                $out/eval.json" \
  "Pictures with boxes drawn:         $out/pictures/" \
  "The clip with boxes drawn:         $out/annotated.mp4" \
  "What was seen, a line per frame:   $out/results.jsonl ($objects objects in $frames frames)" \
  "Where the time goes, per stage:    $out/stages.json" \
  "Four streams, a line per frame:    $out/streams/ ($lines frames), configured by $out/streams.json" \
  "How the four shared the machine:   $out/pipeline.json" \
  '' \
  "Your own model:  $apus compile MODEL.onnx -o model.apus     (apus compile --help)" \
  "Your own video:  $apus run model.apus --input VIDEO.mp4 -o out.mp4 -o out.jsonl" \
  "Many of them:    $apus pipeline streams.json                          (Documentation/pipelines.md)"
