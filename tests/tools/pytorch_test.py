"""CTest: networks as PyTorch's exporters write them, against PyTorch's own outputs.

    python pytorch_test.py OCTET [--engine jit,cpp,reference] [--target scalar,avx2,avx512_vnni,avx512_vbmi]

Every .onnx of ../shared/reference/pytorch must be exactly as far from PyTorch as the table in the README there says that
the file itself is: the greatest distance in output quanta, and the fraction of outputs that differ. What PyTorch saves
in its own formats must be refused with a word about what to do. Skipped where that folder is not there
(OCTET_PYTORCH_MODELS names another place).
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from octet_run import NOTHING_LEFT, TARGETS, configurations, octet_run

FOLDER = Path(os.environ.get("OCTET_PYTORCH_MODELS",
                             Path(__file__).resolve().parents[2].parent / "shared/reference/pytorch"))
FLOAT_TOLERANCE = 2e-6  # of the greatest output, where outputs are not quantized
REFUSED = {".pt": ("torch.jit.save", "torch.onnx.export"), ".pt2": ("torch.export.save", "torch.onnx.export")}


def expected():
    """{file: (quanta, fraction as printed)} of the README's table; (0, "0") where it names no fraction."""
    rows = {}
    for line in (FOLDER / "README.md").read_text().splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if len(cells) > 3 and cells[0].endswith(".onnx"):
            found = re.fullmatch(r"(\d+)(?:, (\.\d+))?|-", cells[3])
            if not found:
                sys.exit(f"{FOLDER}/README.md: '{cells[3]}' is no distance")
            rows[cells[0]] = (int(found[1] or 0), found[2] or "0")
    return rows


def distance(got, want, scale):
    """The greatest difference in quanta, and the fraction that differs."""
    quanta = np.rint((got.astype(np.float64) - want) / scale)
    return int(np.abs(quanta).max()), float(np.mean(quanta != 0))


def complaint(got, want, scale, quanta, fraction):
    """What is wrong with these outputs, or None."""
    if got.shape != want.shape:
        return f"shape {got.shape}, not {want.shape}"
    if scale is None:
        worst, limit = np.abs(got.astype(np.float64) - want).max(), FLOAT_TOLERANCE * np.abs(want).max()
        return None if worst <= limit else f"{worst:.3g} from PyTorch, above {limit:.3g}"
    most, share = distance(got, want, scale)
    digits = len(fraction) - 1 if fraction.startswith(".") else 12
    if most == quanta and round(share, digits) == float(fraction):
        return None
    return f"{most} quanta, {share:.4f} of the outputs; the file is {quanta}, {fraction} from PyTorch"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("octet", type=Path)
    p.add_argument("--engine", default="jit,reference", type=lambda s: s.split(","))
    p.add_argument("--target", default=",".join(TARGETS), type=lambda s: s.split(","))
    args = p.parse_args()
    if not FOLDER.is_dir():
        print(f"skipped: {FOLDER} is not there")
        sys.exit(NOTHING_LEFT)
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    pairs = configurations(args.engine, args.target)
    table = expected()
    missing = sorted(f.name for f in FOLDER.glob("*.onnx") if f.name not in table)
    failures = [f"{name}: no row in the README" for name in missing]
    with tempfile.TemporaryDirectory() as tmp:
        for name, (quanta, fraction) in sorted(table.items()):
            model = FOLDER / name
            want = np.load(f"{model}.out.npy")
            for engine, target in pairs:
                got = octet_run(args.octet, model, f"{model}.in.npy", Path(tmp) / "out.npz", engine, target,
                                "--batch", str(len(want)))
                title = f"{name} {engine} {target or ''}".rstrip()
                wrong = got if isinstance(got, str) else complaint(
                    next(iter(got.values())).reshape(len(want), -1), want, manifest[name]["out_scale"], quanta, fraction)
                if wrong:
                    failures.append(f"{title}: {wrong}")
    for suffix, words in REFUSED.items():
        for model in sorted(FOLDER.glob(f"*{suffix}")):
            done = subprocess.run([args.octet, "inspect", model], capture_output=True, text=True)
            if done.returncode != 1 or not all(w in done.stderr for w in words):
                failures.append(f"{model.name}: exit {done.returncode}, {done.stderr.strip() or 'no message'}")
    for line in failures:
        print(line)
    print(f"{len(table)} networks on {len(pairs)} engines and targets, {len(failures)} complaints")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
