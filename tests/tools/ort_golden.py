"""Writes what ONNX Runtime computes for every quantized tensor of a model.

    python ort_golden.py MODEL --input X.npz --output GOLD.npz [--batch N]

GOLD.npz holds the model's outputs and, by its ONNX name, every u8/s8 activation that can be made visible without
changing what ONNX Runtime computes. An extra graph output can keep ONNX Runtime from fusing, and an unfused layer
computes in float; so after exposing tensors the original outputs must be the same bits and the optimised graph must
hold the same compute ops. Where not, smaller sets are exposed, and a tensor that disturbs even alone is left out
and named.

On a host without VNNI, ONNX Runtime saturates u8 x s8 products and its answers are no reference: exit code 77.
"""
import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

SKIPPED = 77  # what ctest's SKIP_RETURN_CODE expects
# Ops that may come and go with an exposed tensor without touching a value.
MOVES = {"Transpose", "QuantizeLinear", "DequantizeLinear", "Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten"}


def has_vnni():
    flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[-1].split("\n", 1)[0].split()
    return "avx512_vnni" in flags or "avx_vnni" in flags


def require_vnni():
    if not has_vnni():
        print("skipped: no VNNI here, so ONNX Runtime saturates u8 x s8 and gives no exact answers")
        sys.exit(SKIPPED)


def session(model, optimize=True, optimized_path=None):
    """`model` is a path or a ModelProto."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = (
        ort.GraphOptimizationLevel.ORT_ENABLE_ALL if optimize else ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    if optimized_path:
        options.optimized_model_filepath = str(optimized_path)
    source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def session_and_ops(model):
    """A session, and how many of each op ONNX Runtime really runs."""
    with tempfile.TemporaryDirectory() as tmp:
        path = Path(tmp) / "optimized.onnx"
        s = session(model, optimized_path=path)
        return s, Counter(n.op_type for n in onnx.load(path, load_external_data=False).graph.node)


def feeds_of(s, arrays):
    """Matches arrays to graph inputs, by name; a lone array fits a lone input."""
    names = [i.name for i in s.get_inputs()]
    if len(names) == 1 and names[0] not in arrays and len(arrays) == 1:
        return {names[0]: next(iter(arrays.values()))}
    missing = [n for n in names if n not in arrays]
    if missing:
        sys.exit(f"no array for graph input {', '.join(missing)}; there are: {', '.join(arrays)}")
    return {n: arrays[n] for n in names}


def run_all(s, feeds, batch):
    """Runs `batch` rows at a time, in order, and stacks; a fixed first dimension is the batch."""
    first = s.get_inputs()[0]
    if not first.shape:
        return dict(zip([o.name for o in s.get_outputs()], s.run(None, feeds)))
    if isinstance(first.shape[0], int):
        batch = first.shape[0]
    rows = len(feeds[first.name])
    if rows % batch:
        sys.exit(f"{rows} rows of {first.name} are no multiple of the batch {batch}")
    parts = [s.run(None, {n: a[i:i + batch] if rows != batch else a for n, a in feeds.items()})
             for i in range(0, rows, batch)]
    return {o.name: values[0] if len(values) == 1 else np.concatenate(values)
            for o, values in zip(s.get_outputs(), zip(*parts))}


def quantized_tensors(model):
    """Names of all u8/s8 tensors that depend on an input; ONNX Runtime itself infers the types."""
    constants = {i.name for i in model.graph.initializer}
    names = []
    for n in model.graph.node:
        if n.op_type == "Constant" or all(i in constants or not i for i in n.input):
            constants.update(n.output)
        elif n.op_type != "Cast":  # PyTorch's exporter writes casts u8 -> u8: the same values under a second name
            names += [o for o in n.output if o]
    original = {o.name for o in model.graph.output}
    s = session(exposing(model, [n for n in names if n not in original]), optimize=False)
    return [o.name for o in s.get_outputs() if o.type in ("tensor(uint8)", "tensor(int8)") and o.name not in original]


def exposing(model, names):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
    return copy


def same_bits(a, b):
    return all(a[n].dtype == b[n].dtype and a[n].shape == b[n].shape and a[n].tobytes() == b[n].tobytes() for n in a)


def compute_ops(ops):
    return {op.removeprefix("Nhwc"): n for op, n in ops.items() if op not in MOVES}


def golden(model_path, arrays, batch=1, note=print):
    """(outputs, quantized tensors) by name, both exactly as the untouched model computes them."""
    plain, ops = session_and_ops(model_path)
    feeds = feeds_of(plain, arrays)
    outputs = run_all(plain, feeds, batch)
    model = onnx.load(model_path)
    tensors = {}

    def expose(names):
        s, exposed_ops = session_and_ops(exposing(model, names))
        values = run_all(s, feeds, batch)
        if same_bits(outputs, values) and compute_ops(ops) == compute_ops(exposed_ops):
            tensors.update({n: values[n] for n in names})
        elif len(names) == 1:
            changed = {op: exposed_ops[op] - ops[op] for op in ops | exposed_ops if exposed_ops[op] != ops[op]}
            note(f"left out, because showing it changes ONNX Runtime's graph: {names[0]} {changed}")
        else:
            expose(names[:len(names) // 2])
            expose(names[len(names) // 2:])

    names = quantized_tensors(model)
    if names:
        expose(names)
    return outputs, tensors


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=Path)
    p.add_argument("--input", type=Path, required=True)
    p.add_argument("--output", type=Path, required=True)
    p.add_argument("--batch", type=int, default=1, help="rows per run where the model's batch is symbolic")
    a = p.parse_args()
    require_vnni()
    outputs, tensors = golden(a.model, dict(np.load(a.input)), a.batch)
    np.savez(a.output, **outputs, **tensors)
    print(f"{len(outputs)} outputs, {len(tensors)} quantized tensors, {sum(t.size for t in tensors.values())} values")


if __name__ == "__main__":
    main()
