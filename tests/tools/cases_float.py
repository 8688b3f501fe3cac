"""Ops between dequantized tensors that ONNX Runtime computes in float (or in wide integers): what it does there, the
bytes behind it show. Outputs are quantized, so that the last bits of an exponential do not."""
import numpy as np
from onnx import TensorProto

from case_builder import S8, U8, Q
from cases_qdq import end, ints, setting


def between(name, shape, apply, dtype=U8, **options):
    """x (quantized) -> dequantize -> `apply` -> quantize."""
    c = setting(f"float_{name}", dict(x=dtype), **options)
    return end(c, apply(c, c.input(shape, c.pick())), 1)


def f32(c, *values):
    return c.const(np.asarray(values if len(values) > 1 else values[0], np.float32))


def uniform(c, shape, low=0.3, high=1.5):
    return c.const(c.rng.uniform(low, high, shape).astype(np.float32))


def operands():
    """Two activations, or one and a constant."""
    shapes = {"": ([1, 9, 5, 4], [1, 9, 5, 4]), "_channel": ([2, 8, 3, 5], [8, 1, 1]), "_rows": ([5, 17], [5, 1]),
              "_both": ([3, 1, 7], [5, 1])}
    for kind in ("Sub", "Max", "Min"):
        for label, (a, b) in shapes.items():
            for dtype, t in ((U8, "u8"), (S8, "s8")):
                c = setting(f"float_{kind.lower()}{label}_{t}", dict(x=dtype))
                yield end(c, c.op(kind, c.input(a, c.pick()), c.input(b, c.pick())), 1)
    c = setting("float_div", {})
    xq = Q(0.02, 0, U8)
    yield end(c, c.op("Div", c.input([2, 7, 5], c.pick()), c.op("Add", c.input([2, 7, 5], xq), f32(c, 1.5))), 1)
    c = setting("float_max_of_three", {})
    q = c.pick()
    yield end(c, c.op("Max", *[c.input([2, 19], q) for _ in range(3)]), 1, q)
    for name, exponent in (("square", 2), ("cube", 3)):
        yield between(f"pow_{name}", [2, 33], lambda c, x: c.op("Pow", x, f32(c, exponent)))
    for name, shape, slopes in (("channel", [1, 6, 5, 4], [6, 1, 1]), ("one", [3, 11], [1]), ("all", [2, 7], [2, 7])):
        yield between(f"prelu_{name}", shape, lambda c, x: c.op("PRelu", x, uniform(c, slopes, -0.5, 0.9)), opset=16)
    c = setting("float_where", dict(), opset=16)
    a, b = c.input([2, 6, 5], c.pick()), c.input([6, 1], c.pick())
    yield end(c, c.op("Where", c.op("Less", a, b), a, c.op("Mul", b, f32(c, 0.5))), 1)
    c = setting("float_where_logic", dict(), opset=16)
    a, b = c.input([3, 21], c.pick()), c.input([3, 21], c.pick())
    above, below = c.op("GreaterOrEqual", a, f32(c, 0.2)), c.op("LessOrEqual", b, f32(c, 0.4))
    both = c.op("And", above, c.op("Not", below))
    yield end(c, c.op("Where", c.op("Xor", c.op("Or", both, below), c.op("Equal", a, b)), a, b), 1)
    c = setting("float_clip_computed", dict())
    x = c.input([4, 13], c.pick())
    low = c.op("Sub", c.op("ReduceMax", x, keepdims=0), f32(c, 1.25))
    yield end(c, c.op("Clip", x, low), 1)


def reductions():
    for number, (axes, shape) in enumerate([([1], [2, 9, 4, 5]), ([3], [2, 3, 4, 17]), ([0, 2], [3, 5, 4, 2]),
                                            ([1, 2, 3], [2, 5, 4, 3]), ([-1], [6, 33])]):
        label = "_".join(str(a) for a in axes).replace("-", "m")
        for kind in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceL1", "ReduceSumSquare"):
            def apply(c, x, kind=kind, axes=axes, number=number):
                if kind == "ReduceSum":
                    return c.op(kind, x, ints(c, *axes), keepdims=number % 2)
                return c.op(kind, x, axes=axes, keepdims=number % 2)
            yield between(f"{kind.lower()}_{label}", shape, apply, (U8, S8)[number % 2])
    yield between("reducemean_18", [2, 5, 6], lambda c, x: c.op("ReduceMean", x, ints(c, 1)), opset=18)
    yield between("reducel2", [3, 40], lambda c, x: c.op("ReduceL2", x, axes=[1]))
    yield between("reduceprod", [7, 3], lambda c, x: c.op("ReduceProd", x, axes=[1]))
    for kind in ("ArgMax", "ArgMin"):
        for axis, keep, last in ((1, 1, 0), (-1, 0, 1), (0, 0, 0)):
            c = setting(f"float_{kind.lower()}_{axis}_{last}".replace("-", "m"), {})
            x = c.input([4, 6, 5], Q(0.1, 100, U8))
            c.output(c.op(kind, x, axis=axis, keepdims=keep, select_last_index=last), TensorProto.INT64)
            yield c


def normalizations():
    yield between("softmax_channels", [2, 6, 3, 4], lambda c, x: c.op("Softmax", x, axis=1))
    yield between("softmax_rows_11", [2, 5, 7], lambda c, x: c.op("Softmax", x, axis=1), opset=11)
    for axis in (1, -1):
        yield between(f"logsoftmax_{axis}".replace("-", "m"), [3, 6, 8], lambda c, x: c.op("LogSoftmax", x, axis=axis))
    for axis, shape in ((-1, [2, 5, 33]), (1, [3, 4, 7])):
        row = shape[axis:] if axis > 0 else shape[-1:]
        yield between(f"layernorm_{len(row)}", shape, lambda c, x: c.op(
            "LayerNormalization", x, uniform(c, row), uniform(c, row, -1, 1), axis=axis), opset=17)
    yield between("layernorm_no_bias", [4, 24], lambda c, x: c.op("LayerNormalization", x, uniform(c, [24])), opset=17)

    def spelled(c, x):
        d = c.op("Sub", x, c.op("ReduceMean", x, axes=[-1]))
        variance = c.op("ReduceMean", c.op("Pow", d, f32(c, 2.0)), axes=[-1])
        y = c.op("Div", d, c.op("Sqrt", c.op("Add", variance, f32(c, 1e-5))))
        return c.op("Add", c.op("Mul", y, uniform(c, [19])), uniform(c, [19], -1, 1))
    yield between("layernorm_spelled", [2, 6, 19], spelled)

    yield between("instancenorm", [2, 5, 6, 7], lambda c, x: c.op(
        "InstanceNormalization", x, uniform(c, [5]), uniform(c, [5], -1, 1)))
    yield between("groupnorm_21", [2, 6, 5, 3], lambda c, x: c.op(
        "GroupNormalization", x, uniform(c, [6]), uniform(c, [6], -1, 1), num_groups=3), opset=21)


def images():
    def resize(mode, coordinates, nearest, *, scales=None, sizes=None):
        def apply(c, x):
            extra = dict(nearest_mode=nearest) if mode == "nearest" else {}
            inputs = [x, "", c.const(np.asarray(scales, np.float32))] if scales else [x, "", "", ints(c, *sizes)]
            return c.op("Resize", *inputs, mode=mode, coordinate_transformation_mode=coordinates, **extra)
        return apply

    sizes = {"2x": dict(scales=[1, 1, 2, 2]), "up": dict(sizes=[1, 5, 11, 9]), "down": dict(sizes=[1, 5, 4, 3]),
             "1_5x": dict(scales=[1, 1, 1.5, 1.5])}
    for label, size in sizes.items():
        for coordinates in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
            yield between(f"resize_linear_{coordinates}_{label}", [1, 5, 6, 7],
                          resize("linear", coordinates, None, **size))
            for nearest in ("floor", "round_prefer_floor", "ceil", "round_prefer_ceil"):
                c = setting(f"resize_{coordinates}_{nearest}_{label}", {})
                q = c.pick()
                yield end(c, resize("nearest", coordinates, nearest, **size)(c, c.input([1, 5, 6, 7], q)), 1, q)
    c = setting("resize_opset10", {}, opset=10, ir_version=5)
    q = c.pick()
    yield end(c, c.op("Resize", c.input([1, 4, 5, 6], q), f32(c, 1, 1, 2, 3)), 1, q)
    for name, op, shape, attributes in (("dcr", "DepthToSpace", [1, 12, 3, 4], dict(blocksize=2, mode="DCR")),
                                        ("crd", "DepthToSpace", [2, 18, 2, 3], dict(blocksize=3, mode="CRD")),
                                        ("back", "SpaceToDepth", [1, 5, 6, 4], dict(blocksize=2))):
        c = setting(f"blocks_{name}", {})
        q = c.pick()
        yield end(c, c.op(op, c.input(shape, q), **attributes), 1, q)


def picks():
    table = {
        "tile": ([2, 5, 3], lambda c, x: c.op("Tile", x, ints(c, 1, 2, 3))),
        "expand": ([3, 1, 5], lambda c, x: c.op("Expand", x, ints(c, 2, 3, 4, 5))),
        "gather_axis1": ([2, 7, 5], lambda c, x: c.op("Gather", x, c.const(np.asarray([[0, -1], [3, 3]], np.int64)), axis=1)),
        "gather_scalar": ([4, 9], lambda c, x: c.op("Gather", x, c.const(np.asarray(2, np.int64)), axis=0)),
        "gathernd": ([4, 5, 6], lambda c, x: c.op("GatherND", x, c.const(np.asarray([[0, 1], [-1, 4], [2, 2]], np.int64)))),
        "transpose_5d": ([2, 3, 4, 5, 2], lambda c, x: c.op("Transpose", x, perm=[0, 3, 1, 4, 2])),
    }
    for name, (shape, apply) in table.items():
        c = setting(f"pick_{name}", {})
        q = c.pick()
        yield end(c, apply(c, c.input(shape, q)), 1, q)


def sums():
    """Products that are not conv or linear with one scale per channel."""
    # ONNX Runtime scatters f32 products here; powers of two keep that exact.
    for name, shape, weights, attributes in (
            ("2x", [1, 6, 4, 5], (6, 7, 2, 2), dict(strides=[2, 2])),
            ("3x3", [2, 5, 4, 3], (5, 8, 3, 3), dict(strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])),
            ("groups", [1, 6, 3, 3], (6, 2, 3, 2), dict(strides=[1, 2], group=3)),
            ("dilated", [1, 3, 5, 4], (3, 4, 3, 2), dict(dilations=[2, 1], pads=[1, 0, 0, 1])),
            ("1d", [1, 4, 9], (4, 6, 4), dict(strides=[2], pads=[1, 1]))):
        for dtype, t in ((U8, "u8"), (S8, "s8")):
            c = setting(f"convtranspose_{name}_{t}", dict(x=dtype, pow2=True))
            x = c.input(shape, c.pick())
            w, wq = c.weights(weights, S8, 1 if "group" not in attributes else None, small=True)
            w = c.dequantize(c.const(w), wq, **({"axis": 1} if np.ndim(wq.scale) else {}))
            y = c.op("ConvTranspose", x, w, kernel_shape=list(weights[2:]), **attributes)
            yield end(c, c.op("Relu", y) if t == "u8" else y, 1)
    for name, shape, weights, attributes in (
            ("3x3x3", [1, 4, 5, 6, 5], (7, 4, 3, 3, 3), dict(pads=[1, 1, 1, 1, 1, 1])),
            ("strided", [2, 6, 5, 4, 6], (8, 3, 2, 3, 1), dict(group=2, strides=[2, 1, 2])),
            ("flat", [1, 5, 3, 4, 4], (6, 5, 1, 1, 1), {})):
        c = setting(f"conv3d_{name}", dict(pow2=True))
        w, wq = c.weights(weights, S8, 0, small=True)
        y = c.op("Conv", c.input(shape, c.pick()), c.dequantize(c.const(w), wq, axis=0), **attributes)
        yield end(c, c.op("Relu", y), 1)
    for name, a, b in (("heads", [2, 3, 5, 8], [2, 3, 8, 6]), ("stack", [4, 7], [3, 7, 5]), ("rows", [1, 33], [33, 9])):
        for dtype, t in ((U8, "u8"), (S8, "s8")):
            c = setting(f"matmul_{name}_{t}", dict(x=dtype))
            yield end(c, c.op("MatMul", c.input(a, c.pick()), c.input(b, c.pick())), 1)
            c = setting(f"qlinearmatmul_{name}_{t}", dict(x=dtype))
            aq, bq = c.pick(), c.pick()
            x, y = c.int_input(a, aq), c.int_input(b, bq)
            q = c.fit_float(lambda: c.op("MatMul", c.dequantize(x, aq), c.dequantize(y, bq)))
            c.quantized_output(c.op("QLinearMatMul", x, *c.params(aq), y, *c.params(bq), *c.params(q)))
            yield c
    for name, x, constant in (("heads", [2, 3, 5, 8], [2, 3, 8, 6]), ("stack", [4, 67], [3, 67, 5]),
                              ("one", [2, 3, 9], [1, 9, 4]), ("crossed", [2, 1, 4, 33], [3, 33, 7]),
                              ("left", [3, 9, 5], [3, 6, 9])):
        for t, dtype in (("u8", U8), ("s8", S8), ("u8_ties", U8)):
            c = setting(f"matmul_constant_{name}_{t}", dict(x=dtype, pow2="ties" in t))
            x_real = c.input(x, c.pick())
            w, wq = c.weights(constant, dtype if name == "left" else S8, small=c.pow2)
            w = c.dequantize(c.const(w), wq)
            yield end(c, c.op("MatMul", *((w, x_real) if name == "left" else (x_real, w))), 1)



def at_run_time():
    """Scales and zero points found from the data."""
    def source(c, shape):
        return c.float_input(shape, Q(0.037, 91, U8))

    c = setting("dynamic_quantize", {})
    q, scale, zero = c.op("DynamicQuantizeLinear", source(c, [3, 50]), outs=3)
    for name, kind in ((q, TensorProto.UINT8), (scale, TensorProto.FLOAT), (zero, TensorProto.UINT8)):
        c.output(name, kind)
    yield c
    for name, shape, weights, dtype, zero in (("s8", [5, 24], (24, 7), S8, 0), ("u8", [2, 3, 17], (17, 33), U8, 120),
                                              ("s8_zero", [1, 64], (64, 10), S8, -5)):
        c = setting(f"dynamic_matmulinteger_{name}", {})
        q, scale, z = c.op("DynamicQuantizeLinear", source(c, shape), outs=3)
        w, wq = c.weights(weights, dtype, zero=zero)
        total = c.op("MatMulInteger", q, c.const(w), z, c.const(np.asarray(zero, dtype)))
        c.output(total, TensorProto.INT32)
        real = c.op("Mul", c.op("Cast", total, to=int(TensorProto.FLOAT)), c.op("Mul", scale, f32(c, wq.scale)))
        c.output(c.op("Add", real, uniform(c, [weights[1]], -1, 1)), TensorProto.FLOAT)
        yield c
        c = setting(f"dynamic_quantizematmul_{name}", {})
        w, wq = c.weights(weights, dtype, zero=zero)
        y = c.op("DynamicQuantizeMatMul", source(c, shape), c.const(w), f32(c, wq.scale), c.const(np.asarray(zero, dtype)),
                 uniform(c, [weights[1]], -1, 1), domain="com.microsoft")
        c.output(y, TensorProto.FLOAT)
        yield c
    for name, shape, weights, attributes in (("3x3", [1, 5, 6, 7], (8, 5, 3, 3), dict(pads=[1, 1, 1, 1])),
                                             ("strided", [2, 4, 9, 8], (6, 4, 3, 2), dict(strides=[2, 1]))):
        c = setting(f"dynamic_convinteger_{name}", {})
        q, scale, z = c.op("DynamicQuantizeLinear", source(c, shape), outs=3)
        w, _ = c.weights(weights, U8, zero=128)
        c.output(c.op("ConvInteger", q, c.const(w), z, c.const(np.asarray(128, U8)), **attributes), TensorProto.INT32)
        yield c


def functions():
    for name in ("Floor", "Ceil", "Round", "Sign", "Sin", "Cos"):
        yield between(name.lower(), [2, 128], lambda c, x: c.op(name, x))
    yield between("gelu_tanh", [2, 128], lambda c, x: c.op("Gelu", x, approximate="tanh"), opset=20)


def cases():
    for group in (operands, reductions, normalizations, images, picks, sums, at_run_time, functions):
        for c in group():
            yield c.name, c.model(), c.arrays
