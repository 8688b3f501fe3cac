"""Quantizers and random quantized data of the small models that tests compare with other runtimes."""
from dataclasses import dataclass

import numpy as np

U8, S8 = np.uint8, np.int8


@dataclass(frozen=True)
class Q:
    """How a tensor is quantized: real = scale * (q - zero). Weights may have vectors here."""
    scale: object
    zero: object
    dtype: type = U8

    @property
    def low(self):
        return np.iinfo(self.dtype).min

    @property
    def high(self):
        return np.iinfo(self.dtype).max

    def with_relu_range(self):
        """As quantizers choose it behind a relu: the type's minimum means 0."""
        return Q(self.scale, self.low, self.dtype)


def power_of_two(scale):
    return float(2.0 ** np.round(np.log2(scale)))


def pick(rng, dtype, pow2=False, scale=None, zero=None):
    """A quantizer with an odd zero point away from the middle; `pow2` takes the nearest power of two as its scale."""
    scale = float(rng.uniform(0.01, 0.05)) if scale is None else float(scale)
    if pow2:
        scale = power_of_two(scale)
    if zero is None:
        zero = int(rng.integers(40, 100)) * 2 + 1 + np.iinfo(dtype).min
    return Q(scale, zero, dtype)


def integers(rng, shape, dtype):
    """Over the whole range of the type, and both its ends first and last."""
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max + 1, shape).astype(dtype)
    flat = values.reshape(-1)
    flat[:2] = [info.min, info.max][:flat.size]
    if flat.size > 8:
        flat[-2:] = [info.min, info.max]
    return values
