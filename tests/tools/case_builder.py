"""Builds one small quantized ONNX model and an input that reaches its extremes; used by make_cases.py."""
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ort_golden import run_all, session
from quantizer import Q, S8, U8, integers, pick, power_of_two


class Case:
    """A model under construction. Methods add nodes and give the names of what they make."""

    def __init__(self, name, opset=13, ir_version=8, typed_data=False):
        self.name, self.opset, self.ir_version, self.typed_data = name, opset, ir_version, typed_data
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))  # adding a case leaves the others as they are
        self.nodes, self.initializers, self.inputs, self.outputs, self.arrays = [], [], [], [], {}
        self.count = 0
        # What quantizers are picked from; a case may set these first.
        self.dtype, self.pow2 = U8, False

    # --- naming and plain nodes

    def fresh(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def const(self, array, stem="c"):
        array = np.asarray(array)
        name = self.fresh(stem)
        if self.typed_data:  # float_data / int32_data instead of raw_data
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            self.initializers.append(helper.make_tensor(name, kind, array.shape, array.reshape(-1).tolist()))
        else:
            self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind, *inputs, outs=1, domain="", **attributes):
        names = [self.fresh(kind.lower()) for _ in range(outs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=self.fresh("n_" + kind.lower()),
                                           domain=domain, **attributes))
        return names[0] if outs == 1 else names

    # --- quantization

    def pick(self, scale=None, zero=None, dtype=None):
        """A quantizer with an odd zero point away from the middle."""
        return pick(self.rng, dtype or self.dtype, self.pow2, scale, zero)

    def params(self, q):
        return (self.const(np.asarray(q.scale, np.float32), "scale"), self.const(np.asarray(q.zero, q.dtype), "zero"))

    def quantize(self, x, q, **attributes):
        return self.op("QuantizeLinear", x, *self.params(q), **attributes)

    def dequantize(self, x, q, **attributes):
        return self.op("DequantizeLinear", x, *self.params(q), **attributes)

    def requantize(self, x, q):
        """Float tensor -> Q -> DQ, as between any two layers of a QDQ model."""
        return self.dequantize(self.quantize(x, q), q)

    # --- graph inputs and outputs

    def integers(self, shape, dtype):
        return integers(self.rng, shape, dtype)

    def int_input(self, shape, q):
        """A graph input that is already quantized."""
        name = f"x{len(self.inputs)}"
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(q.dtype))
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        self.arrays[name] = self.integers(shape, q.dtype)
        return name

    def float_input(self, shape, q):
        """A float graph input: the grid of `q`, some values half way between two steps, some out of range."""
        name = f"x{len(self.inputs)}"
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        rows = [2 if d == "N" else d for d in shape]  # a symbolic batch runs twice
        steps = self.integers(rows, q.dtype).astype(np.float64) - float(q.zero)
        flat = steps.reshape(-1)
        flat[2::7] += 0.5
        flat[3::31] *= 4
        self.arrays[name] = (steps * q.scale).astype(np.float32)
        return name

    def input(self, shape, q, as_float=False):
        """A dequantized activation; the graph input in front of it is float or quantized."""
        x = self.quantize(self.float_input(shape, q), q) if as_float else self.int_input(shape, q)
        return self.dequantize(x, q)

    def output(self, name, kind):
        self.outputs.append(helper.make_tensor_value_info(name, kind, None))

    def quantized_output(self, x, q=None):
        """Ends with a quantized graph output; `x` is float where `q` is given, already quantized where not."""
        if q:
            x = self.quantize(x, q)
        self.outputs.append(onnx.ValueInfoProto(name=x))

    def float_output(self, x, q):
        self.output(self.requantize(x, q), TensorProto.FLOAT)

    # --- weights

    def weights(self, shape, dtype=S8, per_channel=None, zero=0, small=False):
        """(integers, quantizer); `per_channel` is the axis that scales vary along."""
        w = self.rng.integers(-3, 4, shape).astype(dtype) if small else self.integers(shape, dtype)
        if dtype is U8 and small:
            w = (w.view(S8).astype(np.int16) + zero).astype(U8)
        if per_channel is None:
            scale = float(self.rng.uniform(0.002, 0.02))
            return w, Q(power_of_two(scale) if self.pow2 else scale, zero, dtype)
        scales = self.rng.uniform(0.002, 0.02, shape[per_channel]).astype(np.float32)
        if self.pow2:
            scales = np.exp2(np.round(np.log2(scales))).astype(np.float32)
        return w, Q(scales, np.full(shape[per_channel], zero, dtype), dtype)

    def bias(self, x, w, wq, channels):
        """(s32 values, quantizer) in units of the accumulator, and about as large as it gets."""
        per_sum = w.size // channels
        spread = np.sqrt(per_sum * np.mean((np.arange(x.low, x.high + 1) - float(x.zero)) ** 2)
                         * np.mean((w.astype(float) - np.mean(wq.zero)) ** 2))
        scale = np.float32(x.scale) * np.asarray(wq.scale, np.float32)
        return (self.rng.integers(-int(spread), int(spread) + 1, channels).astype(np.int32),
                Q(scale, np.zeros(channels if scale.ndim else (), np.int32), np.int32))

    # --- output quantizers from observed values

    def fit(self, y):
        """A quantizer that float tensor `y` nearly fits into: a few values saturate at each end, zero is odd."""
        model = self.model([onnx.ValueInfoProto(name=y)])
        values = run_all(session(model, optimize=False), self.arrays, 1)[y]
        low, high = (float(v) for v in np.percentile(values, [2, 98]))
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max((high - low) / 255, 1e-6)
        if self.pow2:
            scale = power_of_two(scale)
        info = np.iinfo(self.dtype)
        zero = int(np.clip(np.rint(info.min - low / scale), info.min, info.max))
        return Q(scale, zero if zero in (info.min, info.max) else zero | 1, self.dtype)

    def fit_float(self, build):
        """The same for a QOperator: `build` makes its float counterpart, which is thrown away afterwards."""
        kept = len(self.nodes), len(self.initializers)
        q = self.fit(build())
        del self.nodes[kept[0]:], self.initializers[kept[1]:]
        return q

    # --- the finished model

    def model(self, outputs=None):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, outputs or self.outputs, self.initializers)
        imports = [helper.make_opsetid("", self.opset)]
        if any(n.domain == "com.microsoft" for n in self.nodes):
            imports.append(helper.make_opsetid("com.microsoft", 1))
        return helper.make_model(graph, opset_imports=imports, ir_version=self.ir_version, producer_name="octet-cases")
