"""Writes small TFLite models, one quantized operator each, that cover what importer and kernels must understand.

    python tflite_cases.py OUT_DIR [--large] [--only GLOB]

For each case NAME.tflite and NAME.npz (its inputs x0, x1, ...; the outputs are y0, y1, ...). A name is
operator.shape.variant, and seeds what is random. --large gives more scales and larger tensors.
"""
import argparse
from fnmatch import fnmatchcase
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema
import numpy as np

import tflite_cases_math
import tflite_cases_moves
import tflite_cases_sums
from tflite_golden import Stored


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
    """Writes the models and their inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = []
    for case in cases(large, only):
        stored.append(Stored(case.name, folder / f"{case.name}.tflite", folder / f"{case.name}.npz"))
        stored[-1].model.write_bytes(case.model())
        np.savez(stored[-1].source, **case.arrays)
    return stored


def write_inputs(folder, models, only="*"):
    """Cases of whole models: for each NAME.tflite and every array inN of the NAME.npz beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = []
    for model in sorted(models.glob("*.tflite")):
        graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model.read_bytes(), 0)).subgraphs[0]
        name = graph.tensors[graph.inputs[0]].name.decode()
        with np.load(model.with_suffix(".npz")) as arrays:
            for key in (k for k in arrays if k.startswith("in") and fnmatchcase(f"{model.stem}.{k}", only)):
                stored.append(Stored(f"{model.stem}.{key}", model, folder / f"{model.stem}.{key}.npz"))
                np.savez(stored[-1].source, **{name: arrays[key]})
    return stored


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", type=Path)
    p.add_argument("--large", action="store_true")
    p.add_argument("--only", default="*")
    args = p.parse_args()
    print(f"{len(write_cases(args.out, args.large, args.only))} cases in {args.out}")


if __name__ == "__main__":
    main()
