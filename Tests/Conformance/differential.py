#!/usr/bin/env python3
"""Compares Apus with ONNX Runtime on random small models.

    python3 Tests/Conformance/differential.py --cases 2000
    python3 Tests/Conformance/differential.py --case 1234          one case, with its model

A case is known by the seed and its number. Cases that ONNX Runtime refuses, because their random
attributes contradict each other, are counted and left out; every family must have cases that are
not. Every case runs on one of the executors in turn, all of them over time.

Failing cases are left in build/differential/NUMBER: model.onnx, inputs.npz, wanted.npz.
"""

import argparse
import collections
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "differential"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", type=int, default=20261)
    parser.add_argument("--family", action="append", help="only these families")
    parser.add_argument("--executor", help="one of backend, portable, best, file; default: in turn")
    parser.add_argument("--case", type=int, help="only this case; prints the model")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def wanted_outputs(case):
    """What ONNX Runtime computes without its own optimisations; None where it refuses the model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            case.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, case.inputs)
    except Exception:  # noqa: BLE001: ONNX Runtime raises many kinds, all mean a refusal
        return None


def difference(case, wanted, got):
    """What is wrong with the outputs, in words; None where nothing is."""
    if len(wanted) != len(got):
        return f"{len(got)} outputs instead of {len(wanted)}"
    for place, (w, g) in enumerate(zip(wanted, got)):
        g = np.asarray(g)
        if w.shape != g.shape:
            return f"output {place} has shape {g.shape} instead of {w.shape}"
        if w.dtype != g.dtype:
            return f"output {place} is {g.dtype} instead of {w.dtype}"
        if w.dtype.kind in "biu":
            apart = np.abs(w.astype(np.int64) - g.astype(np.int64))
            if apart.size and apart.max() > case.steps:
                return f"output {place} differs by {apart.max()} in {np.sum(apart > 0)} elements"
        elif not np.allclose(g, w, rtol=case.rtol, atol=case.atol, equal_nan=True):
            with np.errstate(all="ignore"):
                worst = np.nanmax(np.abs(g.astype(np.float64) - w.astype(np.float64)))
            return f"output {place} differs by {worst:g}"
    return None


def make(options, number):
    from generators import FAMILIES, Draw

    names = options.family or sorted(FAMILIES)
    name = names[number % len(names)]
    return name, FAMILIES[name](Draw(options.seed, number))


def run(options, number):
    """(family, verdict, what is wrong) of one case."""
    from executors import EXECUTORS

    name, case = make(options, number)
    wanted = wanted_outputs(case)
    if wanted is None:
        return name, "refused by ONNX Runtime", None
    turn = list(EXECUTORS)[number // 7 % len(EXECUTORS)]
    executor = EXECUTORS[options.executor or turn]
    try:
        got = executor.run(case.model, list(case.inputs.values()))
        wrong = difference(case, wanted, got)
    except Exception as error:  # noqa: BLE001: every error is a finding
        wrong = f"{type(error).__name__}: {error}"
    if wrong:
        keep(number, case, wanted)
        return name, "wrong", f"{executor.name}: {wrong}"
    return name, "right", None


def keep(number, case, wanted):
    folder = OUTPUT / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    np.savez(folder / "inputs.npz", **case.inputs)
    np.savez(folder / "wanted.npz", *wanted)


def main():
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    options = arguments()
    if options.case is not None:
        import onnx

        for line in onnx.printer.to_text(make(options, options.case)[1].model).splitlines():
            print(line[:300])
        print(run(options, options.case))
        return 0
    from isolation import results

    numbers = range(options.first, options.first + options.cases)
    counts = collections.defaultdict(collections.Counter)
    findings = []
    for number, result, error in results(lambda n: run(options, n), numbers, options.jobs):
        name, verdict, wrong = result or (make(options, number)[0], "wrong", error)
        counts[name][verdict] += 1
        if wrong:
            findings.append((number, name, wrong))
            print(f"case {number} ({name}): {wrong}", flush=True)
    return report(options, counts, findings)


def report(options, counts, findings):
    total = sum(counts.values(), collections.Counter())
    for name in sorted(counts):
        print(f"{name:24}", "  ".join(f"{v} {k}" for k, v in sorted(counts[name].items())))
    print(f"seed {options.seed}: {dict(total)}")
    if idle := [name for name in counts if not counts[name]["right"]]:
        print("no case of these families could be compared:", ", ".join(idle))
        return 1
    if findings:
        print(f"{len(findings)} differences; models in {OUTPUT.relative_to(ROOT)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
