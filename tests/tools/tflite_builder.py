"""Builds one small quantized TFLite model and inputs that reach its extremes; used by tflite_cases.py."""
import zlib

import numpy as np
from ai_edge_litert import schema_py_generated as schema
import flatbuffers

from quantizer import U8, integers, pick

TYPES = {np.dtype(np.float32): schema.TensorType.FLOAT32, np.dtype(np.int8): schema.TensorType.INT8,
         np.dtype(np.uint8): schema.TensorType.UINT8, np.dtype(np.int32): schema.TensorType.INT32,
         np.dtype(np.int64): schema.TensorType.INT64, np.dtype(bool): schema.TensorType.BOOL}
ACTIVATION = {"": schema.ActivationFunctionType.NONE, "relu": schema.ActivationFunctionType.RELU,
              "relu6": schema.ActivationFunctionType.RELU6, "relun1": schema.ActivationFunctionType.RELU_N1_TO_1}
PADDING = {"same": schema.Padding.SAME, "valid": schema.Padding.VALID}


def out_size(size, kernel, stride, dilation, padding):
    """Cells along one axis of a window operator."""
    taken = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == "same" else (size - taken) // stride + 1


class Case:
    """A model of one operator under construction. Methods add tensors and give their indices."""

    def __init__(self, name, dtype=U8, pow2=False):
        self.name, self.dtype, self.pow2 = name, dtype, pow2
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))  # adding a case leaves the others as they are
        self.arrays = {}  # input name -> what it is run with
        self.tensors, self.buffers, self.operators, self.codes = [], [schema.BufferT()], [], []
        self.inputs, self.outputs = [], []

    def pick(self, scale=None, zero=None):
        return pick(self.rng, self.dtype, self.pow2, scale, zero)

    def fitted(self, spread, activation=""):
        """For an output whose real values have this standard deviation: some 3 % of them saturate."""
        low, relu = np.iinfo(self.dtype).min, activation == "relu"
        zero = low if relu else low + 128 + int(self.rng.integers(-20, 20)) * 2 + 1
        return self.pick(max(float(spread), 1e-6) * (2.2 if relu else 4.4) / 255, zero)

    # --- tensors

    def tensor(self, shape, dtype, q=None, name=None, data=None, axis=0):
        t = schema.TensorT()
        t.name = name or f"t{len(self.tensors)}"
        t.shape = np.asarray(shape, np.int32)
        t.type = TYPES[np.dtype(dtype)]
        t.hasRank = True
        if q is not None:
            t.quantization = schema.QuantizationParametersT()
            t.quantization.scale = np.atleast_1d(np.asarray(q.scale, np.float32))
            t.quantization.zeroPoint = np.broadcast_to(np.asarray(q.zero, np.int64), t.quantization.scale.shape).copy()
            t.quantization.quantizedDimension = axis
        if data is None:
            t.buffer = 0
        else:
            t.buffer = len(self.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.buffers.append(buffer)
        self.tensors.append(t)
        return len(self.tensors) - 1

    def const(self, data, q=None, axis=0):
        data = np.asarray(data)
        return self.tensor(data.shape, data.dtype, q, data=data, axis=axis)

    def input(self, shape, q=None, data=None):
        """A graph input of the quantizer's type: given data, or random ones with both ends of the type."""
        name = f"x{len(self.inputs)}"
        if data is None:
            data = integers(self.rng, shape, q.dtype)
        self.arrays[name] = np.ascontiguousarray(data)
        self.inputs.append(self.tensor(data.shape, data.dtype, q, name))
        return self.inputs[-1]

    def output(self, shape, q=None, dtype=None):
        name = f"y{len(self.outputs)}"
        self.outputs.append(self.tensor(shape, dtype or q.dtype, q, name))
        return self.outputs[-1]

    # --- the operator

    def op(self, code, inputs, outputs, options=None, **fields):
        """`code` as in BuiltinOperator, `options` as in BuiltinOptions without its last word; -1 is an absent input."""
        kind = getattr(schema.BuiltinOperator, code)
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = kind, min(kind, 127), 1
        self.codes.append(entry)
        o = schema.OperatorT()
        o.opcodeIndex = len(self.codes) - 1
        o.inputs, o.outputs = np.asarray(inputs, np.int32), np.asarray(outputs, np.int32)
        if options:
            o.builtinOptionsType = getattr(schema.BuiltinOptions, options + "Options")
            o.builtinOptions = getattr(schema, options + "OptionsT")()
            for field, value in fields.items():
                if not hasattr(o.builtinOptions, field):
                    raise AttributeError(f"{options}Options has no field {field}")
                setattr(o.builtinOptions, field, value)
        self.operators.append(o)
        return self

    def model(self):
        """The file's bytes."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = np.asarray(self.inputs, np.int32), np.asarray(self.outputs, np.int32)
        graph.name = "main"
        m = schema.ModelT()
        m.version, m.description = 3, self.name
        m.operatorCodes, m.subgraphs, m.buffers = self.codes, [graph], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(m.Pack(builder), b"TFL3")
        return bytes(builder.Output())
