"""The TFLite cases of operators that sum products: convolutions, fully connected, batch matmul."""
import numpy as np

from quantizer import S8, U8, Q, integers
from tflite_builder import ACTIVATION, PADDING, Case, out_size

# What activations and weights are: type, weight zero points, per channel, power-of-two scales.
KINDS = {"s8": (S8, None, True, False), "s8_pt": (S8, None, False, False), "s8_ties": (S8, None, True, True),
         "u8": (U8, "odd", False, False), "u8_ties": (U8, "odd", False, True), "u8_mid": (U8, "middle", False, False)}


def weights(c, shape, kind, axis):
    """(integers, quantizer). Every row has its own scale where `kind` is per channel."""
    dtype, zeros, channels, pow2 = KINDS[kind]
    w = integers(c.rng, shape, dtype)
    zero = {None: 0, "odd": int(c.rng.integers(30, 110)) * 2 + 1, "middle": 128}[zeros]
    if pow2:  # few sums, hence many ties
        w = (c.rng.integers(-3, 4, shape) + zero).astype(dtype)
    scale = c.rng.uniform(0.002, 0.02, shape[axis]) if channels else float(c.rng.uniform(0.002, 0.02))
    scale = np.exp2(np.round(np.log2(scale))) if pow2 else scale
    return w, Q(np.float32(scale), zero, dtype)


def spread(xq, w, wq, taps):
    """Standard deviation of real sums of `taps` products."""
    x = np.arange(xq.low, xq.high + 1) - float(xq.zero)
    w = w.astype(float) - float(wq.zero)
    return xq.scale * np.mean(wq.scale) * np.sqrt(np.mean(x * x) * np.mean(w * w) * taps)


def bias(c, xq, w, wq, channels, taps):
    """An s32 constant about as large as the sums."""
    scale = np.float32(xq.scale) * np.asarray(wq.scale, np.float32)
    limit = int(spread(xq, w, wq, taps) / np.mean(scale)) + 1
    values = c.rng.integers(-limit, limit + 1, channels).astype(np.int32)
    return c.const(values, Q(scale, 0, np.int32))


def conv(name, kind, size, channels, outputs, kernel, stride, dilation, padding, activation, depthwise=0, groups=1):
    """`depthwise` is the multiplier, 0 for a plain convolution."""
    c = Case(name, KINDS[kind][0], KINDS[kind][3])
    xq = c.pick()
    x = c.input([1, *size, channels], xq)
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    if depthwise:
        outputs, taps = channels * depthwise, kh * kw
        w, wq = weights(c, [1, kh, kw, outputs], kind, 3)
    else:
        taps = kh * kw * channels // groups
        w, wq = weights(c, [outputs, kh, kw, channels // groups], kind, 0)
    yq = c.fitted(spread(xq, w, wq, taps), activation)
    tensors = [x, c.const(w, wq, 3 if depthwise and np.ndim(wq.scale) else 0), bias(c, xq, w, wq, outputs, taps)]
    shape = [1, *(out_size(*a, padding) for a in zip(size, kernel, stride, dilation)), outputs]
    extra = {"depthMultiplier": depthwise} if depthwise else {}
    code, options = ("DEPTHWISE_CONV_2D", "DepthwiseConv2D") if depthwise else ("CONV_2D", "Conv2D")
    return c.op(code, tensors, [c.output(shape, yq)], options, padding=PADDING[padding], strideH=sh, strideW=sw,
                dilationHFactor=dh, dilationWFactor=dw, fusedActivationFunction=ACTIVATION[activation], **extra)


CONVS = {  # size, channels, outputs, kernel, stride, dilation, padding, activation
    "1x1": ((9, 8), 17, 7, (1, 1), (1, 1), (1, 1), "valid", ""),
    "1x1_s2": ((9, 8), 32, 16, (1, 1), (2, 2), (1, 1), "same", "relu"),
    "3x3": ((11, 13), 8, 33, (3, 3), (1, 1), (1, 1), "same", "relu"),
    "3x3_s2": ((16, 15), 3, 16, (3, 3), (2, 2), (1, 1), "same", "relu6"),
    "3x3_valid": ((9, 12), 5, 9, (3, 3), (2, 1), (1, 1), "valid", "relun1"),
    "3x2_d2": ((13, 14), 16, 24, (3, 2), (1, 1), (2, 3), "same", ""),
    "5x5_s3": ((20, 17), 4, 6, (5, 5), (3, 2), (1, 1), "same", ""),
    "10x4": ((49, 10), 1, 64, (10, 4), (2, 2), (1, 1), "same", "relu"),
    "deep": ((5, 5), 67, 19, (3, 3), (1, 1), (1, 1), "same", ""),
    "grouped": ((8, 9), 12, 6, (3, 3), (1, 1), (1, 1), "same", "", 0, 3),
}
DEPTHWISE = {  # size, channels, outputs, kernel, stride, dilation, padding, activation, multiplier
    "3x3": ((11, 13), 17, 0, (3, 3), (1, 1), (1, 1), "same", "", 1),
    "3x3_s2": ((16, 15), 32, 0, (3, 3), (2, 2), (1, 1), "same", "relu", 1),
    "5x5": ((12, 11), 16, 0, (5, 5), (1, 1), (1, 1), "same", "relu6", 1),
    "3x3_d2": ((13, 12), 9, 0, (3, 3), (1, 1), (2, 2), "same", "", 1),
    "3x3_m2": ((10, 9), 8, 0, (3, 3), (1, 1), (1, 1), "same", "relu", 2),
    "10x4_m8": ((25, 10), 1, 0, (10, 4), (2, 2), (1, 1), "same", "relu", 8),
    "2x3_valid": ((9, 10), 33, 0, (2, 3), (2, 1), (1, 1), "valid", "relun1", 1),
    "3x3_m3": ((8, 7), 5, 0, (3, 3), (2, 2), (1, 1), "valid", "", 3),
}


def convs(large):
    for code, table in (("conv_2d", CONVS), ("depthwise_conv_2d", DEPTHWISE)):
        for shape, (size, *rest) in table.items():
            for kind in KINDS:
                for n in range(4 if large else 1):
                    scaled = tuple(s * 3 for s in size) if large else size
                    yield conv(f"{code}.{shape}.{kind}.{n}", kind, scaled, *rest)


TRANSPOSED = {  # size, channels, outputs, kernel, stride, padding
    "2x2_s2": ((7, 8), 9, 17, (2, 2), (2, 2), "valid"), "3x3_s2": ((6, 5), 16, 8, (3, 3), (2, 2), "same"),
    "4x3_s3": ((4, 5), 5, 3, (4, 3), (3, 2), "valid"), "3x3": ((6, 7), 7, 6, (3, 3), (1, 1), "same"),
    "2x2_s3": ((4, 4), 3, 5, (2, 2), (3, 3), "same"),  # cells that no tap reaches
}


def transpose_convs(large):
    for shape, (size, channels, outputs, kernel, stride, padding) in TRANSPOSED.items():
        size = tuple(s * 3 for s in size) if large else size
        for kind in KINDS:
            for n, biased in enumerate((True, False)):
                c = Case(f"transpose_conv.{shape}.{kind}.{n}", KINDS[kind][0], KINDS[kind][3])
                xq = c.pick()
                taps = max(1, kernel[0] * kernel[1] * channels // (stride[0] * stride[1]))
                w, wq = weights(c, [outputs, *kernel, channels], kind, 0)
                yq = c.fitted(spread(xq, w, wq, taps))
                grown = [s * t if padding == "same" else (s - 1) * t + k for s, t, k in zip(size, stride, kernel)]
                shape_ = [1, *grown, outputs]
                x = c.input([1, *size, channels], xq)
                tensors = [c.const(np.int32(shape_)), c.const(w, wq), x]
                if biased:
                    tensors.append(bias(c, xq, w, wq, outputs, taps))
                yield c.op("TRANSPOSE_CONV", tensors, [c.output(shape_, yq)], "TransposeConv",
                           padding=PADDING[padding], strideH=stride[0], strideW=stride[1])


def fully_connected(large):
    shapes = {"64": ([3, 64], 17, "", True), "1": ([1, 1], 3, "", True), "67": ([1, 67], 33, "relu", True),
              "640": ([2, 640], 128, "", True), "127_nobias": ([5, 127], 10, "relu6", False),
              "3d": ([2, 3, 40], 9, "", True)}
    for shape, (dims, outputs, activation, biased) in shapes.items():
        for kind in KINDS:
            for n in range(6 if large else 1):
                c = Case(f"fully_connected.{shape}.{kind}.{n}", KINDS[kind][0], KINDS[kind][3])
                dims_ = [dims[0] * 40, *dims[1:]] if large else dims
                xq, depth = c.pick(), dims[-1]
                w, wq = weights(c, [outputs, depth], kind, 0)
                yq = c.fitted(spread(xq, w, wq, depth), activation)
                x = c.input(dims_, xq)
                tensors = [x, c.const(w, wq), bias(c, xq, w, wq, outputs, depth) if biased else -1]
                yield c.op("FULLY_CONNECTED", tensors, [c.output([*dims_[:-1], outputs], yq)], "FullyConnected",
                           fusedActivationFunction=ACTIVATION[activation], keepNumDims=len(dims) > 2)


def batch_matmul(large):
    shapes = {"2d": ([5, 33], [33, 9], False, False), "3d": ([3, 7, 16], [3, 16, 17], False, False),
              "adj_y": ([2, 5, 24], [2, 11, 24], False, True), "adj_x": ([2, 24, 5], [2, 24, 6], True, False),
              "broadcast": ([2, 3, 4, 8], [1, 1, 8, 5], False, False),
              "broadcast_x": ([5, 8], [2, 3, 8, 4], False, False), "crossed": ([2, 1, 3, 9], [1, 3, 9, 5], False, False)}
    for shape, (a, b, adj_x, adj_y) in shapes.items():
        for kind, dtype, pow2 in (("s8", S8, False), ("s8_ties", S8, True)):
            for constant in ("", "right", "left"):
                for n in range(4 if large else 1):
                    suffix = {"": "", "right": "_const", "left": "_const_left"}[constant]
                    c = Case(f"batch_matmul.{shape}.{kind}{suffix}.{n}", dtype, pow2)
                    aq, bq = c.pick(zero=0 if constant == "left" else None), c.pick(zero=0 if constant == "right" else None)
                    data = c.rng.integers(-3, 4, b).astype(dtype) if pow2 else integers(c.rng, b, dtype)
                    rows, inner = (a[-1], a[-2]) if adj_x else (a[-2], a[-1])
                    batch = np.broadcast_shapes(a[:-2], b[:-2])
                    y = [*batch, rows, b[-2] if adj_y else b[-1]]
                    yq = c.fitted(spread(aq, data, bq, inner))
                    x = c.const(integers(c.rng, a, dtype), aq) if constant == "left" else c.input(a, aq)
                    other = c.const(data, bq) if constant == "right" else c.input(b, bq, data)
                    yield c.op("BATCH_MATMUL", [x, other], [c.output(y, yq)], "BatchMatMul", adjX=adj_x, adjY=adj_y)


def cases(large):
    yield from convs(large)
    yield from transpose_convs(large)
    yield from fully_connected(large)
    yield from batch_matmul(large)
