#!/usr/bin/env python3
"""Runs the ONNX standard's own backend tests through the public Python package of Apus.

    python3 Tests/Conformance/suite.py [--executor NAME]… [--kind KIND]… [--filter REGEX]

Kinds: node (1,884 cases with onnx 1.23.2), simple, pytorch-converted, pytorch-operator, light.
Executors: see executors.py. What an executor does not pass is listed in skips/EXECUTOR.txt, a
case and its reason per line. A listed case that passes is a failure too: the lists only shrink.

Nothing else may help: onnxruntime and onnx.reference cannot be imported while the package runs.
"""

import argparse
import collections
import importlib.abc
import pathlib
import re
import sys

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "light")
BLOCKED = ("onnxruntime", "onnx.reference")

# Operators that draw random numbers, beside Dropout that trains with a ratio above 0: their
# results are compared with their distribution instead.
RANDOM = {
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
    "RandomUniformLike",
}


class Blocker(importlib.abc.MetaPathFinder):
    """Refuses to import what could do the work in the place of Apus."""

    def find_spec(self, name, path=None, target=None):
        if any(name == b or name.startswith(b + ".") for b in BLOCKED):
            raise ImportError(f"{name} is blocked: this test is about Apus alone")
        return None


def block():
    for name in list(sys.modules):
        if any(name == b or name.startswith(b + ".") for b in BLOCKED):
            del sys.modules[name]
    sys.meta_path.insert(0, Blocker())


def load(kinds):
    """The cases of the suite, by name, with their kind."""
    from onnx.backend.test.case.node import collect_testcases
    from onnx.backend.test.loader import load_model_tests

    cases = []
    for kind in kinds:
        if kind == "node":
            found = collect_testcases(None)
        else:
            # The suite keeps the light models among the "real" ones, of which there are no others.
            found = load_model_tests(kind="real" if kind == "light" else kind)
        cases += [(kind, case) for case in found]
    return cases


def data_of(kind, case):
    """The model and its data sets: pairs of inputs and outputs."""
    import onnx

    if case.model is not None:
        return case.model, [tuple(map(arrays, pair)) for pair in case.data_sets]
    if kind == "light":
        return light_data(case)
    folder = pathlib.Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    sets = []
    for data in sorted(folder.glob("test_data_set_*")):
        count = len(list(data.glob("input_*.pb")))
        sets.append((
            files(data, "input", list(model.graph.input)[:count]),
            files(data, "output", model.graph.output)))
    return model, sets


def files(folder, prefix, values):
    return [
        parse((folder / f"{prefix}_{place}.pb").read_bytes(), value.type)
        for place, value in enumerate(values)
    ]


def arrays(values):
    """The values as arrays: some cases hold them as the messages of the format."""
    import onnx
    from onnx import numpy_helper

    return [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in values]


def parse(content, kind):
    """A value of a data set, as the suite's files hold it."""
    import onnx
    from onnx import numpy_helper

    if kind.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(content))
    if kind.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(content))
    return numpy_helper.to_array(onnx.TensorProto.FromString(content))


def light_data(case):
    """A light model: real architectures whose weights are made by ConstantOfShape."""
    import onnx
    from onnx import numpy_helper

    path = pathlib.Path(onnx.__file__).resolve().parent.parent / case.url
    model = onnx.load(path)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = []
    for value in model.graph.input:
        if value.name in constants:
            continue
        shape = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        size = int(np.prod(shape))
        inputs.append((np.arange(size).reshape(shape) / size).astype(np.float32))
    wanted = onnx.TensorProto.FromString(
        path.with_name(path.stem + "_output_0.pb").read_bytes())
    return model, [(inputs, [numpy_helper.to_array(wanted)])]


def compare(wanted, got, rtol, atol):
    """Raises AssertionError where values differ; the rules are those of the suite's runner."""
    assert len(wanted) == len(got), f"{len(got)} outputs instead of {len(wanted)}"
    for place, (w, g) in enumerate(zip(wanted, got)):
        if isinstance(w, (list, tuple)):
            assert isinstance(g, (list, tuple)), f"output {place} is no sequence"
            compare(w, g, rtol, atol)
            continue
        if w is None:
            assert g is None, f"output {place} should be empty"
            continue
        w, g = np.asarray(w), np.asarray(g)
        assert w.shape == g.shape, f"output {place} has shape {g.shape} instead of {w.shape}"
        assert w.dtype == g.dtype, f"output {place} is {g.dtype} instead of {w.dtype}"
        bound = rtol
        if w.dtype.kind not in "biuf":
            if w.dtype.name == "bfloat16":
                bound = max(rtol, 2**-6)
            w, g = w.astype(np.float32), g.astype(np.float32)
        np.testing.assert_allclose(g, w, rtol=bound, atol=atol)


def is_random(model, inputs):
    nodes = list(model.graph.node) + [n for function in model.functions for n in function.node]
    return any(
        node.op_type in RANDOM or (
            node.op_type == "Dropout" and len(node.input) == 3 and np.any(inputs[1]))
        for node in nodes)


def run(kind, case, executor):
    """Raises where the case fails."""
    model, sets = data_of(kind, case)
    for inputs, outputs in sets:
        got = executor.run(model, inputs)
        if is_random(model, inputs):
            # The numbers are anyone's; distributions.py looks at how they are spread.
            for w, g in zip(outputs, got):
                assert (w.shape, w.dtype) == (g.shape, g.dtype), (g.shape, g.dtype)
        else:
            compare(outputs, got, case.rtol, case.atol)


def skips(executor):
    """Reasons by case: what this executor is known not to pass."""
    path = FOLDER / "skips" / f"{executor}.txt"
    listed = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        line = line.strip()
        if line and not line.startswith("#"):
            name, _, reason = line.partition(":")
            if not reason.strip():
                raise SystemExit(f"{path.name}: {name} is listed without a reason")
            listed[name.strip()] = reason.strip()
    return listed


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executor", action="append")
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--filter", default="", help="a regular expression for names of cases")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def main():
    sys.path.insert(0, str(FOLDER))
    options = arguments()
    cases = [
        (kind, case) for kind, case in load(options.kind or KINDS)
        if re.search(options.filter, case.name)
    ]
    if not cases:
        raise SystemExit(f"no case matches {options.filter!r}")
    block()
    from executors import EXECUTORS

    names = options.executor or list(EXECUTORS)
    bad = sum(judge(EXECUTORS[name], cases, options) for name in names)
    return 1 if bad else 0


def judge(executor, cases, options):
    """Runs all cases on one executor; prints counts; returns the number of surprises."""
    from isolation import results

    listed = skips(executor.name)
    passed, failed, surprises = collections.Counter(), collections.Counter(), 0
    seen = set()

    def work(number):
        run(*cases[number], executor)
        return True

    for number, result, error in results(work, range(len(cases)), options.jobs):
        kind, case = cases[number]
        seen.add(case.name)
        if result:
            passed[kind] += 1
            if case.name in listed:
                surprises += 1
                print(f"{executor.name}: {case.name} passes: take it off the list")
        else:
            failed[kind] += 1
            if case.name not in listed:
                surprises += 1
                print(f"{executor.name}: {case.name}: {' '.join(error.split())[:400]}", flush=True)
    if not options.filter and not options.kind:
        for name in sorted(set(listed) - seen):
            surprises += 1
            print(f"{executor.name}: {name} is listed, but there is no such case")
    for kind in sorted(set(passed) | set(failed)):
        print(f"{executor.name:9} {kind:18} {passed[kind]:5} passed {failed[kind]:5} skipped or failed")
    return surprises


if __name__ == "__main__":
    sys.exit(main())
