"""Writes small quantized ONNX models that cover what the importer and every kernel must understand.

    python make_cases.py OUT_DIR [GLOB]

For each case NAME.onnx and NAME.npz (its inputs), and one line in cases.txt: the ops that ONNX Runtime really runs,
so that a mismatch can be told from a layer that ONNX Runtime left in float. A model that ONNX Runtime refuses is
dropped with a line. Everything is seeded by the case's name.
"""
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import onnx

import cases_float
import cases_qdq
import cases_qoperator
import cases_steps
from ort_golden import run_all, session_and_ops


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    out, glob = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "*"
    out.mkdir(parents=True, exist_ok=True)
    kept = {}
    for name, model, arrays in [*cases_qdq.cases(), *cases_qoperator.cases(), *cases_float.cases(), *cases_steps.cases()]:
        if name in kept:
            sys.exit(f"two cases are called {name}")
        if not fnmatch(name, glob):
            continue
        onnx.save(model, out / f"{name}.onnx")
        try:
            session, ops = session_and_ops(out / f"{name}.onnx")
            outputs = run_all(session, arrays, 1)
        except Exception as error:  # ONNX Runtime's own exception types are not public
            (out / f"{name}.onnx").unlink()
            print(f"dropped: {name}: {str(error).splitlines()[0][:200]}")
            continue
        np.savez(out / f"{name}.npz", **arrays)
        flat = [v for v in outputs.values() if len(np.unique(v)) < 3]
        if flat:
            print(f"weak: {name}: an output takes fewer than three values")
        kept[name] = " ".join(f"{op}:{n}" for op, n in sorted(ops.items()))
    (out / "cases.txt").write_text("".join(f"{name}  {ops}\n" for name, ops in kept.items()))
    print(f"{len(kept)} cases in {out}")


if __name__ == "__main__":
    main()
