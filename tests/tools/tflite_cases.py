"""Writes small TFLite models, one quantized operator each, that cover what importer and kernels must understand.

    python tflite_cases.py OUT_DIR [--large] [--only GLOB]

For each case NAME.tflite and NAME.npz (its inputs x0, x1, ...; the outputs are y0, y1, ...). A name is
operator.shape.variant, and seeds what is random. --large gives more scales and larger tensors.
"""
import argparse
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

import tflite_cases_math
import tflite_cases_moves
import tflite_cases_sums


def cases(large=False, only="*"):
    names = set()
    for module in (tflite_cases_sums, tflite_cases_math, tflite_cases_moves):
        for case in module.cases(large):
            if case.name in names:
                raise ValueError(f"two cases are called {case.name}")
            names.add(case.name)
            if fnmatchcase(case.name, only):
                yield case


def write_cases(folder, large=False, only="*"):
    """Writes the models and their inputs; gives the names of the cases."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for case in cases(large, only):
        (folder / f"{case.name}.tflite").write_bytes(case.model())
        np.savez(folder / f"{case.name}.npz", **case.arrays)
        names.append(case.name)
    return names


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", type=Path)
    p.add_argument("--large", action="store_true")
    p.add_argument("--only", default="*")
    args = p.parse_args()
    print(f"{len(write_cases(args.out, args.large, args.only))} cases in {args.out}")


if __name__ == "__main__":
    main()
