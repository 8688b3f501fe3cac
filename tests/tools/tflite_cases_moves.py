"""The TFLite cases of operators that move bytes."""
import numpy as np

from quantizer import S8, U8, Q, integers
from tflite_builder import Case

TYPES = {"s8": S8, "u8": U8}


def concatenations():
    for t, dtype in TYPES.items():
        for axis, shapes in {3: ([1, 3, 4, 5], [1, 3, 4, 17], [1, 3, 4, 2]), 1: ([1, 2, 7], [1, 5, 7]),
                             -1: ([4, 33], [4, 31])}.items():
            rescaled = ("rescaled", "const_rescaled") if dtype is U8 else ()  # s8 ones must be equal
            for kind in ("equal", "const", *rescaled):
                c = Case(f"concatenation.axis{axis}_{kind}.{t}", dtype)
                yq = c.pick()
                qs = [c.pick() if kind in rescaled else yq for _ in shapes]
                if kind == "const_rescaled":
                    tensors = [c.const(integers(c.rng, shapes[0], dtype), qs[0]),
                               *(c.input(s, q) for s, q in zip(shapes[1:], qs[1:]))]
                elif kind == "const":
                    tensors = [c.input(shapes[0], yq), *(c.const(integers(c.rng, s, dtype), yq) for s in shapes[1:])]
                else:
                    tensors = [c.input(s, q) for s, q in zip(shapes, qs)]
                y = list(shapes[0])
                y[axis] = sum(s[axis] for s in shapes)
                yield c.op("CONCATENATION", tensors, [c.output(y, yq)], "Concatenation", axis=axis)


def moved(dims):
    """Rows of: case, code, further s32 inputs, output shapes, fields of the operator's options."""
    n, h, w, d = dims
    yield "split", "SPLIT", [], [[n, h, w, d // 2]] * 2, {"numSplits": 2}
    yield "slice", "SLICE", [[0, 1, 2, 1], [n, h - 2, -1, d - 2]], [[n, h - 2, w - 2, d - 2]], {}
    yield ("strided_slice", "STRIDED_SLICE", [[0, 1, w - 1, 0], [n, h, 0, d], [1, 2, -1, 3]],
           [[n, -(-(h - 1) // 2), w - 1, -(-d // 3)]], {})
    yield ("strided_slice_masks", "STRIDED_SLICE", [[0, 1, 9, 1], [n, 9, 9, 2], [1, 1, 1, 1]], [[n, h - 1, w]],
           {"beginMask": 0b0101, "endMask": 0b0110, "shrinkAxisMask": 0b1000})
    yield "pack", "PACK", [], [[n, h, 2, w, d]], {"axis": 2, "valuesCount": 2}
    yield "unpack", "UNPACK", [], [[n, h, d]] * w, {"axis": 2, "num": w}
    yield "pad", "PAD", [[[0, 0], [1, 2], [3, 0], [0, 5]]], [[n, h + 3, w + 3, d + 5]], {}
    yield "padv2", "PADV2", [[[0, 0], [1, 1], [0, 2], [2, 0]]], [[n, h + 2, w + 2, d + 2]], {}
    yield "reflect", "MIRROR_PAD", [[[0, 0], [2, 1], [1, 2], [0, 0]]], [[n, h + 3, w + 3, d]], {"mode": 0}
    yield "symmetric", "MIRROR_PAD", [[[0, 0], [2, 1], [0, 3], [1, 0]]], [[n, h + 3, w + 3, d + 1]], {"mode": 1}
    for name, order in {"nchw": (0, 3, 1, 2), "nhwc": (0, 2, 3, 1), "all": (3, 1, 0, 2), "rows": (0, 2, 1, 3)}.items():
        yield name, "TRANSPOSE", [list(order)], [[dims[a] for a in order]], {}
    for name, asked in {"3d": [n, h * w, d], "inferred": [-1, d]}.items():
        given = [n * h * w if v == -1 else v for v in asked]
        yield name, "RESHAPE", [asked], [given], {"newShape": np.int32(asked)}
    yield "axis1", "EXPAND_DIMS", [[1]], [[n, 1, h, w, d]], {}
    yield "2", "DEPTH_TO_SPACE", [], [[n, h * 2, w * 2, d // 4]], {"blockSize": 2}
    yield "rows", "GATHER", [[3, 0, 0, 2]], [[n, 4, w, d]], {"axis": 1}
    yield "channels", "GATHER", [[d - 1, 0, 5]], [[n, h, w, 3]], {"axis": 3}
    yield "none", "SQUEEZE", [], [dims[n == 1:]], {"squeezeDims": [0] if n == 1 else []}
    if h % 2 == 0:
        yield "2", "SPACE_TO_DEPTH", [], [[n, h // 2, w // 2, d * 4]], {"blockSize": 2}


def options_of(code):
    return {"PADV2": "PadV2"}.get(code, "".join(word.capitalize() for word in code.split("_")))


def moves(large):
    for dims in [[1, 4, 6, 8], [2, 5, 3, 20], *([[1, 32, 34, 40]] if large else [])]:
        for t, dtype in TYPES.items():
            for name, code, constants, outputs, fields in moved(dims):
                c = Case(f"{code.lower()}.{name}_{'x'.join(map(str, dims))}.{t}", dtype)
                q = c.pick()
                tensors = [c.input(dims, q), *(c.const(np.int32(v)) for v in constants)]
                if code == "SPLIT":
                    tensors.insert(0, c.const(np.int32(3)))
                elif code == "PACK":
                    tensors.append(c.input(dims, q))
                elif code == "PADV2":
                    tensors.append(c.const(np.asarray([q.low + 3], dtype), q))
                yield c.op(code, tensors, [c.output(s, q) for s in outputs], options_of(code), **fields)


def cases(large):
    yield from concatenations()
    yield from moves(large)
