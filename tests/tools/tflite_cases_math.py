"""The TFLite cases of elementwise operators, tables, pools, means, softmax and resizing."""
import numpy as np

from quantizer import S8, U8, Q, integers, power_of_two
from tflite_builder import ACTIVATION, PADDING, Case, out_size

TYPES = {"s8": S8, "u8": U8}
EVERY = np.arange(256)  # each byte once


def typed(name, large, times=4, pow2=True):
    """Cases of one row: both types, random and power-of-two scales, more of the first where `large`."""
    for t, dtype in TYPES.items():
        for n in range(times if large else 1):
            yield Case(f"{name}.{t}.{n}", dtype)
        if pow2:
            yield Case(f"{name}.{t}_ties.0", dtype, True)


def bytes_of(values, dtype):
    return (np.asarray(values) + np.iinfo(dtype).min).astype(dtype)


def pairs(dtype, step=1):
    """Two arrays that hold every pair of bytes (or every step-th first one)."""
    a, b = np.meshgrid(EVERY[::step], EVERY, indexing="ij")
    return bytes_of(a, dtype).reshape(1, -1, 16, 16), bytes_of(b, dtype).reshape(1, -1, 16, 16)


def scales_of(c, kind):
    """Quantizers of two operands and the result. Ties are where scales are equal, or powers of two apart."""
    qs = [c.pick() for _ in range(3)]
    if kind == "equal":
        qs = [Q(qs[0].scale, q.zero, q.dtype) for q in qs]
    if kind == "doubled":
        qs = [Q(qs[0].scale * m, q.zero, q.dtype) for m, q in zip((1, 2, 4), qs)]
    if kind == "tiny":  # beyond what XNNPACK takes
        qs[0] = c.pick(qs[2].scale / 2000)
    return qs


BINARY = {"add": ("ADD", "Add"), "sub": ("SUB", "Sub"), "mul": ("MUL", "Mul"),
          "maximum": ("MAXIMUM", "MaximumMinimum"), "minimum": ("MINIMUM", "MaximumMinimum")}


def operands(c, op, kind):
    """Quantizers of both operands and the result."""
    aq, bq, yq = scales_of(c, kind)
    if op in ("maximum", "minimum"):  # runtimes compare bytes: converters give all three tensors one quantizer
        return aq, aq, aq
    if op == "mul" and kind not in ("equal", "doubled"):
        yq = c.pick(aq.scale * bq.scale * 70)
    return aq, bq, yq


PAIRS = {  # scales, activation, powers of two
    "equal": ("equal", "", False), "doubled_relu": ("doubled", "relu", False), "any": ("any", "", False),
    "ties": ("any", "", True), "relu6": ("any", "relu6", False), "relun1": ("any", "relun1", False),
    "tiny": ("tiny", "", False)}
SHAPES = {"tail": ([1, 5, 3, 17], [1, 5, 3, 17]), "channels": ([1, 6, 5, 19], [19]), "scalar": ([1, 4, 4, 8], [1]),
          "both": ([1, 4, 1, 7], [1, 1, 5, 7]), "rows": ([2, 3, 33], [2, 3, 1])}


def binary(large):
    for op, (code, options) in BINARY.items():
        fused = op in ("add", "sub", "mul")
        chosen = dict(PAIRS) if fused else {"equal": PAIRS["equal"]}
        if large and fused:
            chosen |= {f"any{n}": PAIRS["any"] for n in range(12)}
        for t, dtype in TYPES.items():
            for name, (kind, activation, pow2) in chosen.items():
                c = Case(f"{op}.pairs_{name}.{t}", dtype, pow2)
                aq, bq, yq = operands(c, op, kind)
                a, b = pairs(dtype, 1 if large else 4)
                inputs = [c.input(a.shape, aq, a), c.input(b.shape, bq, b)]
                fields = {"fusedActivationFunction": ACTIVATION[activation]} if fused else {}
                yield c.op(code, inputs, [c.output(a.shape, yq)], options, **fields)
            for name, (da, db) in SHAPES.items():
                for constant in (False, True):
                    c = Case(f"{op}.{name}{'_const' if constant else ''}.{t}", dtype)
                    aq, bq, yq = operands(c, op, "any")
                    a = c.input(da, aq)
                    b = c.const(integers(c.rng, db, dtype), bq) if constant else c.input(db, bq)
                    yield c.op(code, [a, b], [c.output(np.broadcast_shapes(da, db), yq)], options)


# What runtimes insist on for outputs, in units of steps of 256: (scale, zero point above the type's minimum).
FIXED = {"logistic": (1 / 256, 0), "tanh": (1 / 128, 128), "softmax": (1 / 256, 0), "log_softmax": (16 / 256, 255)}
UNARY = {  # code, options, fields
    "logistic": ("LOGISTIC", None, {}), "tanh": ("TANH", None, {}), "relu": ("RELU", None, {}),
    "relu6": ("RELU6", None, {}), "relu_n1_to_1": ("RELU_N1_TO_1", None, {}),
    "leaky_relu": ("LEAKY_RELU", "LeakyRelu", {"alpha": 0.13}),
    "leaky_relu_small": ("LEAKY_RELU", "LeakyRelu", {"alpha": 0.01}),
    "leaky_relu_tiny": ("LEAKY_RELU", "LeakyRelu", {"alpha": 0.001}),  # beyond what XNNPACK takes
    "leaky_relu_steep": ("LEAKY_RELU", "LeakyRelu", {"alpha": 1.7}),
    "leaky_relu_negative": ("LEAKY_RELU", "LeakyRelu", {"alpha": -0.3}),
    "hard_swish": ("HARD_SWISH", "HardSwish", {}), "elu": ("ELU", None, {}),
    "gelu": ("GELU", "Gelu", {"approximate": False}), "gelu_tanh": ("GELU", "Gelu", {"approximate": True}),
}


def fixed_output(c, op):
    scale, zero = FIXED[op]
    return Q(scale, zero + np.iinfo(c.dtype).min, c.dtype)


def unary(large):
    for op, (code, options, fields) in UNARY.items():
        for kind in ("any", "equal", "wide"):
            for c in typed(f"{op}.{kind}", large, 24):
                xq = c.pick(0.11 if kind == "wide" else None)
                if kind == "equal" or op in ("relu6", "relu_n1_to_1"):
                    xq = Q(xq.scale, xq.zero, c.dtype)
                yq = xq if kind == "equal" else c.pick(xq.scale * c.rng.uniform(0.4, 1.3))
                if op in FIXED:
                    yq = fixed_output(c, op)
                data = bytes_of(np.resize(EVERY, 16 * 17), c.dtype).reshape(1, 1, 16, 17)
                yield c.op(code, [c.input(data.shape, xq, data)], [c.output(data.shape, yq)], options, **fields)


def quantizes(large):
    for kind, (to, factor) in {"s8_u8": (U8, 1), "u8_s8": (S8, 1), "s8_s8": (S8, None), "u8_u8": (U8, None),
                               "s8_u8_rescaled": (U8, None), "u8_s8_rescaled": (S8, None),
                               "s8_s8_coarse": (S8, 300), "u8_u8_fine": (U8, 1 / 200)}.items():  # XNNPACK takes neither
        for n in range(24 if large else 4):
            c = Case(f"quantize.{kind}.{n}", TYPES[kind[:2]], n == 3)
            xq = c.pick()
            c.dtype = to
            flip = 128 if to is U8 else -128
            yq = c.pick(xq.scale * (factor or c.rng.uniform(0.3, 3)))
            if factor == 1:
                yq = Q(xq.scale, xq.zero + flip, to)
            data = bytes_of(np.resize(EVERY, 300), xq.dtype).reshape(1, 3, 100)
            yield c.op("QUANTIZE", [c.input(data.shape, xq, data)], [c.output(data.shape, yq)], "Quantize")
    for c in typed("quantize.float", large, 24):
        q = c.pick()
        steps = np.concatenate([np.arange(q.low - 9, q.high + 9), np.arange(q.low - 9, q.high + 9) + 0.5,
                                c.rng.uniform(q.low, q.high, 478)]) - q.zero
        x = (steps * q.scale).astype(np.float32).reshape(1, -1)
        yield c.op("QUANTIZE", [c.input(x.shape, None, x)], [c.output(x.shape, q)], "Quantize")
    for c in typed("dequantize.bytes", large, 24):
        data = bytes_of(EVERY, c.dtype).reshape(1, 256)
        y = c.output(data.shape, dtype=np.float32)
        yield c.op("DEQUANTIZE", [c.input(data.shape, c.pick(), data)], [y], "Dequantize")


def prelu(large):
    for shape, slope in {"channels": [1, 1, 19], "full": [4, 3, 19], "scalar": [1, 1, 1]}.items():
        for c in typed(f"prelu.{shape}", large, 8):
            dims = [1, 4, 3, 19]
            if large:
                dims = [20, *dims[1:]]
            xq = c.pick()
            sq = Q(power_of_two(0.01) if c.pow2 else float(c.rng.uniform(0.004, 0.02)), c.pick().zero, c.dtype)
            x, s = c.input(dims, xq), c.const(integers(c.rng, slope, c.dtype), sq)
            yield c.op("PRELU", [x, s], [c.output(dims, c.pick(xq.scale * 0.9))])


def pools(large):
    shapes = {  # size, channels, kernel, stride, padding, activation
        "2x2": ((9, 8), 17, (2, 2), (2, 2), "valid", ""), "3x3_same": ((9, 10), 33, (3, 3), (1, 1), "same", ""),
        "3x2_s2": ((11, 7), 16, (3, 2), (2, 2), "same", "relu"), "global": ((7, 7), 64, (7, 7), (1, 1), "valid", ""),
        "5x5_relu6": ((8, 8), 3, (5, 5), (3, 3), "same", "relu6"), "25x5": ((25, 5), 9, (25, 5), (25, 5), "valid", "")}
    for op in ("average_pool_2d", "max_pool_2d"):
        for shape, (size, channels, kernel, stride, padding, activation) in shapes.items():
            for c in typed(f"{op}.{shape}", large, 6, pow2=False):
                size_ = tuple(s * 3 for s in size) if large else size
                q = c.pick()
                cells = [out_size(s, k, t, 1, padding) for s, k, t in zip(size_, kernel, stride)]
                x, y = c.input([1, *size_, channels], q), c.output([1, *cells, channels], q)
                yield c.op(op.upper(), [x], [y], "Pool2D", padding=PADDING[padding], strideH=stride[0],
                           strideW=stride[1], filterHeight=kernel[0], filterWidth=kernel[1],
                           fusedActivationFunction=ACTIVATION[activation])


def reductions(large):
    shapes = {"hw": ([1, 7, 7, 33], [1, 2], True), "hw_flat": ([2, 5, 3, 17], [1, 2], False),
              "h": ([1, 6, 5, 9], [1], True),
              "w": ([1, 6, 5, 9], [2], False), "c": ([1, 4, 5, 19], [3], True), "hc": ([2, 4, 5, 3], [1, 3], False),
              "nhw": ([2, 4, 5, 3], [0, 1, 2], False), "all": ([1, 3, 4, 5], [0, 1, 2, 3], False),
              "last": ([5, 40], [-1], False), "3d": ([3, 7, 20], [1], False), "hw_33": ([1, 33, 31, 5], [1, 2], True)}
    for op in ("mean", "sum"):
        for shape, (dims, axes, keep) in shapes.items():
            for kind in ("any", "equal"):
                for c in typed(f"{op}.{shape}_{kind}", large, 6, pow2=kind == "any"):
                    xq = c.pick()
                    count = np.prod([dims[a] for a in axes])
                    yq = c.pick(xq.scale * (c.rng.uniform(0.2, 0.5) if op == "mean" else 0.7 * np.sqrt(count)))
                    if kind == "equal":
                        yq = xq
                    kept = [1 if a in [x % len(dims) for x in axes] else d for a, d in enumerate(dims)]
                    y = kept if keep else [d for a, d in enumerate(dims) if a not in [x % len(dims) for x in axes]]
                    yield c.op(op.upper(), [c.input(dims, xq), c.const(np.int32(axes))], [c.output(y, yq)], "Reducer",
                               keepDims=keep)


def softmaxes(large):
    for length in (2, 10, 19, 128, 1001):
        for kind, scale in {"any": None, "coarse": 0.5, "fine": 0.004}.items():
            for t, dtype in TYPES.items():
                for n in range(6 if large else 2):
                    c = Case(f"softmax.{length}_{kind}.{t}.{n}", dtype)
                    rows = 200 if large else 3
                    beta = [1.0, 0.5, 1.0, 0.3, 1.7, 11.0][n]
                    yield c.op("SOFTMAX", [c.input([rows, length], c.pick(scale))],
                               [c.output([rows, length], fixed_output(c, "softmax"))], "Softmax", beta=beta)
            c = Case(f"softmax.{length}_{kind}.s8_4d", S8)
            yield c.op("SOFTMAX", [c.input([1, 3, 2, length], c.pick(scale))],
                       [c.output([1, 3, 2, length], fixed_output(c, "softmax"))], "Softmax", beta=1.0)
    for length in (2, 17, 100):
        for c in typed(f"log_softmax.{length}", large, 6):
            rows = 200 if large else 3
            yield c.op("LOG_SOFTMAX", [c.input([rows, length], c.pick())],
                       [c.output([rows, length], fixed_output(c, "log_softmax"))], "LogSoftmax")


def arg_extremes(large):
    for op, options in (("ARG_MAX", "ArgMax"), ("ARG_MIN", "ArgMin")):
        for axis, dims in ((3, [1, 4, 5, 19]), (1, [2, 7, 9]), (-1, [3, 1000])):
            for t, dtype in TYPES.items():
                for wide in (False, True):
                    c = Case(f"{op.lower()}.axis{axis}.{t}{'_s64' if wide else ''}", dtype)
                    kept = [d for a, d in enumerate(dims) if a != axis % len(dims)]
                    few = bytes_of(c.rng.integers(100, 140, dims), dtype)  # many are equal
                    y = c.output(kept, dtype=np.int64 if wide else np.int32)
                    yield c.op(op, [c.input(dims, c.pick(), few), c.const(np.int32([axis]))], [y], options,
                               outputType=4 if wide else 2)


def resizes(large):
    sizes = {"2x": ((5, 6), (10, 12)), "odd": ((7, 5), (11, 13)), "down": ((12, 9), (5, 4)), "3x": ((4, 4), (12, 12)),
             "same": ((5, 5), (5, 5)), "one": ((1, 1), (4, 5)), "8x": ((3, 3), (24, 24))}
    modes = {"": (False, False), "_half": (False, True), "_corners": (True, False)}
    for op, options in (("RESIZE_BILINEAR", "ResizeBilinear"), ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor")):
        for size, (a, b) in sizes.items():
            for mode, (corners, half) in modes.items():
                for t, dtype in TYPES.items():
                    for n in range(4 if large else 1):
                        c = Case(f"{op.lower()}.{size}{mode}.{t}.{n}", dtype)
                        q, channels = c.pick(), [17, 3, 64, 8][n]
                        batch = 3 if large else 1
                        x, y = c.input([batch, *a, channels], q), c.output([batch, *b, channels], q)
                        yield c.op(op, [x, c.const(np.int32(b))], [y], options, alignCorners=corners,
                                   halfPixelCenters=half)


def casts(large):
    """Integers as they are, whatever their parameters say."""
    for t, dtype in TYPES.items():
        for to in (np.float32, np.int32):
            c = Case(f"cast.{t}_{np.dtype(to).name}", dtype)
            data = bytes_of(np.resize(EVERY, 16 * 17), dtype).reshape(1, 16, 17)
            yield c.op("CAST", [c.input(data.shape, c.pick(), data)], [c.output(data.shape, dtype=to)], "Cast")


def cases(large):
    for family in (casts, binary, unary, quantizes, prelu, pools, reductions, softmaxes, arg_extremes, resizes):
        yield from family(large)
