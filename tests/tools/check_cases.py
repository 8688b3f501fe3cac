"""Compares Octet with ONNX Runtime over the models of make_cases.py; every output must be the same bits, but in cases
called float_..., which work in float and are compared by tolerance.

    python check_cases.py OCTET CASES_DIR [--engine jit,cpp,reference] [--target scalar,avx2,avx512_vnni,avx512_vbmi]
                          [--only GLOB] [--jobs N] [--waivers FILE]

Prints a line per mismatch and a closing `N passed, N failed`, counting each case on each engine and target. A
mismatch in a case that ONNX Runtime itself computed in float says so: there the last bit may be ONNX Runtime's.
"""
import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from compare_npz import compare, read_waivers
from octet_run import TARGETS, configurations, octet_run
from ort_golden import require_vnni, run_all, session

FLOAT_OPS = {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "Add", "Mul", "ReduceMean", "BatchNormalization"}


def float_ops(line):
    return sorted(op for op in (field.split(":")[0] for field in line) if op in FLOAT_OPS)


def check(args, name, in_float, pairs, folder):
    """(passed, complaints) of one case."""
    model, source = args.cases / f"{name}.onnx", args.cases / f"{name}.npz"
    with np.load(source) as arrays:
        expected = run_all(session(model), dict(arrays), 1)
    passed, complaints = 0, []
    for engine, target in pairs:
        got = octet_run(args.octet, model, source, folder / f"{name}.npz", engine, target)
        title = f"{name} {engine} {target or ''}".rstrip()
        if isinstance(got, str):
            complaints.append(f"{title}: {got}")
            continue
        r = compare(expected, got, exact=not name.startswith("float_"), waivers=args.waivers, network=name)
        if r.ok and not r.only[0]:
            passed += 1
            continue
        note = f"  (ONNX Runtime ran {', '.join(in_float)} in float)" if in_float else ""
        what = "; ".join(r.rows + [f"no output {n}" for n in r.only[0]])
        complaints.append(f"{title}: {what}{note}")
    return passed, complaints


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("octet", type=Path)
    p.add_argument("cases", type=Path)
    p.add_argument("--engine", default="jit,reference", type=lambda s: s.split(","))
    p.add_argument("--target", default=",".join(TARGETS), type=lambda s: s.split(","))
    p.add_argument("--only", default="*", help="case names to run, as a glob")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--waivers", type=read_waivers, default=[])
    args = p.parse_args()
    require_vnni()
    pairs = configurations(args.engine, args.target)
    listed = [line.split() for line in (args.cases / "cases.txt").read_text().splitlines()]
    chosen = [(name, float_ops(ops)) for name, *ops in listed if fnmatch(name, args.only)]
    if not pairs or not chosen:
        sys.exit("nothing to check: no case, or no engine and target, is left")
    passed = failed = 0
    with tempfile.TemporaryDirectory() as tmp, ThreadPoolExecutor(args.jobs) as pool:
        for good, complaints in pool.map(lambda case: check(args, *case, pairs, Path(tmp)), chosen):
            passed += good
            failed += len(complaints)
            for line in complaints:
                print(line, flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
