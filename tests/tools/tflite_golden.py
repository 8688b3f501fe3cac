"""What the TFLite runtimes give for the cases of tflite_cases.py.

    python tflite_golden.py CASES_DIR GOLDENS_DIR [--profile tfl_ref,xnn,tfl_ruy,tflm] [--only GLOB]

Writes GOLDENS_DIR/PROFILE/NAME-DIGEST.npz: the outputs; or `refused`, why the runtime does not run the
case. What is there already is kept: the digest is of the model and its inputs. Some cases make a runtime abort, so each
batch runs in a process of its own; the batch goes on behind the case that ended it.

Profiles: tfl-ref (LiteRT's reference kernels), xnn (LiteRT's default: XNNPACK where it takes the operator, else the
builtin kernels; `delegated` says which), tfl-ruy (builtin kernels, nothing delegated), tflm (TFLite Micro).
"""
import argparse
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

PROFILES = ["tfl-ref", "xnn", "tfl-ruy", "tflm"]
Stored = namedtuple("Stored", "name model source")  # a case on disk: its .tflite and the .npz of its inputs
BATCH = 100
ARENA = 1 << 25  # bytes that TFLite Micro may use for a case


def missing():
    """Why there is nothing to compare with here, or None."""
    lacks = [m for m in ("ai_edge_litert", "tflite_micro") if importlib.util.find_spec(m) is None]
    return f"{sys.executable} has no {' and no '.join(lacks)}; scripts/setup installs them" if lacks else None


def run_litert(model, arrays, profile):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    resolver = {"tfl-ref": OpResolverType.BUILTIN_REF, "xnn": OpResolverType.AUTO,
                "tfl-ruy": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}[profile]
    i = Interpreter(model_content=model, experimental_op_resolver_type=resolver, num_threads=1)
    i.allocate_tensors()
    for d in i.get_input_details():
        i.set_tensor(d["index"], arrays[d["name"]])
    i.invoke()
    results = {d["name"]: i.get_tensor(d["index"]) for d in i.get_output_details()}
    if profile == "xnn":
        results["delegated"] = np.bool_(any(op["op_name"] == "DELEGATE" for op in i._get_ops_details()))
    return results


def run_micro(model, arrays):
    from ai_edge_litert import schema_py_generated as schema
    from tflite_micro import runtime
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)).subgraphs[0]
    inputs, outputs = ([graph.tensors[i].name.decode() for i in of] for of in (graph.inputs, graph.outputs))
    i = runtime.Interpreter.from_bytes(model, arena_size=ARENA)
    for n, name in enumerate(inputs):
        i.set_input(arrays[name], n)
    i.invoke()
    return {name: i.get_output(n) for n, name in enumerate(outputs)}


def work(profile, jobs):
    """One batch in this process. `jobs` are lines `model inputs output`."""
    for line in jobs:
        model, source, out = line.rstrip("\n").split("\t")
        with np.load(source) as stored:
            arrays = dict(stored)
        content = Path(model).read_bytes()
        try:
            results = run_micro(content, arrays) if profile == "tflm" else run_litert(content, arrays, profile)
        except (RuntimeError, ValueError) as error:
            results = {"refused": np.array(str(error).strip())}
        np.savez(out + ".new.npz", **results)
        os.replace(out + ".new.npz", out)


def batch(profile, jobs):
    while jobs:
        done = subprocess.run([sys.executable, __file__, "--work", profile], text=True, errors="replace",
                              input="".join("\t".join(map(str, j)) + "\n" for j in jobs),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        jobs = [j for j in jobs if not j[2].exists()]
        if jobs and done.returncode >= 0:
            sys.exit(f"{profile}: {jobs[0][0]}: {done.stderr.strip()[-2000:]}")
        if jobs:
            np.savez(jobs[0][2], refused=np.array(f"ended by signal {-done.returncode}"))
            jobs = jobs[1:]


def golden_path(goldens, profile, case):
    digest = hashlib.sha256(case.model.read_bytes() + case.source.read_bytes()).hexdigest()[:12]
    return goldens / profile / f"{case.name}-{digest}.npz"


def make_goldens(cases, goldens, profiles=PROFILES, workers=os.cpu_count()):
    """Runs what is not there yet. Gives (profile, case, file of the outputs) for all of them."""
    found, batches = [], []
    for profile in profiles:
        (goldens / profile).mkdir(parents=True, exist_ok=True)
        paths = [(profile, case, golden_path(goldens, profile, case)) for case in cases]
        jobs = [(case.model, case.source, path) for _, case, path in paths if not path.exists()]
        batches += [(profile, jobs[n:n + BATCH]) for n in range(0, len(jobs), BATCH)]
        found += paths
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda b: batch(*b), batches))
    return found


def outputs_of(path):
    """A golden's outputs by name, or None where the runtime does not run the case."""
    with np.load(path) as stored:
        return None if "refused" in stored else {k: v for k, v in stored.items() if k != "delegated"}


def main():
    if sys.argv[1:2] == ["--work"]:
        return work(sys.argv[2], sys.stdin.readlines())
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("cases", type=Path)
    p.add_argument("goldens", type=Path)
    p.add_argument("--profile", default=PROFILES, type=lambda s: s.split(","))
    p.add_argument("--only", default="*")
    args = p.parse_args()
    cases = [Stored(m.stem, m, m.with_suffix(".npz")) for m in sorted(args.cases.glob("*.tflite"))
             if fnmatchcase(m.stem, args.only)]
    for profile, case, path in make_goldens(cases, args.goldens, args.profile):
        with np.load(path) as g:
            if "refused" in g:
                print(f"{profile}: {case.name}: {str(g['refused']).splitlines()[0][:150]}")


if __name__ == "__main__":
    main()
