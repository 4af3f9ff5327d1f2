#!/usr/bin/env python3
"""One engine, one model, one measurement: the process that score.py starts for each figure.

    engines.py ENGINE MODEL INPUTS.npz THREADS PRECISION [OUTPUTS.npz]

Prints one line of JSON: load_ms (from the file to a session that can run), first_ms, median_ms and
min_ms of the runs after the warm-up, and rss_mb, the peak of resident memory less what the process
had when the engine was imported. Every engine has its inputs in memory of its own choice before
the runs, and is timed by the same clock from the outside. With OUTPUTS.npz it writes the outputs of
one run instead, and times nothing.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

WARM_RUNS, WARM_SECONDS = 3, 0.4
RUNS, SECONDS, PATIENCE = 50, 1.2, 20.0


def apus(path, feed, threads, precision):
    """The package's own way: the input's memory is filled once, a run returns arrays."""
    import apus as package

    def load():
        session = package.load(path).session(threads=threads)
        for name, value in feed.items():
            np.copyto(session.input_array(name), value)
        return lambda: session.run({})

    return load


def onnxruntime(path, feed, threads, precision):
    import onnxruntime as package

    def load():
        options = package.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = package.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return lambda: dict(zip(names, session.run(None, feed)))

    return load


def openvino(path, feed, threads, precision):
    import openvino as package

    def load():
        model = package.Core().compile_model(path, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if "bf16" in precision else "f32"})
        request = model.create_infer_request()
        for port in model.inputs:
            request.set_tensor(port, package.Tensor(feed[port.any_name]))

        def run():
            request.infer()
            return {port.any_name: request.get_tensor(port).data for port in model.outputs}

        return run

    return load


def ncnn(path, feed, threads, precision):
    """MODEL is the parameter file that pnnx wrote; blobs have no batch axis and are numbered."""
    import ncnn as package

    arrays = [value.astype(np.int32) if value.dtype == np.int64 else value
              for value in feed.values()]

    def load():
        net = package.Net()
        net.opt.num_threads = threads
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_storage = precision == "bf16"
        if net.load_param(path) or net.load_model(path.removesuffix(".param") + ".bin"):
            raise SystemExit("ncnn cannot read what its converter wrote")
        inputs = [package.Mat(np.ascontiguousarray(array[0])) for array in arrays]
        outputs = sorted(name for name in net.output_names())

        def run():
            extractor = net.create_extractor()
            for index, value in enumerate(inputs):
                extractor.input(f"in{index}", value)
            return {name: np.array(extractor.extract(name)[1])[None] for name in outputs}

        run.keeps = net, inputs
        return run

    return load


ENGINES = {"apus": apus, "ort": onnxruntime, "ov": openvino, "ncnn": ncnn}


def resident_mb(field):
    """VmRSS, or VmHWM: the peak since this program was started (getrusage's survives an exec)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return float("nan")


def measured(load):
    base, start = resident_mb("VmRSS"), time.perf_counter()
    run = load()
    loaded = time.perf_counter()
    run()
    first = time.perf_counter()
    count, begin = 0, time.perf_counter()
    while count < WARM_RUNS or time.perf_counter() - begin < WARM_SECONDS:
        run()
        count += 1
    times, begin = [], time.perf_counter()
    while len(times) < RUNS or time.perf_counter() - begin < SECONDS:
        before = time.perf_counter()
        run()
        times.append((time.perf_counter() - before) * 1e3)
        if time.perf_counter() - begin > PATIENCE:
            break
    return {
        "load_ms": (loaded - start) * 1e3, "first_ms": (first - loaded) * 1e3,
        "median_ms": float(np.median(times)), "min_ms": min(times),
        "rss_mb": resident_mb("VmHWM") - base}


def main():
    engine, path, inputs, threads, precision, *outputs = sys.argv[1:]
    load = ENGINES[engine](path, dict(np.load(inputs)), int(threads), precision)
    if outputs:
        np.savez(outputs[0], **{name: np.array(value) for name, value in load()().items()})
    else:
        print(json.dumps(measured(load)))


if __name__ == "__main__":
    main()
