"""The QOperator cases: quantized ops by name, the standard's and ONNX Runtime's own (com.microsoft)."""
import numpy as np
from onnx import TensorProto

from case_builder import Case
from quantizer import S8, U8, Q

MS = "com.microsoft"


def case(name, dtype=U8, pow2=False):
    c = Case(name)
    c.dtype, c.pow2 = dtype, pow2
    return c


def done(c, y, q, as_float=False):
    if as_float:
        c.output(c.dequantize(y, q), TensorProto.FLOAT)
    else:
        c.quantized_output(y)
    return c


def both(name):
    """The case for u8 and for s8, as (case, number)."""
    for number, (dtype, t) in enumerate(((U8, "u8"), (S8, "s8"))):
        yield case(f"{name}_{t}", dtype), number


def convs():
    shapes = {
        "1x1": (17, 7, (1, 1), {}), "3x3": (8, 16, (3, 3), dict(pads=[1, 1, 1, 1])),
        "3x3_asym": (5, 9, (3, 3), dict(pads=[0, 1, 2, 1], strides=[2, 2])),
        "dw3": (17, 17, (3, 3), dict(group=17, pads=[1, 1, 1, 1])),
        "dw5_s2": (16, 16, (5, 5), dict(group=16, pads=[2, 2, 2, 2], strides=[2, 2])),
        "grouped": (12, 6, (3, 3), dict(group=3, dilations=[2, 2])),
    }
    kinds = {  # input type, weight type, weight zero, per channel, power-of-two scales, bias
        "u8s8": (U8, S8, 0, True, False, True), "u8u8": (U8, U8, 117, False, False, True),
        "u8s8_wz": (U8, S8, -11, False, False, False), "s8s8": (S8, S8, 0, True, False, True),
        "ties": (U8, S8, 0, True, True, True), "u8u8_ties": (U8, U8, 128, False, True, False),
        # Weights of -255 to 255 beyond their zero points.
        "u8u8_wz0": (U8, U8, 0, False, False, True), "s8s8_wz_low": (S8, S8, -128, False, False, True),
        "u8u8_wz255": (U8, U8, 255, False, False, False),
    }
    for shape, (ic, oc, kernel, attributes) in shapes.items():
        for number, (kind, (xt, wt, wzero, channels, pow2, biased)) in enumerate(kinds.items()):
            c = case(f"qlinearconv_{shape}_{kind}", xt, pow2)
            xq = c.pick()
            dims = (oc, ic // attributes.get("group", 1), *kernel)
            w, wq = c.weights(dims, wt, 0 if channels else None, wzero, small=pow2)
            x, wn = c.int_input([1, ic, 9, 8], xq), c.const(w)
            b, bq = c.bias(xq, w, wq, oc)
            bias = [c.const(b)] if biased else []
            axis = {"axis": 0} if channels else {}
            yq = c.fit_float(lambda: c.op("Conv", c.dequantize(x, xq), c.dequantize(wn, wq, **axis),
                                          *(c.dequantize(n, bq, **axis) for n in bias), **attributes))
            y = c.op("QLinearConv", x, *c.params(xq), wn, *c.params(wq), *c.params(yq), *bias, **attributes)
            yield done(c, y, yq, number % 3 == 2)


def matmuls():
    for number, (kind, xt, wt, wzero, channels, shape) in enumerate([
            ("u8s8", U8, S8, 0, True, [4, 67]), ("u8u8", U8, U8, 121, False, [2, 3, 32]),
            ("s8s8", S8, S8, 0, True, [1, 5]), ("u8s8_wz", U8, S8, 9, True, [3, 64]),
            ("u8u8_wz", U8, U8, 140, True, [3, 33]), ("u8u8_wz0", U8, U8, 0, False, [3, 70]),
            ("s8s8_wz_low", S8, S8, -128, True, [2, 33])]):
        c = case(f"qlinearmatmul_{kind}", xt)
        xq = c.pick()
        w, wq = c.weights((shape[-1], 13), wt, 1 if channels else None, wzero)
        x, wn = c.int_input(shape, xq), c.const(w)
        axis = {"axis": 1} if channels else {}
        yq = c.fit_float(lambda: c.op("MatMul", c.dequantize(x, xq), c.dequantize(wn, wq, **axis)))
        y = c.op("QLinearMatMul", x, *c.params(xq), wn, *c.params(wq), *c.params(yq))
        yield done(c, y, yq, number % 2)
    for number, (kind, xt, wt, wzero, channels, trans) in enumerate([
            ("u8s8", U8, S8, 0, True, 1), ("u8u8", U8, U8, 121, False, 0), ("s8s8", S8, S8, 0, True, 1),
            ("u8s8_wz", U8, S8, 9, False, 0)]):
        c = case(f"qgemm_{kind}", xt)
        xq = c.pick()
        # QGemm counts its scales along the output channels, which is axis 0 only with transB.
        w, wq = c.weights((21, 65) if trans else (65, 21), wt, (0 if trans else 1) if channels else None, wzero)
        x, wn = c.int_input([3, 65], xq), c.const(w)
        axis = {"axis": 0 if trans else 1} if channels else {}
        yq = c.fit_float(lambda: c.op("Gemm", c.dequantize(x, xq), c.dequantize(wn, wq, **axis), transB=trans))
        bias = c.const(c.bias(xq, w, wq, 21)[0])
        y = c.op("QGemm", x, *c.params(xq), wn, *c.params(wq), bias, *c.params(yq), domain=MS, transB=trans)
        yield done(c, y, yq, number % 2)
    c = case("float_qgemm_output")
    xq = c.pick()
    w, wq = c.weights((21, 33), S8, 0)
    bias = c.const(c.bias(xq, w, wq, 21)[0])
    y = c.op("QGemm", c.int_input([2, 33], xq), *c.params(xq), c.const(w), *c.params(wq), bias, domain=MS, transB=1)
    c.output(y, TensorProto.FLOAT)
    yield c


def elementwise():
    for kind in ("Add", "Mul"):
        for label, b_shape in (("", [1, 13, 5, 7]), ("_channel", [1, 13, 1, 1]), ("_row", [7])):
            for c, number in both(f"qlinear{kind.lower()}{label}"):
                aq, bq = c.pick(), c.pick()
                a, b = c.int_input([1, 13, 5, 7], aq), c.int_input(b_shape, bq)
                yq = c.fit_float(lambda: c.op(kind, c.dequantize(a, aq), c.dequantize(b, bq)))
                y = c.op(f"QLinear{kind}", a, *c.params(aq), b, *c.params(bq), *c.params(yq), domain=MS)
                yield done(c, y, yq, number)
        c = case(f"qlinear{kind.lower()}_ties", pow2=True)
        aq, bq = c.pick(1 / 32), c.pick(1 / 64)
        yq = c.pick(1 / 16)
        a, b = c.int_input([1, 8, 16, 16], aq), c.int_input([1, 8, 16, 16], bq)
        y = c.op(f"QLinear{kind}", a, *c.params(aq), b, *c.params(bq), *c.params(yq), domain=MS)
        yield done(c, y, yq)
    for kind, attributes, top in (("Sigmoid", {}, 1), ("LeakyRelu", dict(alpha=0.2), 5)):
        for c, number in both(f"qlinear{kind.lower()}"):
            xq = c.pick(10 / 255)
            yq = Q(top / 255, np.iinfo(c.dtype).min + 1, c.dtype) if kind == "Sigmoid" else c.pick(6 / 255)
            x = c.int_input([1, 3, 16, 16], xq)
            y = c.op(f"QLinear{kind}", x, *c.params(xq), *c.params(yq), domain=MS, **attributes)
            yield done(c, y, yq, number)
    for c, number in both("qlinearsoftmax"):
        xq, yq = c.pick(0.03), Q(1 / 256, np.iinfo(c.dtype).min, c.dtype)
        y = c.op("QLinearSoftmax", c.int_input([2, 101], xq), *c.params(xq), *c.params(yq), domain=MS, axis=1, opset=13)
        yield done(c, y, yq, number)
    # Long rows, whose f32 sums depend on the order, and scales whose inverse ONNX Runtime cuts to an integer.
    for number, scale in enumerate((1 / 255, 0.0037)):
        for c, _ in both(f"qlinearsoftmax_long_{number}"):
            xq, yq = c.pick(), Q(scale, np.iinfo(c.dtype).min + 2, c.dtype)
            y = c.op("QLinearSoftmax", c.int_input([40, 999], xq), *c.params(xq), *c.params(yq), domain=MS, axis=1,
                     opset=13)
            yield done(c, y, yq)


def shapes():
    for label, equal in (("equal", True), ("unequal", False)):
        for c, number in both(f"qlinearconcat_{label}"):
            yq = c.pick(0.04)
            inputs = []
            for channels in (3, 8, 5):
                q = yq if equal else c.pick()
                inputs += [c.int_input([1, channels, 5, 4], q), *c.params(q)]
            yield done(c, c.op("QLinearConcat", *c.params(yq), *inputs, domain=MS, axis=1), yq, number)
    for last in (0, 1):
        for c, number in both(f"qlinearglobalaveragepool{'_last' if last else ''}"):
            xq = c.pick()
            x = c.int_input([1, 7, 7, 19] if last else [2, 19, 7, 7], xq)
            yq = c.fit_float(lambda: c.op("ReduceMean", c.dequantize(x, xq), axes=[1, 2] if last else [2, 3]))
            y = c.op("QLinearGlobalAveragePool", x, *c.params(xq), *c.params(yq), domain=MS, channels_last=last)
            yield done(c, y, yq, number)
    for label, attributes in (("2x2", dict(kernel_shape=[2, 2], strides=[2, 2])),
                              ("3x3_pad", dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])),
                              ("3x3_include", dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)),
                              ("3x3_ceil", dict(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1))):
        for c, number in both(f"qlinearaveragepool_{label}"):
            xq = c.pick()
            x = c.int_input([1, 17, 8, 8], xq)
            yq = c.fit_float(lambda: c.op("AveragePool", c.dequantize(x, xq), **attributes))
            y = c.op("QLinearAveragePool", x, *c.params(xq), *c.params(yq), domain=MS, **attributes)
            yield done(c, y, yq, number)
    for c, number in both("integer_moves"):  # standard ops straight on u8 or s8
        q = c.pick()
        y = c.op("MaxPool", c.int_input([1, 12, 8, 8], q), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        y = c.op("Reshape", y, c.const(np.asarray([1, 3, 4, 4, 4], np.int64)))
        y = c.op("Reshape", c.op("Transpose", y, perm=[0, 2, 1, 3, 4]), c.const(np.asarray([1, 12, 4, 4], np.int64)))
        a, b = c.op("Split", y, c.const(np.asarray([5, 7], np.int64)), outs=2, axis=1)
        y = c.op("Flatten", c.op("Concat", b, a, axis=1))
        yield done(c, y, q, number)


def cases():
    for group in (convs, matmuls, elementwise, shapes):
        for c in group():
            yield c.name, c.model(), c.arrays
