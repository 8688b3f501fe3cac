"""Ops that Octet puts together from others: quantization with computed parameters or several of them, pools over three
axes, gathered elements, cubic resizing, convolutions whose weights are computed."""
import numpy as np
import onnx
from onnx import TensorProto, helper

from case_builder import S8, U8, Q
from cases_float import between, f32, uniform
from cases_qdq import end, ints, setting


def real_input(c, shape, finite):
    """Halves of a step, values out of range; both zeros and infinities, which ONNX Runtime's blocks take for NaN."""
    name = c.float_input(shape, Q(0.037, 91, U8))
    if finite:
        return name
    c.arrays[name].reshape(-1)[:4] = [np.inf, -np.inf, -0.0, 0.0]
    return name


def run_time_input(c, array):
    name = f"x{len(c.inputs)}"
    array = np.asarray(array)
    c.inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape))
    c.arrays[name] = array
    return name


def quantizations():
    for name, shape, axis, block in (("one", [3, 50], 1, 0), ("rows", [6, 5, 4], 0, 0), ("axis", [2, 5, 3, 4], 1, 0),
                                     ("last", [4, 7], -1, 0), ("blocks", [3, 10, 2], 1, 4), ("image", [2, 6, 5, 4], 1, 0)):
        for dtype, t in ((U8, "u8"), (S8, "s8")):
            for computed in (True, False):
                if name == "one" and not computed:
                    continue
                c = setting(f"quantize_{name}_{t}{'_computed' if computed else ''}", {}, opset=21 if block else 13)
                params = list(shape) if block else [] if name == "one" else [shape[axis]]
                if block:
                    params[axis] = -(-shape[axis] // block)
                info = np.iinfo(dtype)
                scale = c.rng.choice([0.037, 0.0185, 0.074, 0.25], params).astype(np.float32)
                zero = c.rng.integers(info.min, info.max + 1, params).astype(dtype)
                make = (lambda a: run_time_input(c, a)) if computed else c.const
                attributes = dict(axis=axis) | (dict(block_size=block) if block else {})
                x, s, z = real_input(c, shape, finite=block > 0), make(scale), make(zero)
                q = c.op("QuantizeLinear", x, s, z, **attributes)
                c.outputs.append(onnx.ValueInfoProto(name=q))
                c.output(c.op("DequantizeLinear", q, s, z, **attributes), TensorProto.FLOAT)
                again = run_time_input(c, c.integers(shape, dtype))
                c.output(c.op("DequantizeLinear", again, s, z, **attributes), TensorProto.FLOAT)
                yield c
    # As DynamicQuantizeLinear is spelled out, around a product.
    c = setting("quantize_spelled_dynamic", {})
    x = c.float_input([5, 24], Q(0.037, 91, U8))
    low = c.op("Min", c.op("ReduceMin", x, keepdims=0), f32(c, 0.0))
    high = c.op("Max", c.op("ReduceMax", x, keepdims=0), f32(c, 0.0))
    scale = c.op("Div", c.op("Sub", high, low), f32(c, 255.0))
    zero = c.op("Cast", c.op("Round", c.op("Clip", c.op("Div", c.op("Sub", f32(c, 0.0), low), scale), f32(c, 0.0),
                                           f32(c, 255.0))), to=int(TensorProto.UINT8))
    q = c.op("QuantizeLinear", x, scale, zero)
    w, _ = c.weights((24, 7), S8)
    c.output(c.op("MatMulInteger", q, c.const(w), zero), TensorProto.INT32)
    c.output(c.op("DequantizeLinear", q, scale, zero), TensorProto.FLOAT)
    yield c
    c = setting("dequantize_s32", {})
    total = c.op("MatMulInteger", run_time_input(c, c.integers([4, 20], U8)), run_time_input(c, c.integers([20, 6], S8)))
    c.output(c.op("DequantizeLinear", total, f32(c, 0.0123)), TensorProto.FLOAT)
    yield c
    for dtype, t in ((U8, "u8"), (S8, "s8")):  # integers as they are, beside what they stand for
        c = setting(f"cast_of_quantized_{t}", dict(x=dtype))
        q = c.pick()
        x = c.int_input([2, 5, 3, 4], q)
        c.output(c.op("Cast", x, to=int(TensorProto.FLOAT)), TensorProto.FLOAT)
        c.output(c.op("Cast", x, to=int(TensorProto.INT32)), TensorProto.INT32)
        y = c.dequantize(x, q)
        c.quantized_output(c.op("Relu", y), c.pick())
        yield c


def elements():
    for name, shape, indices, axis in (("rows", [5, 7], [3, 7], 0), ("columns", [5, 7], [4, 9], 1),
                                       ("image", [2, 6, 5, 4], [2, 9, 3, 4], 1), ("last", [3, 4, 5], [3, 4, 5], -1)):
        for kind in (np.int32, np.int64):
            for constant in (False, True):
                c = setting(f"gatherelements_{name}_{kind.__name__}{'_const' if constant else ''}", {})
                q, size = c.pick(), shape[axis]
                at = c.rng.integers(-size, size, indices).astype(kind)
                at.reshape(-1)[:4] = [-size, size - 1, 0, -1]
                x = c.input(shape, q)
                index = c.const(at) if constant else run_time_input(c, at)
                yield end(c, c.op("GatherElements", x, index, axis=axis), 1, q)
    c = setting("gatherelements_of_constant", {})
    at = run_time_input(c, c.rng.integers(-6, 6, (2, 5)).astype(np.int64))
    c.output(c.op("GatherElements", c.const(c.rng.integers(-99, 99, (6, 5)).astype(np.int64)), at), TensorProto.INT64)
    yield c
    every = np.arange(256).astype(U8).repeat(12).reshape(256, 12)
    bits = np.tile(np.asarray([0, 1, 2, 3, 4, 5, 6, 7, 7, 6, 1, 0], U8), (256, 1))
    for direction in ("LEFT", "RIGHT"):
        for constant in (False, True):
            c = setting(f"bitshift_{direction.lower()}{'_const' if constant else ''}", {})
            y = c.const(bits) if constant else run_time_input(c, bits)
            c.output(c.op("BitShift", run_time_input(c, every), y, direction=direction), TensorProto.UINT8)
            yield c
    for kind, t in ((np.int32, "s32"), (np.int64, "s64"), (np.float32, "f32")):
        for mode in ("constant", "reflect", "edge", "wrap"):
            c = setting(f"pad_{mode}_{t}", {}, opset=19)
            x = run_time_input(c, c.rng.integers(-10**6, 10**6, (2, 4, 5)).astype(kind))
            value = [c.const(np.asarray(-7, kind))] if mode == "constant" else []
            y = c.op("Pad", x, ints(c, 0, 2, 3, 0, 3, 1), *value, mode=mode)
            c.output(y, helper.np_dtype_to_tensor_dtype(np.dtype(kind)))
            yield c


def pools():
    shapes = {"2": ([2, 3, 6, 5, 7], dict(kernel_shape=[2, 2, 2], strides=[2, 2, 2])),
              "3": ([1, 5, 5, 6, 4], dict(kernel_shape=[3, 3, 3], pads=[1, 1, 1, 1, 1, 1])),
              "uneven": ([1, 2, 7, 6, 8], dict(kernel_shape=[3, 2, 1], strides=[2, 1, 3], pads=[1, 0, 0, 0, 1, 0])),
              "dilated": ([1, 4, 7, 7, 6], dict(kernel_shape=[2, 3, 2], dilations=[2, 1, 3])),
              "ceil": ([1, 3, 6, 7, 5], dict(kernel_shape=[3, 3, 2], strides=[2, 2, 2], pads=[1, 1, 0, 1, 1, 0],
                                             ceil_mode=1)),
              "same": ([1, 3, 6, 7, 5], dict(kernel_shape=[3, 3, 2], strides=[2, 2, 2], auto_pad="SAME_UPPER"))}
    for name, (shape, attributes) in shapes.items():
        for dtype, t in ((U8, "u8"), (S8, "s8")):
            c = setting(f"maxpool3d_{name}_{t}", dict(x=dtype), opset=19)
            q = c.pick()
            yield end(c, c.op("MaxPool", c.input(shape, q), **attributes), 1, q)
        for counted in (0, 1):
            c = setting(f"float_averagepool3d_{name}_{counted}", {}, opset=19)
            x = c.float_input(shape, c.pick())
            c.output(c.op("AveragePool", x, count_include_pad=counted, **attributes), TensorProto.FLOAT)
            yield c
    for counted in (0, 1):  # windows that reach behind the padding
        c = setting(f"float_averagepool_ceil_{counted}", {}, opset=19)
        x = c.float_input([1, 2, 6, 9], c.pick())
        y = c.op("AveragePool", x, count_include_pad=counted, kernel_shape=[3, 4], strides=[2, 3], pads=[1, 1, 1, 1],
                 ceil_mode=1)
        c.output(y, TensorProto.FLOAT)
        yield c
    for name, shape in (("1d", [2, 5, 9]), ("2d", [2, 7, 5, 6]), ("3d", [2, 9, 2, 2, 1])):
        c = setting(f"globalmaxpool_{name}", {})
        q = c.pick()
        yield end(c, c.op("GlobalMaxPool", c.input(shape, q)), 1, q)
    yield between("globalaveragepool_3d", [2, 3, 4, 5, 6], lambda c, x: c.op("GlobalAveragePool", x))


def resizes():
    sizes = {"2x": dict(scales=[1, 1, 2, 2]), "up": dict(sizes=[1, 5, 11, 9]), "down": dict(sizes=[1, 5, 3, 4])}
    for label, size in sizes.items():
        for coordinates in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"):
            for name, fields in (("cubic", dict(mode="cubic")), ("cubic_half", dict(mode="cubic", cubic_coeff_a=-0.5)),
                                 ("cubic_inside", dict(mode="cubic", exclude_outside=1))):
                c = setting(f"resize_{name}_{coordinates}_{label}", {}, opset=19)
                x = c.input([1, 5, 6, 7], c.pick())
                inputs = [c.const(np.float32(size["scales"]))] if "scales" in size else ["", ints(c, *size["sizes"])]
                y = c.op("Resize", x, "", *inputs, coordinate_transformation_mode=coordinates, **fields)
                yield end(c, y, 1)
    for policy in ("not_larger", "not_smaller"):
        c = setting(f"resize_{policy}", {}, opset=18)
        q = c.pick()
        y = c.op("Resize", c.input([1, 3, 6, 8], q), "", "", ints(c, 9, 10), axes=[2, 3], keep_aspect_ratio_policy=policy)
        yield end(c, y, 1, q)


def convolutions():
    for name, shape, weights, attributes in (
            ("2d", [2, 4, 7, 6], (6, 4, 3, 2), dict(pads=[1, 0, 2, 1], strides=[2, 1])),
            ("grouped", [1, 6, 5, 5], (4, 3, 3, 3), dict(group=2, dilations=[1, 2])),
            ("depthwise", [1, 5, 6, 6], (5, 1, 3, 3), dict(group=5, pads=[1, 1, 1, 1])),
            ("1d", [2, 3, 11], (4, 3, 5), dict(strides=[3])), ("3d", [1, 2, 4, 5, 4], (3, 2, 2, 3, 2), {})):
        for biased in (False, True):
            c = setting(f"float_conv_computed_{name}{'_bias' if biased else ''}", {})
            w = run_time_input(c, c.rng.uniform(-1, 1, weights).astype(np.float32))
            bias = [run_time_input(c, c.rng.uniform(-1, 1, weights[:1]).astype(np.float32))] if biased else []
            c.output(c.op("Conv", c.float_input(shape, c.pick()), w, *bias, **attributes), TensorProto.FLOAT)
            yield c
    for axis, shape in ((-1, [2, 5, 33]), (1, [3, 4, 7])):
        c = setting(f"float_layernorm_moments_{axis}".replace("-", "m"), {}, opset=17)
        row = shape[axis:] if axis > 0 else shape[-1:]
        outs = c.op("LayerNormalization", c.float_input(shape, c.pick()), uniform(c, row), outs=3, axis=axis)
        for y in outs:
            c.output(y, TensorProto.FLOAT)
        yield c


def cases():
    for group in (quantizations, elements, pools, resizes, convolutions):
        for c in group():
            yield c.name, c.model(), c.arrays
