#!/usr/bin/env python3
"""The score: Apus beside ONNX Runtime, OpenVINO and ncnn, batch 1, on this machine.

    make libraries
    sh Scripts/score.sh [--models A,B] [--threads 1] [--rounds 1] [--json FILE] [--compare]

Models are public architectures with seeded weights (networks/), Apus compiles them afresh through
its Python package, and all engines are measured by engines.py: each figure in a fresh process,
pinned to as many cores as it has threads, all engines of a row in turn, `--rounds` times. The best
median of the rounds counts. A measurement beside which others used more than 0.15 of a core is
marked * and repeated once.

A row is the ratio of the best peer's median to Apus's: above 1, Apus is faster. It counts only if
outputs are right: fp32 with a cosine of 0.9999 to ONNX Runtime's, bf16 of 0.99; int8 with no more
than 1 dB less signal to noise than ONNX Runtime's own quantised (QDQ) model has. Peers are held to
the same. Their int8 models come from ONNX Runtime's static quantisation and from NNCF, on the same
samples that calibrate Apus.

`cold` compares load plus first run, `rss` the peak of resident memory net of the importing process.
--compare reads baseline.json and exits with 1 if a ratio fell below its band; --record writes the
rows that were measured.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from networks import NETWORKS

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "baseline.json"
BUSY = 0.15
# What is compared per precision: engine, suffix of its model file, precision.
PEERS = {
    "fp32": [("ort", ".onnx", "fp32"), ("ov", ".onnx", "fp32"), ("ncnn", ".ncnn.param", "fp32")],
    "bf16": [("ov", ".onnx", "bf16"), ("ncnn", ".ncnn.param", "bf16")],
    "int8": [("ort", ".qdq.onnx", "int8"), ("ov", ".qdq.onnx", "int8"),
             ("ov", ".nncf.xml", "int8"), ("ov", ".nncf.xml", "int8bf16")],
}


def samples(name, count=16):
    """Seeded inputs: tokens, or pictures with structure in several sizes."""
    random = np.random.default_rng(1)
    for _ in range(count):
        if name == "bert_small":
            yield {"input_ids": random.integers(0, 30522, (1, 128), dtype=np.int64),
                   "attention_mask": np.ones((1, 128), np.int64)}
            continue
        detects = name.startswith("yolo")
        side = 640 if detects else 224
        x = 0.3 * random.standard_normal((3, side, side))
        for grid in (4, 16, 64):
            cell = math.ceil(side / grid)
            coarse = random.standard_normal((3, grid, grid))
            x += 0.6 * coarse.repeat(cell, 1).repeat(cell, 2)[:, :side, :side]
        if detects:
            x = (x - x.min()) / (x.max() - x.min())
        yield {"images" if detects else "input": x[None].astype(np.float32)}


def warn(text):
    print(f"  {text}", file=sys.stderr)


class Files:
    """The files of one model in the working directory."""

    def __init__(self, work, name):
        self.work, self.name = Path(work), name

    def __call__(self, suffix):
        return self.work / (self.name + suffix)

    def prepare(self, precisions):
        """Makes the model and what peers need; only what Apus compiles is made anew every time."""
        if not self(".onnx").exists():
            import onnx
            onnx.save(NETWORKS[self.name](), self(".onnx"))
        np.savez(self(".input.npz"), **next(samples(self.name)))
        if not self(".ncnn.param").exists():
            self.convert()
        if "int8" in precisions and not self(".qdq.onnx").exists():
            self.quantize()
        if "int8" in precisions and not self(".nncf.xml").exists():
            self.compress()

    def convert(self):
        """ncnn's own converter; where it fails, ncnn is no peer."""
        try:
            # Its Python module wants PyTorch, the program beside it does not.
            tool = Path(importlib.util.find_spec("pnnx").origin).parent / "pnnx"
            subprocess.run(
                [tool, self(".onnx").name], cwd=self.work, capture_output=True, check=True,
                timeout=300)
        except (AttributeError, OSError, subprocess.SubprocessError) as error:
            warn(f"no ncnn model of {self.name}: {type(error).__name__}")

    def quantize(self):
        from onnxruntime.quantization import (
            CalibrationDataReader, QuantFormat, QuantType, quantize_static)
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Reader(CalibrationDataReader):
            left = samples(self.name)

            def get_next(self):
                return next(self.left, None)

        inferred = self(".inferred.onnx")
        quant_pre_process(self(".onnx"), inferred, skip_symbolic_shape=True)
        quantize_static(
            inferred, self(".qdq.onnx"), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
        inferred.unlink()

    def compress(self):
        try:
            import nncf
            import openvino
            attends = self.name in ("bert_small", "deit_tiny")
            kind = ({"model_type": nncf.ModelType.TRANSFORMER} if attends
                    else {"preset": nncf.QuantizationPreset.MIXED})
            with contextlib.redirect_stdout(io.StringIO()):
                model = nncf.quantize(
                    openvino.Core().read_model(self(".onnx")),
                    nncf.Dataset(list(samples(self.name))), subset_size=16, **kind)
            openvino.save_model(model, self(".nncf.xml"), compress_to_fp16=False)
        except Exception as error:  # any failure of a peer's tool means one peer less
            warn(f"no NNCF model of {self.name}: {type(error).__name__}: {error}")

    def compile(self, precision):
        import apus
        target = self(f".{precision}.apus")
        target.unlink(missing_ok=True)
        given = list(samples(self.name)) if precision == "int8" else None
        apus.compile(
            str(self(".onnx")), str(target), precision=precision, samples=given,
            proof=False).close()


class Judge:
    """Says whether an engine's outputs are right, measured by ONNX Runtime's on the same input."""

    def __init__(self, files):
        self.files = files
        self.wanted = self.outputs("ort", ".onnx", "fp32")
        self.noise = None

    def outputs(self, engine, suffix, precision):
        target = self.files(".outputs.npz")
        target.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, HERE / "engines.py", engine, self.files(suffix),
             self.files(".input.npz"), "2", precision, target], capture_output=True, text=True)
        if done.returncode:
            raise ValueError(done.stderr.strip()[-300:])
        # ncnn numbers its outputs.
        return list(np.load(target).values())

    def decibels(self, got):
        """The worst ratio of signal to noise of all outputs."""
        worst = math.inf
        for want, value in zip(self.wanted, got):
            want = want.astype(np.float64).ravel()
            noise = want - value.astype(np.float64).ravel()
            worst = min(worst, 10 * math.log10((want @ want) / (noise @ noise + 1e-30) + 1e-30))
        return worst

    def cosine(self, got):
        worst = 1.0
        for want, value in zip(self.wanted, got):
            a, b = want.astype(np.float64).ravel(), value.astype(np.float64).ravel()
            worst = min(worst, a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-30))
        return worst

    def refusal(self, engine, suffix, precision):
        """Returns what is wrong, or None."""
        try:
            got = self.outputs(engine, suffix, precision)
            if [v.size for v in got] != [v.size for v in self.wanted]:
                return f"outputs of {[v.shape for v in got]}"
            if not precision.startswith("int8"):
                least, found = (0.9999 if precision == "fp32" else 0.99), self.cosine(got)
                return None if found >= least else f"cosine {found:.6f}, at least {least}"
            if self.noise is None:
                self.noise = self.decibels(self.outputs("ort", ".qdq.onnx", "int8"))
            found, least = self.decibels(got), self.noise - 1
            return None if found >= least else f"SQNR {found:.1f} dB, at least {least:.1f}"
        except ValueError as error:
            return str(error)


def busy_seconds():
    fields = [int(x) for x in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def timed(engine, model, inputs, threads, precision):
    """One measurement, on the first cores; repeated once if others were busy meanwhile."""
    cores = "0" if threads == 1 else f"0-{threads - 1}"
    command = ["taskset", "-c", cores, sys.executable, HERE / "engines.py", engine, model, inputs,
               str(threads), precision]
    for _ in range(2):
        own, everyone, start = os.times(), busy_seconds(), time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise ValueError(done.stderr.strip()[-300:])
        after, elapsed = os.times(), time.perf_counter() - start
        used = (after.children_user - own.children_user
                + after.children_system - own.children_system)
        others = (busy_seconds() - everyone - used) / elapsed
        if others < BUSY:
            break
    return json.loads(done.stdout.strip().split("\n")[-1]) | {"contended": others >= BUSY}


def row_of(files, precision, threads, contenders, rounds):
    got = {}
    for _ in range(rounds):
        for engine, suffix, kind in contenders:
            label = engine if engine == "apus" else f"{engine}:{kind}"
            if ".nncf" in suffix:
                label += ".nncf"
            result = timed(engine, files(suffix), files(".input.npz"), threads, kind)
            if label not in got or result["median_ms"] < got[label]["median_ms"]:
                got[label] = result
    row = {"model": files.name, "precision": precision, "threads": threads, "engines": got}
    ours = got.get("apus")
    peers = {label: result for label, result in got.items() if label != "apus"}
    if ours and peers:
        best = min(peers, key=lambda label: peers[label]["median_ms"])
        start = min(p["load_ms"] + p["first_ms"] for p in peers.values())
        row |= {
            "best_peer": best, "ratio": peers[best]["median_ms"] / ours["median_ms"],
            "cold_ratio": start / (ours["load_ms"] + ours["first_ms"]),
            "rss_ratio": min(p["rss_mb"] for p in peers.values()) / max(ours["rss_mb"], 0.1)}
    return row


def text_of(row):
    fastest = sorted(row["engines"].items(), key=lambda item: item[1]["median_ms"])
    cells = "  ".join(f"{label} {result['median_ms']:.2f}{'*' if result['contended'] else ''}"
                      for label, result in fastest)
    text = f"{row['model']:19s}{row['precision']:5s} {row['threads']}T  {cells}"
    if "ratio" in row:
        ours = row["engines"]["apus"]
        text += (f"   ratio {row['ratio']:.2f}  cold {row['cold_ratio']:.1f}"
                 f" ({ours['load_ms']:.1f} + {ours['first_ms']:.1f} ms)"
                 f"  rss {row['rss_ratio']:.1f} ({ours['rss_mb']:.0f} MB)")
    return text


def key_of(row):
    return f"{row['model']} {row['precision']} {row['threads']}T"


def summarize(rows):
    for precision in PEERS:
        ratios = [row["ratio"] for row in rows if row["precision"] == precision and "ratio" in row]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            print(f"{precision}: geometric mean {mean:.3f}, least {min(ratios):.2f}, "
                  f"{len(ratios)} rows")


def fallen(rows):
    """The rows whose ratio is below the baseline's band, one line each."""
    baseline = json.loads(BASELINE.read_text())
    for row in rows:
        before = baseline["ratios"].get(key_of(row))
        if before is None:
            continue
        now = row.get("ratio", 0.0)
        if now < before * (1 - baseline["band"]):
            yield f"{key_of(row)}: {now:.2f}, was {before:.2f} (band {baseline['band']:.0%})"


def processor():
    lines = Path("/proc/cpuinfo").read_text().split("\n")
    field = {line.split(":")[0].strip(): line.split(":")[-1].strip() for line in lines[:30]}
    return (f"{field.get('model name', '?')}, family {field.get('cpu family', '?')} "
            f"model {field.get('model', '?')}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(NETWORKS))
    parser.add_argument("--precisions", default=",".join(PEERS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", default="build/score", help="where models are kept")
    parser.add_argument("--json", help="writes all figures to this file")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    if options.compare and not BASELINE.exists():
        parser.error(f"{BASELINE} does not exist; make it with --record")
    os.makedirs(options.work, exist_ok=True)
    precisions, rows = options.precisions.split(","), []
    for name in options.models.split(","):
        files = Files(options.work, name)
        files.prepare(precisions)
        judge = Judge(files)
        for precision in precisions:
            files.compile(precision)
            contenders = []
            for engine, suffix, kind in [("apus", f".{precision}.apus", precision),
                                         *PEERS[precision]]:
                if not files(suffix).exists():
                    continue
                refusal = judge.refusal(engine, suffix, kind)
                if refusal is None:
                    contenders.append((engine, suffix, kind))
                else:
                    warn(f"{name} {kind}: {engine} does not count: {refusal}")
            for threads in map(int, options.threads.split(",")):
                rows.append(row_of(files, precision, threads, contenders, options.rounds))
                print(text_of(rows[-1]), flush=True)
    summarize(rows)
    if options.json:
        document = {"machine": processor(), "rows": rows}
        Path(options.json).write_text(json.dumps(document, indent=1) + "\n")
    if options.record:
        # Rows that were not measured stay as they are, on the same machine.
        known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
        ratios = known["ratios"] if known.get("machine") == processor() else {}
        ratios |= {key_of(row): round(row["ratio"], 3) for row in rows if "ratio" in row}
        BASELINE.write_text(json.dumps(
            {"machine": processor(), "band": 0.06, "ratios": ratios}, indent=1) + "\n")
    if options.compare:
        lines = list(fallen(rows))
        print("\n".join(lines) if lines else "no ratio fell below its band")
        sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
