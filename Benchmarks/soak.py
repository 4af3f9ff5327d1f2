#!/usr/bin/env python3
"""Runs looping streams for a long time and fails where memory or handles grow.

    make build
    Benchmarks/soak.py --minutes 30

Needs Python 3 and nothing else. Leaves soak.csv (one line per sample) and soak.json (the verdict)
in build/soak. A run is flat where, after the first minute, the median resident memory of its last
quarter is not above that of its first quarter by more than the scatter of the samples (at least
1 MiB), and no more handles or threads are open. Afterwards the pipeline is killed (SIGKILL): it may
leave no file behind, and must start again.
"""

import argparse
import csv
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--interval", type=float, default=5, help="seconds between two samples")
    parser.add_argument("--warm", type=float, default=60, help="seconds that do not count")
    parser.add_argument("--apus", help="the executable; default: the release build")
    parser.add_argument("--model", help="a compiled model; default: the sample detector in int8")
    parser.add_argument("--video", action="append", help="a video; may be given several times")
    parser.add_argument("--output", default=str(ROOT / "build" / "soak"))
    return parser.parse_args()


def executable(given):
    if given:
        return given
    swift = os.environ.get("SWIFT", "swift")
    folder = subprocess.run(
        [swift, "build", "-c", "release", "--show-bin-path"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    return os.path.join(folder, "apus")


def compiled_model(apus, folder):
    model = folder / "model.int8.apus"
    subprocess.run(
        [apus, "compile", "Samples/detector/detector.onnx", "-o", str(model), "--precision", "int8",
         "--calibrate", "Samples/pictures/calibration", "--no-proof", "--preprocess",
         "size=320x320,resize=letterbox,raw-scale=1", "--postprocess",
         "yolov8:classes=Samples/detector/classes.txt"],
        cwd=ROOT, check=True)
    return model


def configuration(folder, results, model, videos, streams):
    """Streams that read their videos again and again, and write one line per frame."""
    sources = [
        {"name": f"stream-{n}", "url": str(pathlib.Path(videos[n % len(videos)]).resolve()),
         "loop": True}
        for n in range(streams)
    ]
    path = folder / "soak-pipeline.json"
    path.write_text(json.dumps({
        "model": str(pathlib.Path(model).resolve()),
        "sources": sources,
        "sinks": [{"type": "jsonl", "path": str(results / "{stream}.jsonl")}],
    }, indent=2))
    return path


def sample(process):
    """Resident bytes, open files and threads; None once the process has ended."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
        files = len(os.listdir(f"/proc/{process}/fd"))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    if "VmRSS" not in fields:
        return None
    return int(fields["VmRSS"].split()[0]) * 1024, files, int(fields["Threads"])


def watch(process, seconds, interval, table):
    rows = []
    begin = time.monotonic()
    with open(table, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["seconds", "resident_bytes", "handles", "threads"])
        while time.monotonic() - begin < seconds:
            time.sleep(max(0.0, min(interval, begin + seconds - time.monotonic())))
            values = sample(process.pid)
            if values is None or process.poll() is not None:
                break
            rows.append((round(time.monotonic() - begin, 2), *values))
            writer.writerow(rows[-1])
            file.flush()
    return rows


def judge(rows, warm):
    """Compares the first and the last quarter of what lies behind the warm-up."""
    counted = [row for row in rows if row[0] >= warm]
    if len(counted) < 8:
        return {"flat": False, "reason": f"{len(counted)} samples after the warm-up; 8 are needed"}
    quarter = len(counted) // 4
    first, last = counted[:quarter], counted[-quarter:]
    memory = [statistics.median(row[1] for row in part) for part in (first, last)]
    scatter = max(max(row[1] for row in part) - min(row[1] for row in part)
                  for part in (first, last))
    allowed = max(1 << 20, scatter)
    handles = [max(row[2] for row in part) for part in (first, last)]
    threads = [max(row[3] for row in part) for part in (first, last)]
    grown = [name for name, has in (
        ("memory", memory[1] - memory[0] > allowed), ("handles", handles[1] > handles[0]),
        ("threads", threads[1] > threads[0])) if has]
    return {
        "flat": not grown,
        "reason": "grown: " + ", ".join(grown) if grown else "flat",
        "samples": len(counted),
        "resident_bytes_first": memory[0], "resident_bytes_last": memory[1],
        "resident_bytes_peak": max(row[1] for row in rows), "allowed_growth_bytes": allowed,
        "handles_first": handles[0], "handles_last": handles[1],
        "threads_first": threads[0], "threads_last": threads[1],
    }


def killed(apus, config, results):
    """Kills a running pipeline; returns what it left behind, and how the next one ended."""
    shutil.rmtree(results, ignore_errors=True)
    process = subprocess.Popen(
        [apus, "pipeline", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(4)
    ran = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = sorted(str(p.relative_to(results)) for p in results.rglob("*") if p.is_file())
    again = subprocess.run(
        [apus, "pipeline", str(config), "--duration", "2"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL).returncode
    return {"ran": ran, "left_behind": left, "next_start": again,
            "clean": ran and not left and again == 0}


def main():
    given = arguments()
    apus = executable(given.apus)
    folder = pathlib.Path(given.output)
    results = folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    model = given.model or compiled_model(apus, folder)
    videos = given.video or sorted(str(p) for p in (ROOT / "Samples" / "clips").glob("*.mp4"))
    config = configuration(folder, results, model, videos, given.streams)

    report = folder / "report.json"
    process = subprocess.Popen(
        [apus, "pipeline", str(config), "--stages", str(report)], stdout=subprocess.DEVNULL)
    try:
        rows = watch(process, given.minutes * 60, given.interval, folder / "soak.csv")
        ended_early = process.poll() is not None
        if not ended_early:
            process.send_signal(signal.SIGINT)
        status = process.wait(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
    verdict = judge(rows, given.warm)
    verdict["seconds"] = rows[-1][0] if rows else 0
    verdict["streams"] = given.streams
    verdict["exit_status"] = status
    verdict["ended_early"] = ended_early
    if report.exists():
        record = json.loads(report.read_text())
        verdict["frames"] = sum(stream["frames"] for stream in record["streams"])
        verdict["measured_fps"] = record["measured_fps"]
    verdict["kill"] = killed(apus, config, results)
    verdict["passed"] = (verdict["flat"] and not ended_early and status == 130
                         and verdict["kill"]["clean"])
    (folder / "soak.json").write_text(json.dumps(verdict, indent=2) + "\n")
    print(json.dumps(verdict, indent=2))
    return 0 if verdict["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
