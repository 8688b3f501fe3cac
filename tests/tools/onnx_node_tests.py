"""Runs the ONNX backend node tests of the onnx package through `octet run`, and keeps the README's table of them true.

    python onnx_node_tests.py OCTET [--engine jit,reference] [--only GLOB] [--list] [--update] [--readme FILE]

In scope: the quantized and integer cases of numerics.md 6.2, and every case whose model is one node of an operator that
float islands compute. Integers must be equal; floats lie within the backend tests' own tolerance (rtol 1e-3, atol 1e-7).

A case passes as it is, or, where Octet wants a parameter (a scale, weights, axes) to be known when the network is
compiled, with all inputs but the first made constants. A refusal is a user error of one line; anything else fails.

--list prints every case with what became of it. --update writes the table between the markers in the README; without
it the test fails where a case fails, or where fewer pass than the README says.
"""
import argparse
import os
import re
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from octet_run import octet_run

BEGIN, END = "<!-- onnx_node_tests.py --update writes this table -->", "<!-- end of the table -->"
DATA = Path(onnx.__file__).parent / "backend/test/data/node"
RTOL, ATOL = 1e-3, 1e-7

# numerics.md 6.2
INTEGER_CASES = """
test_quantizelinear test_quantizelinear_axis test_quantizelinear_int16 test_quantizelinear_uint16
test_quantizelinear_blocked_asymmetric test_quantizelinear_blocked_symmetric test_dequantizelinear
test_dequantizelinear_axis test_dequantizelinear_blocked test_dequantizelinear_int16 test_dequantizelinear_uint16
test_dynamicquantizelinear* test_convinteger_with_padding test_convinteger_without_padding test_matmulinteger
test_qlinearconv test_qlinearmatmul_?D_*_float32 test_maxpool_2d_uint8 test_add_uint8 test_sub_uint8 test_mul_uint8
test_div_uint8 test_max_uint8 test_min_uint8 test_mod_uint8 test_max_int8 test_min_int8 test_mod_mixed_sign_int8
test_clip_default_int8_* test_bitshift_*_uint8""".split()

# Rows of the table: what it says -> operators of single-node models.
KINDS = {
    "convolution": ["Conv", "ConvTranspose", "ConvInteger", "QLinearConv"],
    "matrix products": ["MatMulInteger", "QLinearMatMul"],
    "to and from integers": ["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"],
    "pooling": ["AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool"],
    "resize": ["Resize"],
    "moving values": ["Pad", "Slice", "Split", "Concat", "Transpose", "Gather", "DepthToSpace", "SpaceToDepth"],
    "normalisation": ["LayerNormalization", "InstanceNormalization", "GroupNormalization", "Softmax", "LogSoftmax"],
    "reductions": ["ReduceMean", "ArgMax", "ArgMin"],
    "elementwise": ["Gelu", "HardSwish", "PRelu", "LeakyRelu", "Clip", "Min", "Max", "Where", "Add", "Sub", "Mul", "Div",
                    "Mod", "BitShift"],
}
# In the elementwise row only the float cases of these; the integer ones in scope are named above.
FLOAT_KINDS = {op for ops in KINDS.values() for op in ops} - {"Add", "Sub", "Mul", "Div", "Mod", "BitShift"}


def saturated_qlinearmatmul(arrays):
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = arrays
    real = (a.astype(np.int64) - a_zero) @ (b.astype(np.int64) - b_zero) * (a_scale * b_scale / y_scale)
    info = np.iinfo(y_zero.dtype)
    return [np.clip(np.rint(real) + y_zero, info.min, info.max).astype(y_zero.dtype)]


# case -> (why the stored answer is not used, what is)
WAIVED = {f"test_qlinearmatmul_{d}D_int8_float32": ("the stored answer wraps where the operator saturates",
                                                   saturated_qlinearmatmul) for d in (2, 3)}
# Between two corners of 4 pixels in steps of (4 - 1) / (2 - 1), not (4 - 1) / (0.6 * 4 - 1), and of (4 - 1) / (3 - 1).
OWN_LENGTH = "the stored answer takes the result's length before it is rounded down; ONNX Runtime takes the result's own"
HALF_WAY = np.float32([[1, 0, 0, 0], [-0.09375, 0.59375, 0.59375, -0.09375], [0, 0, 0, 1]])  # cubic, of rows and columns
WAIVED["test_resize_downsample_scales_linear_align_corners"] = (OWN_LENGTH, lambda arrays: [arrays[0][:, :, :1, ::3]])
WAIVED["test_resize_downsample_scales_cubic_align_corners"] = (
    OWN_LENGTH, lambda arrays: [HALF_WAY @ arrays[0] @ HALF_WAY.T])


def kind_of(name, model):
    """The row of a case, or None where it is out of scope."""
    named = any(fnmatch(name, glob) for glob in INTEGER_CASES)
    op = model.graph.node[0].op_type if len(model.graph.node) == 1 else None
    if not named and op not in FLOAT_KINDS:
        return None
    if not named and (op in ("QuantizeLinear", "DequantizeLinear", "QLinearMatMul")  # other types than int8
                      or any(i.type.WhichOneof("value") != "tensor_type" for i in model.graph.input)):
        return None
    for kind, ops in KINDS.items():
        # "test_clip_default_int8_max_expanded": an operator written out as others.
        if op in ops or ("_expanded" in name and any(name.startswith(f"test_{o.lower()}_") for o in ops)):
            return kind
    sys.exit(f"{name} ({op}) belongs to no row of the table")


def read_arrays(folder, kind):
    files = sorted(folder.glob(f"{kind}_*.pb"), key=lambda p: int(re.findall(r"\d+", p.name)[-1]))
    return [numpy_helper.to_array(onnx.load_tensor(str(f))) for f in files]


def with_constants(model, names, arrays):
    """The model with its inputs but the first as initializers."""
    bound = onnx.ModelProto()
    bound.CopyFrom(model)
    del bound.graph.input[1:]
    for name, array in list(zip(names, arrays))[1:]:
        bound.graph.initializer.append(numpy_helper.from_array(array, name))
    return bound


def wrong(expected, got):
    """What is wrong with an output, or None."""
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return f"{got.dtype} {list(got.shape)} instead of {expected.dtype} {list(expected.shape)}"
    if expected.dtype.kind == "f":
        good = np.isclose(got, expected, rtol=RTOL, atol=ATOL, equal_nan=True)
    else:
        good = got == expected
    if good.all():
        return None
    at = tuple(int(i) for i in np.argwhere(~good)[0])
    return f"{np.count_nonzero(~good)} of {good.size} differ, first {list(at)}: {got[at]} instead of {expected[at]}"


def run_model(args, model, arrays, names, folder):
    """Outputs by name, or Octet's complaint."""
    path, source = folder / "model.onnx", folder / "in.npz"
    onnx.save(model, path)
    np.savez(source, **dict(zip(names, arrays)))
    answers = []
    for engine in args.engine:
        answers.append(octet_run(args.octet, path, source, folder / "out.npz", engine, None))
        if isinstance(answers[-1], str):
            return answers[-1]
        if any(answers[0][name].tobytes() != array.tobytes() for name, array in answers[-1].items()):
            return f"exit 0, but engines {args.engine[0]} and {engine} differ"
    return answers[0]


def judge(args, case):
    """(passed | constants | refused | failed, detail) of a case."""
    name, model = case
    data = DATA / name / "test_data_set_0"
    names = [i.name for i in model.graph.input]
    arrays, expected = read_arrays(data, "input"), read_arrays(data, "output")
    if name in WAIVED:
        expected = WAIVED[name][1](arrays)
    outputs = [o.name for o in model.graph.output]
    first = None
    with tempfile.TemporaryDirectory() as tmp:
        for status, form, given in (("passed", model, arrays), ("constants", None, arrays[:1])):
            if form is None:
                if len(names) < 2:
                    break
                form = with_constants(model, names, arrays)
            got = run_model(args, form, given, names, Path(tmp))
            if isinstance(got, str):
                if not got.startswith("exit 1: octet: "):
                    return "failed", got
                reason = got.removeprefix("exit 1: octet: ").split("model.onnx: ", 1)[-1]
                first = first or reason
                last = reason
                continue
            for output, want in zip(outputs, expected):
                if fault := "no such output" if output not in got else wrong(want, got[output]):
                    return "failed", f"{output}: {fault}"
            return status, first or ""
    return "refused", last


def table(results):
    """Lines of the README."""
    rows = [BEGIN, "", "| node tests of | cases | passed | passed, parameters constant | refused | of the passed: waived |",
            "| --- | --- | --- | --- | --- | --- |"]
    total = Counter()
    for kind in KINDS:
        mine = [(name, status) for name, (k, status, _) in results.items() if k == kind]
        counts = Counter(status for _, status in mine)
        counts["waived"] = sum(name in WAIVED and status in ("passed", "constants") for name, status in mine)
        counts["cases"] = len(mine)
        total += counts
        rows.append(row(kind, counts))
    return rows + [row("all", total), "", END]


def row(kind, c):
    return f"| {kind} | {c['cases']} | {c['passed']} | {c['constants']} | {c['refused']} | {c['waived']} |"


def passed_by_kind(text):
    """kind -> how many pass, of the table in a README."""
    block = text.split(BEGIN, 1)[-1].split(END, 1)[0]
    counts = {}
    for line in block.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 6 and cells[1].isdigit():
            counts[cells[0]] = int(cells[2]) + int(cells[3])
    return counts


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("octet", type=Path)
    p.add_argument("--engine", default="jit,reference", type=lambda s: s.split(","))
    p.add_argument("--only", default="*", help="case names to run, as a glob; the table is then left alone")
    p.add_argument("--list", action="store_true")
    p.add_argument("--update", action="store_true")
    p.add_argument("--readme", type=Path, default=Path(__file__).parents[2] / "README.md")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    args = p.parse_args()
    cases = []
    for folder in sorted(DATA.glob("test_*")):
        if fnmatch(folder.name, args.only):
            model = onnx.load(folder / "model.onnx")
            if kind := kind_of(folder.name, model):
                cases.append((kind, folder.name, model))
    if not cases:
        sys.exit(f"no case of that name in {DATA}")
    with ThreadPoolExecutor(args.jobs) as pool:
        judged = pool.map(lambda c: judge(args, c[1:]), cases)
        results = {name: (kind, *verdict) for (kind, name, _), verdict in zip(cases, judged)}
    failed = False
    for name, (_, status, detail) in results.items():
        if status == "failed" or args.list:
            print(f"{status:10} {name}: {detail}" if detail else f"{status:10} {name}")
        failed |= status == "failed"
    lines = table(results)
    print("\n".join(lines[2:-2]))
    text = args.readme.read_text()
    if args.only != "*":
        sys.exit(failed)
    if BEGIN not in text or END not in text:
        sys.exit(f"{args.readme}: the markers of the table are missing")
    if args.update:
        before, rest = text.split(BEGIN, 1)
        args.readme.write_text(before + "\n".join(lines) + rest.split(END, 1)[1])
        sys.exit(failed)
    promised, now = passed_by_kind(text), passed_by_kind("\n".join(lines))
    for kind in now:
        if now[kind] < promised.get(kind, 0):
            print(f"{kind}: {now[kind]} pass, {args.readme.name} says {promised[kind]}")
            failed = True
    if not failed and "\n".join(lines) not in text:
        print(f"more pass than {args.readme.name} says: --update writes the new table")
    sys.exit(failed)


if __name__ == "__main__":
    main()
