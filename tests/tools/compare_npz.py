"""Compares two .npz files, tensor by tensor.

    python compare_npz.py A.npz B.npz [--waivers FILE --network NAME [--model MODEL.onnx]] [--exact]

Integer tensors must be equal. Float tensors must be equal bit for bit or, unless --exact, lie within --rtol/--atol.
Prints a row for each tensor that differs and for each difference that a waiver covers, then a count. Exit 1 when
something differs or nothing could be compared.

A waiver file holds lines `network  op-or-tensor-glob  max_count  reason`; `#` starts a comment. The first line that
fits applies; a mismatch count above max_count is a failure all the same. Ops are known only with --model: for a
QuantizeLinear output, the op in front of it.
"""
import argparse
import re
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np


@dataclass
class Waiver:
    network: str
    glob: str
    max_count: int
    reason: str


def waiver_lines(path, counts=r"\d+"):
    """The four fields of every line; the third must match `counts`."""
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        fields = line.split("#", 1)[0].split(None, 3)
        if not fields:
            continue
        if len(fields) < 4 or not re.fullmatch(counts, fields[2]):
            sys.exit(f"{path}:{number}: expected `name  glob  max_count  reason`, not: {line.strip()}")
        yield fields


def read_waivers(path):
    return [Waiver(network, glob, int(count), reason) for network, glob, count, reason in waiver_lines(path)]


def producers(model_path):
    """tensor -> op that computes it; for a QuantizeLinear output, the op in front of it."""
    import onnx
    nodes = {o: n for n in onnx.load(model_path, load_external_data=False).graph.node for o in n.output}

    def op(tensor):
        n = nodes[tensor]
        seen = n.op_type in ("QuantizeLinear", "DequantizeLinear") and n.input[0] in nodes
        return op(n.input[0]) if seen else n.op_type
    return {t: op(t) for t in nodes}


@dataclass
class Comparison:
    tensors: int = 0
    values: int = 0
    quantized: int = 0
    waived: int = 0
    failed: int = 0
    only: list = field(default_factory=lambda: [[], []])
    rows: list = field(default_factory=list)

    @property
    def ok(self):
        return self.failed == 0 and self.tensors > 0


def difference(a, b, exact, rtol, atol):
    """None when equal, else (count of differing values, largest difference, first place) or a sentence."""
    if a.dtype != b.dtype:
        return f"type {a.dtype} against {b.dtype}"
    if a.shape != b.shape:
        return f"shape {list(a.shape)} against {list(b.shape)}"
    if a.tobytes() == b.tobytes():
        return None
    if a.dtype.kind == "f":
        both_nan = np.isnan(a) & np.isnan(b)
        wrong = ~both_nan & ((a != b) if exact else ~np.isclose(a, b, rtol=rtol, atol=atol))
    else:
        wrong = a != b
    if not wrong.any():
        return None
    first = np.unravel_index(int(np.argmax(wrong)), a.shape)
    wide = a.astype(np.float64), b.astype(np.float64)
    return int(wrong.sum()), float(np.abs(wide[0] - wide[1])[wrong].max()), [int(i) for i in first]


def compare(a, b, *, waivers=(), network="", ops=None, exact=False, rtol=1e-5, atol=1e-6):
    """`a` is what should be, `b` what is; both map names to arrays."""
    result = Comparison(only=[sorted(a.keys() - b.keys()), sorted(b.keys() - a.keys())])
    for name in a:
        if name not in b:
            continue
        result.tensors += 1
        result.values += a[name].size
        result.quantized += a[name].dtype in (np.uint8, np.int8)
        found = difference(a[name], b[name], exact, rtol, atol)
        if found is None:
            continue
        op = (ops or {}).get(name, "")
        text = found if isinstance(found, str) else (
            f"{found[0]} of {a[name].size} differ, by at most {found[1]:g}, first at {found[2]}: "
            f"{a[name][tuple(found[2])]} against {b[name][tuple(found[2])]}")
        waiver = next((w for w in waivers if fnmatchcase(network, w.network)
                       and (w.glob == op or fnmatchcase(name, w.glob))), None)
        if waiver and not isinstance(found, str) and found[0] <= waiver.max_count:
            result.waived += 1
            text += f"  (waived: {waiver.reason})"
        else:
            result.failed += 1
        result.rows.append(f"{name}  {op}  {text}" if op else f"{name}  {text}")
    return result


def summary(r):
    return (f"{r.tensors} tensors ({r.quantized} quantized), {r.values} values compared: {r.failed} tensors differ"
            + (f", {r.waived} waived" if r.waived else ""))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("a", type=Path)
    p.add_argument("b", type=Path)
    p.add_argument("--waivers", type=Path)
    p.add_argument("--network", default="", help="name that waiver lines are matched with")
    p.add_argument("--model", type=Path, help="tells which op made a tensor")
    p.add_argument("--exact", action="store_true", help="floats must be the same bits too")
    p.add_argument("--rtol", type=float, default=1e-5)
    p.add_argument("--atol", type=float, default=1e-6)
    args = p.parse_args()
    r = compare(dict(np.load(args.a)), dict(np.load(args.b)), network=args.network, exact=args.exact,
                waivers=read_waivers(args.waivers) if args.waivers else (),
                ops=producers(args.model) if args.model else None, rtol=args.rtol, atol=args.atol)
    for row in r.rows:
        print(row)
    for path, names in zip((args.a, args.b), r.only):
        if names:
            print(f"only in {path}: {', '.join(names)}")
    print(summary(r))
    sys.exit(0 if r.ok else 1)


if __name__ == "__main__":
    main()
