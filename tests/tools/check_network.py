"""Compares Octet with ONNX Runtime on every quantized tensor of whole networks.

    python check_network.py OCTET MODEL... [--engine jit,cpp,reference] [--target scalar,avx2,avx512_vnni,avx512_vbmi]
                            [--batch N] [--threads N] [--waivers FILE] [--goldens DIR] [--seed N]

Makes a seeded input per model, asks ONNX Runtime (ort_golden.py) and `octet run --dump-all` for each engine and
target, and compares. A tensor that Octet fused away is simply not in its dump; comparing none at all is a failure.
--goldens keeps ONNX Runtime's answers between runs. Targets that this machine (or OCTET_MAX_TARGET) lacks are
skipped with a line.
"""
import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from compare_npz import compare, producers, read_waivers, summary
from octet_run import NOTHING_LEFT, TARGETS, configurations, octet_run
from ort_golden import golden, has_vnni, require_vnni


def quantizer_of(graph, name):
    """(scale, zero point, type) of the QuantizeLinear that a graph input goes into, or None."""
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    for n in graph.node:
        if n.op_type == "QuantizeLinear" and n.input[0] == name and n.input[1] in constants:
            zero = constants.get(n.input[2], np.uint8(0)) if len(n.input) > 2 else np.uint8(0)
            return float(constants[n.input[1]].reshape(-1)[0]), np.asarray(zero).reshape(-1)[0]
    return None


def random_input(model, seed, batch):
    """Fills every graph input: integers over their full range; floats over a little more than their quantizer takes,
    and where they look like images (NCHW), smooth on a large scale and noisy on a small one."""
    rng = np.random.default_rng(seed)
    constants = {i.name for i in model.graph.initializer}
    arrays = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        dims = value.type.tensor_type.shape.dim
        shape = [d.dim_value or batch for d in dims]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            arrays[value.name] = rng.integers(info.min, info.max + 1, shape).astype(dtype)
            continue
        noise = rng.standard_normal(shape)
        if len(shape) == 4:
            coarse = rng.standard_normal([*shape[:2], -(-shape[2] // 16), -(-shape[3] // 16)])
            noise = 0.4 * noise + np.kron(coarse, np.ones((16, 16)))[..., :shape[2], :shape[3]]
        found = quantizer_of(model.graph, value.name)
        if found:
            scale, zero = found
            info = np.iinfo(zero.dtype)
            middle, width = ((info.min + info.max) / 2 - float(zero)) * scale, 255 * scale
            noise = middle + noise * width / 4  # some 5 % of the values saturate
        arrays[value.name] = noise.astype(np.float32)
    return arrays


def cached_golden(model_path, arrays, batch, folder, tag):
    # Networks of the same name lie in several folders.
    digest = hashlib.sha256(model_path.read_bytes()).hexdigest()[:12]
    path = folder / f"{model_path.stem}-{digest}-{tag}.npz"
    if path.exists():
        return dict(np.load(path))
    require_vnni()
    outputs, tensors = golden(model_path, arrays, batch, note=lambda text: print(f"  {text}"))
    np.savez(path, **outputs, **tensors)
    return outputs | tensors


def check(args, model_path, pairs, folder):
    name = model_path.name.removesuffix(".onnx").removesuffix(".int8")
    arrays = random_input(onnx.load(model_path), args.seed, args.batch)
    source = folder / f"{model_path.stem}-input.npz"
    np.savez(source, **arrays)
    expected = cached_golden(model_path, arrays, args.batch, args.goldens or folder, f"b{args.batch}-s{args.seed}")
    quantized = sum(t.dtype in (np.uint8, np.int8) for t in expected.values())
    ops = producers(model_path)
    good = True
    for engine, target in pairs:
        flags = ["--dump-all", *(["--batch", str(args.batch)] if args.batch > 1 else []),
                 *(["--threads", str(args.threads)] if args.threads else [])]
        got = octet_run(args.octet, model_path, source, folder / "octet.npz", engine, target, *flags)
        title = f"{name:20} {engine:9} {target or '':11}"
        if isinstance(got, str):
            print(f"{title} FAILED  {got}", flush=True)
            good = False
            continue
        r = compare(expected, got, waivers=args.waivers, network=name, ops=ops)
        ok = r.ok and (r.quantized > 0 or quantized == 0)
        good &= ok
        print(f"{title} {'ok    ' if ok else 'FAILED'}  {r.quantized} of ONNX Runtime's {quantized} quantized tensors; "
              f"{summary(r)}", flush=True)
        for row in r.rows[:args.rows]:
            print(f"    {row}")
        if len(r.rows) > args.rows:
            print(f"    and {len(r.rows) - args.rows} more")
    return good


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("octet", type=Path)
    p.add_argument("models", type=Path, nargs="+")
    p.add_argument("--engine", default="jit,cpp,reference", type=lambda s: s.split(","))
    p.add_argument("--target", default=",".join(TARGETS), type=lambda s: s.split(","))
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--threads", type=int)
    p.add_argument("--waivers", type=read_waivers, default=[])
    p.add_argument("--goldens", type=Path, help="folder that keeps ONNX Runtime's answers")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--rows", type=int, default=8, help="differing tensors to show per run")
    args = p.parse_args()
    if not has_vnni() and not args.goldens:
        require_vnni()
    if args.goldens:
        args.goldens.mkdir(parents=True, exist_ok=True)
    pairs = configurations(args.engine, args.target)
    if not pairs:
        print("skipped: no engine and target is left")
        sys.exit(NOTHING_LEFT)
    with tempfile.TemporaryDirectory() as tmp:
        results = [check(args, m, pairs, Path(tmp)) for m in args.models]
    print(f"{sum(results)} networks agree, {len(results) - sum(results)} do not")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
