"""The QDQ cases: float ops between QuantizeLinear and DequantizeLinear."""
import numpy as np
from onnx import TensorProto, helper

from case_builder import Case
from quantizer import S8, U8, Q

# What may differ in how a conv or gemm is quantized.
VARIANTS = {
    "u8s8": {},
    "u8s8_pt": dict(per_channel=False),
    "u8s8_wz": dict(per_channel=False, wzero=-7),
    "u8u8": dict(per_channel=False, w=U8, wzero=131),
    "u8u8_pc": dict(w=U8, wzero=128),
    "s8s8": dict(x=S8),
    "s8s8_wz": dict(x=S8, per_channel=False, wzero=5),
    "s8u8": dict(x=S8, w=U8, wzero=127),
    "ties": dict(pow2=True),
    "s8ties": dict(x=S8, pow2=True, per_channel=False),
    "fbias": dict(bias=np.float32),
    "s8fbias": dict(x=S8, bias=np.float32),
    "nobias": dict(bias=None),
}

# name: ic, oc, kernel, image, and what is not the default
CONVS = {
    "1x1": (16, 24, (1, 1), (7, 9), {}),
    "1x1_odd": (17, 7, (1, 1), (5, 5), {}),
    "1x1_s2": (8, 16, (1, 1), (9, 7), dict(strides=[2, 2])),
    "1x1_deep": (256, 32, (1, 1), (4, 4), {}),
    "3x3": (8, 16, (3, 3), (8, 8), dict(pads=[1, 1, 1, 1])),
    "3x3_nopad": (3, 5, (3, 3), (9, 11), {}),
    "3x3_asym": (5, 7, (3, 3), (8, 6), dict(pads=[0, 1, 2, 1])),
    "3x3_s2_same": (7, 17, (3, 3), (9, 8), dict(strides=[2, 2], auto_pad="SAME_UPPER")),
    "3x3_s2_lower": (4, 8, (3, 3), (8, 8), dict(strides=[2, 2], auto_pad="SAME_LOWER")),
    "3x3_valid": (4, 8, (3, 3), (6, 6), dict(auto_pad="VALID")),
    "3x3_dil": (8, 8, (3, 3), (11, 9), dict(dilations=[2, 2], pads=[2, 2, 2, 2])),
    "5x3": (6, 9, (5, 3), (9, 9), dict(pads=[2, 1, 2, 1], strides=[1, 2])),
    "7x7_stem": (3, 16, (7, 7), (20, 20), dict(strides=[2, 2], pads=[3, 3, 3, 3])),
    "dw3": (16, 16, (3, 3), (8, 8), dict(group=16, pads=[1, 1, 1, 1])),
    "dw3_s2": (17, 17, (3, 3), (9, 9), dict(group=17, pads=[1, 1, 1, 1], strides=[2, 2])),
    "dw3_wide": (72, 72, (3, 3), (6, 5), dict(group=72, pads=[1, 1, 1, 1])),
    "dw5": (24, 24, (5, 5), (8, 8), dict(group=24, pads=[2, 2, 2, 2])),
    "dw5_s2": (7, 7, (5, 5), (11, 11), dict(group=7, pads=[2, 2, 2, 2], strides=[2, 2])),
    "dw3_dil": (8, 8, (3, 3), (9, 9), dict(group=8, dilations=[2, 2])),
    "dw_times2": (8, 16, (3, 3), (6, 6), dict(group=8, pads=[1, 1, 1, 1])),
    "grouped": (12, 18, (3, 3), (7, 7), dict(group=3, pads=[1, 1, 1, 1])),
    "grouped_1x1": (32, 32, (1, 1), (6, 6), dict(group=4)),
    "1x1_on_1x1": (40, 11, (1, 1), (1, 1), {}),
    "3x3_small_image": (5, 6, (3, 3), (2, 1), dict(pads=[1, 1, 1, 1])),
}


def setting(name, v, **options):
    c = Case(name, **options)
    c.dtype, c.pow2 = v.get("x", U8), v.get("pow2", False)
    return c


def ints(c, *values):
    return c.const(np.asarray(values, np.int64))


def bias_of(c, v, xq, w, wq, channels):
    """The bias input of a conv or gemm, as a list of none or one name."""
    kind = v.get("bias", np.int32)
    if kind is None:
        return []
    b, bq = c.bias(xq, w, wq, channels)
    if kind is np.float32:  # real values, off the accumulator's grid
        return [c.const(((b + c.rng.uniform(-0.5, 0.5, channels)) * bq.scale).astype(np.float32), "bias")]
    return [c.dequantize(c.const(b, "bias"), bq, **({"axis": 0} if np.ndim(bq.scale) else {}))]


def conv(c, x, xq, ic, oc, kernel, v=None, relu=False, **attributes):
    """Float output of a conv (and relu), and a quantizer that fits it."""
    v = v or {}
    shape = (oc, ic // attributes.get("group", 1), *kernel)
    per_channel = 0 if v.get("per_channel", True) else None
    w, wq = c.weights(shape, v.get("w", S8), per_channel, v.get("wzero", 0), small=c.pow2)
    axis = {"axis": 0} if per_channel == 0 else {}
    y = c.op("Conv", x, c.dequantize(c.const(w, "w"), wq, **axis), *bias_of(c, v, xq, w, wq, oc),
             kernel_shape=list(kernel), **attributes)
    if relu:
        y = c.op("Relu", y)
    return y, c.fit(y)


def end(c, y, number, q=None):
    """Every other case ends in a quantized output, the rest in a float one."""
    q = q or c.fit(y)
    c.quantized_output(y, q) if number % 2 else c.float_output(y, q)
    return c


def convs():
    names = list(VARIANTS)
    number = 0
    for i, (shape, (ic, oc, kernel, image, attributes)) in enumerate(CONVS.items()):
        # One shape of each kind meets every variant, the others three each in turn.
        everything = shape in ("1x1_odd", "3x3", "dw3_s2", "grouped")
        for variant in names if everything else [names[(3 * i + k) % len(names)] for k in range(3)]:
            v = VARIANTS[variant]
            c = setting(f"conv_{shape}_{variant}", v)
            xq = c.pick()
            x = c.input([1 + number % 3 // 2, ic, *image], xq, as_float=number % 4 == 0)
            yield end(c, conv(c, x, xq, ic, oc, kernel, v, **attributes)[0], number)
            number += 1


def conv_tails():
    def tail(name, finish, dtype=U8, scale=None):
        """`finish` adds to the float output y and its quantizer q, and gives what to end with."""
        c = setting(f"conv_then_{name}", dict(x=dtype))
        xq = c.pick(scale)
        y, q = finish(c, *conv(c, c.input([1, 8, 9, 9], xq), xq, 8, 17, (3, 3), pads=[1, 1, 1, 1]))
        c.quantized_output(y, q)
        return c

    def relu(c, y, q):
        y = c.op("Relu", y)
        return y, c.fit(y)

    def relu6(top):  # the quantizer ends at `top`; real ones sit at 6, or beyond where another layer shares it
        def finish(c, y, q):
            return c.op("Clip", y, c.const(np.float32(0)), c.const(np.float32(6))), Q(top / 255, q.low, q.dtype)
        return finish

    def sigmoid(c, y, q):
        return c.op("Sigmoid", c.requantize(y, q)), Q(1 / 256, q.low, q.dtype)

    def hardswish(c, y, q):
        y = c.requantize(y, q)
        gate = c.requantize(c.op("HardSigmoid", y, alpha=1 / 6, beta=0.5), Q(1 / 256, q.low, q.dtype))
        y = c.op("Mul", y, gate)
        return y, c.fit(y)

    def two_readers(c, y, q):
        y = c.quantize(y, q)
        y = c.op("Add", c.dequantize(y, q), c.op("Relu", c.dequantize(y, q)))
        return y, c.fit(y)

    for dtype, t in ((U8, "u8"), (S8, "s8")):
        yield tail(f"relu_{t}", relu, dtype)
        yield tail(f"relu6_{t}", relu6(6), dtype, 0.01)
        yield tail(f"relu6_wide_{t}", relu6(8), dtype, 0.01)
        yield tail(f"relu_odd_zero_{t}", lambda c, y, q: (c.op("Relu", y), q), dtype)
        yield tail(f"sigmoid_{t}", sigmoid, dtype, 0.005)
        yield tail(f"hardswish_{t}", hardswish, dtype, 0.01)
    yield tail("two_readers", two_readers)


def linears():
    for number, (variant, v) in enumerate(VARIANTS.items()):
        k, m = [(67, 10), (64, 33), (3, 5), (1, 17)][number % 4]
        trans = number % 2
        c = setting(f"gemm_{k}x{m}_{variant}", v)
        xq = c.pick()
        channel = None if not v.get("per_channel", True) else 0 if trans else 1
        w, wq = c.weights((m, k) if trans else (k, m), v.get("w", S8), channel, v.get("wzero", 0), small=c.pow2)
        dw = c.dequantize(c.const(w), wq, **({} if channel is None else {"axis": channel}))
        y = c.op("Gemm", c.input([3, k], xq, as_float=number % 3 == 0), dw, *bias_of(c, v, xq, w, wq, m), transB=trans)
        yield end(c, y, number)
    for number, (variant, shape) in enumerate([("u8s8", [5, 66]), ("u8s8_pt", [2, 5, 31]), ("s8s8", [4, 64]),
                                               ("u8u8", [1, 129]), ("ties", [2, 3, 16]), ("s8ties", [1, 48])]):
        v = VARIANTS[variant]
        c = setting(f"matmul_{len(shape)}d_{variant}", v)
        xq = c.pick()
        channel = 1 if v.get("per_channel", True) else None
        w, wq = c.weights((shape[-1], 19), v.get("w", S8), channel, v.get("wzero", 0), small=c.pow2)
        y = c.op("MatMul", c.input(shape, xq), c.dequantize(c.const(w), wq, **({"axis": 1} if channel else {})))
        if number % 2:  # a bias as an Add of its own, the way transformers have it
            q = c.fit(y)
            y = c.op("Add", c.requantize(y, q), c.dequantize(c.const(c.integers((19,), c.dtype)), q))
        yield end(c, y, number)


def binaries():
    number = 0
    shapes = {"": ([1, 17, 5, 7], [1, 17, 5, 7]), "_channel": ([1, 24, 6, 5], [1, 24, 1, 1]),
              "_vector": ([3, 21], [3, 21]), "_scalar": ([1, 8, 4, 4], [1])}
    for kind in ("Add", "Mul"):
        for dtype, t in ((U8, "u8"), (S8, "s8")):
            for label, (a, b) in shapes.items():
                for pow2 in (False, True):
                    c = setting(f"{kind.lower()}{label}_{t}{'_ties' if pow2 else ''}", dict(x=dtype, pow2=pow2))
                    aq, bq = c.pick(), c.pick()
                    y = c.op(kind, c.input(a, aq), c.input(b, bq))
                    yield end(c, c.op("Relu", y) if number % 3 == 2 else y, number)
                    number += 1
    for kind in ("Add", "Mul"):  # one side constant, given second and first
        c = setting(f"{kind.lower()}_constant", {})
        aq, bq = c.pick(), c.pick()
        k = c.dequantize(c.const(c.integers((1, 13, 1, 1), U8)), bq)
        x = c.input([1, 13, 5, 5], aq)
        yield end(c, c.op(kind, *((x, k) if kind == "Add" else (k, x))), 1)
    for kind in ("Add", "Mul"):  # what broadcasts in all the other ways; the first operand may be the smaller
        for number, (a, b) in enumerate([
                ([2, 6, 5, 4], [2, 6, 1, 1]), ([6, 1, 1], [2, 6, 5, 4]), ([2, 6, 1, 1], [2, 6, 5, 4]),
                ([1, 9, 4, 6], [4, 1]), ([6], [1, 9, 4, 6]), ([2, 9, 4, 6], [2, 1, 4, 6]), ([1, 9, 4, 6], [1, 1, 1, 6]),
                ([5, 33], [33]), ([1, 33], [5, 33]), ([5, 1], [5, 33]), ([2, 5, 18], [5, 1]), ([1], [5, 33]),
                ([3, 1, 7], [5, 1]), ([1, 13, 1, 1], [1, 13, 1, 1])]):
            for form in ("inputs", "constant_a", "constant_b"):
                dtype = (U8, S8)[(number + len(form)) % 2]
                c = setting(f"{kind.lower()}_{'x'.join(map(str, a))}_{'x'.join(map(str, b))}_{form}",
                            dict(x=dtype, pow2=number % 3 == 1))
                operands = []
                for shape, constant in ((a, form == "constant_a"), (b, form == "constant_b")):
                    q = c.pick()
                    operands.append(c.dequantize(c.const(c.integers(shape, dtype)), q) if constant
                                    else c.input(shape, q))
                yield end(c, c.op(kind, *operands), number)
    c = setting("conv_add_constant", {})  # a residual that no node makes
    xq = c.pick()
    y, q = conv(c, c.input([1, 5, 6, 7], xq), xq, 5, 10, (3, 3), pads=[1, 1, 1, 1])
    kq = c.pick()
    k = c.dequantize(c.const(c.integers((1, 10, 6, 7), U8)), kq)
    yield end(c, c.op("Relu", c.op("Add", k, c.requantize(y, q))), 1)
    c = setting("add_itself", {})
    xq = c.pick()
    x = c.input([1, 6, 5, 5], xq)
    yield end(c, c.op("Add", x, x), 1)


def concats():
    for number, (channels, dtype, equal, pow2) in enumerate([
            ((8, 16), U8, True, False), ((8, 16), U8, False, False), ((3, 5, 7), U8, False, False),
            ((3, 5, 7), S8, True, False), ((17, 1), S8, False, False), ((64, 64), U8, False, True),
            ((7, 9), S8, False, True)]):
        c = setting(f"concat_{'_'.join(map(str, channels))}_{'equal' if equal else 'unequal'}"
                    f"{'_s8' if dtype is S8 else ''}{'_ties' if pow2 else ''}", dict(x=dtype, pow2=pow2))
        yq = c.pick(0.04)
        parts = [c.input([1, n, 5, 6], yq if equal else c.pick()) for n in channels]
        yield end(c, c.op("Concat", *parts, axis=1), number, yq)
    c = setting("concat_of_convs", {})  # producers may write into their slices
    xq, yq = c.pick(), None
    x = c.input([1, 9, 7, 7], xq)
    parts = []
    for oc, k in ((5, 1), (16, 3), (3, 1)):
        y, q = conv(c, x, xq, 9, oc, (k, k), pads=[k // 2] * 4)
        yq = yq or q
        parts.append(c.requantize(y, q))
    c.quantized_output(c.op("Concat", *parts, axis=1), yq)
    yield c
    for axis, dtype in ((1, U8), (2, S8), (0, U8)):
        c = setting(f"concat_constant_{axis}", dict(x=dtype))
        yq, q = c.pick(0.04), c.pick()
        constants = [c.dequantize(c.const(c.integers([1, 5, 3, 6], dtype)), k) for k in (yq, q)]
        y = c.op("Concat", constants[0], c.input([1, 5, 3, 6], q), constants[1], axis=axis)
        yield end(c, y, 0, yq)
    for axis in (0, 2, 3, -3):
        c = setting(f"concat_axis_{axis}".replace("-", "m"), {})
        q = c.pick()
        c.quantized_output(c.op("Concat", c.input([1, 4, 3, 5], q), c.input([1, 4, 3, 5], c.pick()), axis=axis), q)
        yield c


def pools():
    number = 0
    for kind in ("MaxPool", "AveragePool"):
        for label, channels, attributes in [
                ("2x2", 16, dict(kernel_shape=[2, 2], strides=[2, 2])),
                ("3x3_s2_pad", 17, dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])),
                ("3x3_ceil", 8, dict(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
                ("3x3_pad", 33, dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])),
                ("2x3_asym", 5, dict(kernel_shape=[2, 3], strides=[1, 2], pads=[0, 1, 1, 0])),
                ("whole", 24, dict(kernel_shape=[8, 8]))]:
            padded = "pads" in attributes and kind == "AveragePool"
            for include in (0, 1) if padded else (0,):
                for dtype, t in ((U8, "u8"), (S8, "s8")):
                    name = f"{kind.lower()}_{label}{'_include' if include else ''}_{t}"
                    c = setting(name, dict(x=dtype, pow2=number % 3 == 2))
                    xq = c.pick()
                    extra = dict(count_include_pad=include) if padded else {}
                    y = c.op(kind, c.input([1, channels, 8, 8], xq), **attributes, **extra)
                    # A max pool keeps its quantizer; an average may change it.
                    yield end(c, y, number, xq if kind == "MaxPool" or number % 2 else None)
                    number += 1
    for dtype, t in ((U8, "u8"), (S8, "s8")):
        for label, shape in (("", [2, 19, 7, 7]), ("_ties", [1, 64, 4, 4]), ("_one", [1, 8, 1, 1])):
            for kind, attributes in (("GlobalAveragePool", {}), ("ReduceMean", dict(axes=[2, 3], keepdims=1))):
                c = setting(f"{kind.lower()}{label}_{t}", dict(x=dtype, pow2=label == "_ties"))
                xq = c.pick()
                yield end(c, c.op(kind, c.input(shape, xq), **attributes), number)
                number += 1


def unaries():
    def silu(c, x):
        return c.op("Mul", x, c.op("Sigmoid", x))

    table = {  # op, output range
        "sigmoid": (lambda c, x: c.op("Sigmoid", x), (0, 1)), "tanh": (lambda c, x: c.op("Tanh", x), (-1, 1)),
        # Nearly every value of this one is a tie, so that each rounding inside shows: ONNX Runtime multiplies, then
        # adds, in f32.
        "hardsigmoid": (lambda c, x: c.op("HardSigmoid", x), (0, 1)),
        "hardsigmoid_sixth": (lambda c, x: c.op("HardSigmoid", x, alpha=1 / 6, beta=0.5), (0, 1)),
        "hardswish": (lambda c, x: c.op("HardSwish", x), (-0.4, 5)),
        "leakyrelu": (lambda c, x: c.op("LeakyRelu", x, alpha=0.1), (-0.5, 5)),
        "relu": (lambda c, x: c.op("Relu", x), (0, 5)), "relu_shifted": (lambda c, x: c.op("Relu", x), (-1, 5)),
        "clip": (lambda c, x: c.op("Clip", x, c.const(np.float32(-1)), c.const(np.float32(2.5))), (-1.5, 3)),
        "clip_low_only": (lambda c, x: c.op("Clip", x, c.const(np.float32(-0.7))), (-1.5, 3)),
        "clip_high_only": (lambda c, x: c.op("Clip", x, "", c.const(np.float32(1.3))), (-1.5, 3)),
        "elu": (lambda c, x: c.op("Elu", x), (-1, 5)), "silu": (silu, (-0.3, 5)),
        "chain": (lambda c, x: c.op("Tanh", c.op("Relu", c.op("Neg", x))), (0, 1)),
    }
    for number, (name, (apply, (low, high))) in enumerate(table.items()):
        for dtype, t in ((U8, "u8"), (S8, "s8")):
            c = setting(f"{name}_{t}", dict(x=dtype), opset=14)
            x = c.input([1, 4, 16, 16], c.pick(10 / 255))
            c.arrays["x0"].reshape(4, 256)[:] = np.arange(256).astype(U8).view(dtype)  # every value there is
            y = apply(c, x)
            scale = (high - low) / 255
            zero = int(np.clip(np.rint(np.iinfo(dtype).min - low / scale), np.iinfo(dtype).min, np.iinfo(dtype).max))
            yield end(c, y, number, Q(scale, zero, dtype))
    for axis, shape in ((1, [2, 10]), (-1, [1, 1001]), (1, [1, 6, 3, 3]), (-1, [1, 4, 7])):
        for dtype, t in ((U8, "u8"), (S8, "s8")):
            c = setting(f"softmax_{len(shape)}d_{shape[axis]}_{t}", dict(x=dtype))
            y = c.op("Softmax", c.input(shape, c.pick(0.02)), axis=axis)
            yield end(c, y, 1, Q(1 / 256, np.iinfo(dtype).min, dtype) if shape[axis] < 100 else None)


def moves():
    """Ops that only move bytes, each with the same quantizer on both sides."""
    def cut(c, x, starts, ends, axes, steps):
        return c.op("Slice", x, *(ints(c, *values) for values in (starts, ends, axes, steps)))

    def shuffle(c, x, groups, n, ch, h, w):
        x = c.op("Reshape", x, ints(c, n, groups, ch // groups, h, w))
        return c.op("Reshape", c.op("Transpose", x, perm=[0, 2, 1, 3, 4]), ints(c, n, -1, h, w))

    table = {
        "flatten": ([2, 5, 3, 4], lambda c, x: c.op("Flatten", x)),
        "reshape": ([1, 8, 3, 4], lambda c, x: c.op("Reshape", x, ints(c, 1, 4, 6, 4))),
        "reshape_zero": ([1, 8, 3, 4], lambda c, x: c.op("Reshape", x, ints(c, 0, -1))),
        "transpose_nhwc": ([1, 5, 3, 4], lambda c, x: c.op("Transpose", x, perm=[0, 2, 3, 1])),
        "transpose_2d": ([7, 9], lambda c, x: c.op("Transpose", x)),
        "shuffle": ([1, 12, 5, 3], lambda c, x: shuffle(c, x, 3, 1, 12, 5, 3)),
        "slice_channels": ([1, 17, 4, 5], lambda c, x: c.op("Slice", x, ints(c, 3), ints(c, 12), ints(c, 1))),
        "slice_space": ([1, 6, 9, 8], lambda c, x: cut(c, x, [1, -7], [2 ** 62, -1], [2, 3], [2, 1])),
        "slice_backwards": ([1, 5, 6, 4], lambda c, x: cut(c, x, [-1], [-2 ** 62], [2], [-1])),
        "pad_zero": ([1, 5, 4, 3], lambda c, x: c.op("Pad", x, ints(c, 0, 0, 1, 2, 0, 0, 2, 0))),
        "pad_value": ([1, 5, 4, 3], lambda c, x: c.op("Pad", x, ints(c, 0, 0, 1, 1, 0, 0, 1, 1),
                                                      c.const(np.float32(0.37)))),
        "pad_channels": ([1, 5, 4, 3], lambda c, x: c.op("Pad", x, ints(c, 0, 2, 0, 0, 0, 1, 0, 0))),
        "pad_reflect": ([1, 5, 4, 5], lambda c, x: c.op("Pad", x, ints(c, 0, 0, 1, 2, 0, 0, 2, 1), mode="reflect")),
        "pad_edge": ([1, 5, 4, 3], lambda c, x: c.op("Pad", x, ints(c, 0, 0, 1, 2, 0, 0, 2, 1), mode="edge")),
        "pad_reflect_channels": ([2, 5, 4, 3], lambda c, x: c.op("Pad", x, ints(c, 0, 4, 0, 1, 1, 3, 3, 2),
                                                                 mode="reflect")),
        "pad_edge_2d": ([3, 7], lambda c, x: c.op("Pad", x, ints(c, 2, 5, 1, 9), mode="edge")),
        "squeeze": ([1, 9, 1, 1], lambda c, x: c.op("Squeeze", x, ints(c, 2, 3))),
        "unsqueeze": ([3, 9], lambda c, x: c.op("Unsqueeze", x, ints(c, 2, 3))),
        "identity": ([1, 4, 3, 3], lambda c, x: c.op("Identity", x)),
    }
    for number, (name, (shape, apply)) in enumerate(table.items()):
        for dtype, t in ((U8, "u8"), (S8, "s8")):
            c = setting(f"{name}_{t}", dict(x=dtype))
            q = c.pick()
            yield end(c, apply(c, c.input(shape, q)), number, q)
    for parts in ((8, 8), (3, 5, 9)):
        c = setting(f"split_{'_'.join(map(str, parts))}", {})
        q = c.pick()
        for y in c.op("Split", c.input([1, sum(parts), 4, 3], q), ints(c, *parts), outs=len(parts), axis=1):
            c.quantized_output(y, q)
        yield c
    for a, b in ((U8, S8), (S8, U8), (U8, U8)):
        c = setting(f"requantize_{a.__name__}_{b.__name__}", {})
        xq = c.pick(dtype=a)
        c.quantized_output(c.input([1, 5, 16, 16], xq), c.pick(xq.scale * 1.3, dtype=b))
        yield c
    c = setting("quantize_dequantize", {})
    q = c.pick(1 / 32)
    x = c.float_input([1, 3, 16, 16], q)
    c.arrays[x].reshape(-1)[:4] = [np.inf, -np.inf, 1e30, -1e30]
    c.quantized_output(x, q)
    c.output(c.requantize(x, c.pick(0.031)), TensorProto.FLOAT)
    yield c


def blocks():
    """Small pieces of real networks, where fusions meet."""
    def layer(c, x, xq, *shape, **attributes):
        y, q = conv(c, x, xq, *shape, **attributes)
        return c.requantize(y, q), q

    for dtype, t in ((U8, "u8"), (S8, "s8")):
        c = setting(f"block_residual_{t}", dict(x=dtype))
        xq = c.pick().with_relu_range()
        x = c.input([1, 16, 8, 8], xq, as_float=True)
        y, q = layer(c, x, xq, 16, 16, (3, 3), relu=True, pads=[1, 1, 1, 1])
        y, q = layer(c, y, q, 16, 16, (3, 3), pads=[1, 1, 1, 1])
        yield end(c, c.op("Relu", c.op("Add", x, y)), 0)

        c = setting(f"block_squeeze_excite_{t}", dict(x=dtype))
        xq = c.pick()
        x = c.input([1, 24, 6, 6], xq)
        y = c.op("GlobalAveragePool", x)
        q = c.fit(y)
        y, q = layer(c, c.requantize(y, q), q, 24, 8, (1, 1), relu=True)
        y, q = layer(c, y, q, 8, 24, (1, 1))
        gate = c.requantize(c.op("HardSigmoid", y, alpha=1 / 6, beta=0.5), Q(1 / 256, xq.low, dtype))
        yield end(c, c.op("Mul", x, gate), 1)

        c = setting(f"block_batchnorm_{t}", dict(x=dtype))
        stats = [c.const(c.rng.uniform(0.3, 1.5, 11).astype(np.float32)) for _ in range(4)]
        yield end(c, c.op("Relu", c.op("BatchNormalization", c.input([1, 11, 7, 6], c.pick()), *stats)), 1)

    c = setting("block_flatten_gemm", {})
    xq = c.pick()
    x = c.input([2, 6, 3, 5], xq)  # gemm sees NCHW order, whatever the layout inside
    w, wq = c.weights((10, 90), S8, 0)
    yield end(c, c.op("Gemm", c.requantize(c.op("Flatten", x), xq), c.dequantize(c.const(w), wq, axis=0), transB=1), 0)

    c = setting("block_depthwise_separable", {})
    xq = c.pick()
    x = c.input([1, 20, 9, 9], xq)
    y, q = layer(c, x, xq, 20, 20, (3, 3), relu=True, group=20, strides=[2, 2], pads=[1, 1, 1, 1])
    yield end(c, conv(c, y, q, 20, 31, (1, 1))[0], 1)

    c = setting("block_shared_input", {})  # one tensor read by a conv, a pool and the output
    xq = c.pick()
    x = c.quantize(c.float_input([1, 6, 8, 8], xq), xq)
    c.quantized_output(*conv(c, c.dequantize(x, xq), xq, 6, 10, (3, 3)))
    c.quantized_output(c.op("MaxPool", c.dequantize(x, xq), kernel_shape=[2, 2]), xq)
    c.quantized_output(x)
    yield c


def files():
    """The same small conv, written the ways that files differ."""
    def simple(name, shape=(1, 4, 6, 6), v=None, **options):
        c = setting(f"file_{name}", v or {}, **options)
        xq = c.pick()
        x = c.input(list(shape), xq, as_float=True)
        y, q = conv(c, x, xq, 4, 6, (3, 3), v, pads=[1, 1, 1, 1])
        return c, y, q

    per_tensor = VARIANTS["u8s8_pt"]
    for opset in (10, 11, 12):
        c, y, q = simple(f"opset{opset}", v=per_tensor, opset=opset, ir_version=5)
        if opset == 10:  # attributes that became inputs later
            y = c.op("Clip", y, min=-1.0, max=3.0)
            q = Q(5 / 255, 60, U8)
            y = c.op("Pad", c.requantize(y, q), pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.0)
        c.quantized_output(y, q)
        yield c
    c = setting("file_opset11_split", {}, opset=11, ir_version=6)
    q = c.pick()
    for y in c.op("Split", c.input([1, 8, 3, 3], q), outs=2, axis=1, split=[3, 5]):
        c.quantized_output(c.op("Squeeze", y, axes=[0]), q)
    yield c
    for opset, ir in ((17, 8), (19, 9), (20, 9), (21, 10)):
        c, y, q = simple(f"opset{opset}", v=VARIANTS["s8s8" if opset == 21 else "u8s8"], opset=opset, ir_version=ir)
        c.quantized_output(c.quantize(y, q, **(dict(output_dtype=int(TensorProto.INT8)) if opset == 21 else {})))
        yield c
    # Without a zero point the type is an attribute. ONNX Runtime itself fails on this behind a conv.
    c = setting("file_opset21_output_dtype", {}, opset=21, ir_version=10)
    x = c.float_input([1, 3, 8, 8], Q(0.03, 0, S8))
    c.quantized_output(c.op("QuantizeLinear", x, c.const(np.float32(0.03)), output_dtype=int(TensorProto.INT8)))
    yield c
    c = setting("file_opset18_reducemean_split", {}, opset=18)
    q = c.pick()
    parts = c.op("Split", c.input([1, 9, 5, 5], q), outs=2, axis=1, num_outputs=2)
    y = c.op("ReduceMean", c.requantize(parts[0], q), c.const(np.asarray([-2, -1], np.int64)), keepdims=0)
    c.quantized_output(y, c.fit(y))
    c.quantized_output(parts[1], q)
    yield c
    c, y, q = simple("symbolic_batch", ("N", 4, 6, 6))
    c.float_output(y, q)
    yield c
    c, y, q = simple("typed_data", typed_data=True)
    c.float_output(y, q)
    yield c
    c, y, q = simple("no_zero_point")
    s = c.const(np.float32(q.scale))
    c.output(c.op("DequantizeLinear", c.op("QuantizeLinear", y, s), s), TensorProto.FLOAT)
    yield c
    c, y, q = simple("one_element_scale")  # shape [1] where a scalar is meant
    s, z = c.const(np.float32([q.scale])), c.const(np.asarray([q.zero], q.dtype))
    c.quantized_output(c.op("QuantizeLinear", y, s, z))
    yield c
    c, y, q = simple("cast_between")  # PyTorch's exporter puts a cast u8 -> u8 behind each quantizer
    y = c.op("Relu", c.dequantize(c.op("Cast", c.quantize(y, q), to=int(TensorProto.UINT8)), q))
    c.quantized_output(y, q)
    yield c
    c = setting("file_float_weights", {})  # quantize_static of a QAT model: the weights pass through Q and DQ
    xq = c.pick()
    w, wq = c.weights((6, 4, 1, 1), S8, 0)
    real = c.const((w * wq.scale.reshape(-1, 1, 1, 1)).astype(np.float32))
    dw = c.dequantize(c.quantize(real, wq, axis=0), wq, axis=0)
    yield end(c, c.op("Conv", c.input([1, 4, 6, 6], xq), dw), 1)
    c, y, q = simple("constant_nodes")
    c.quantized_output(y, q)
    c.nodes = [helper.make_node("Constant", [], [i.name], value=i) for i in c.initializers] + c.nodes
    c.initializers = []
    yield c
    # What every file did before IR version 4.
    c, y, q = simple("initializers_as_inputs", v=per_tensor, opset=10, ir_version=3)
    c.quantized_output(y, q)
    c.inputs += [helper.make_tensor_value_info(i.name, i.data_type, i.dims) for i in c.initializers]
    yield c


def cases():
    for group in (convs, conv_tails, linears, binaries, concats, pools, unaries, moves, blocks, files):
        for c in group():
            yield c.name, c.model(), c.arrays
