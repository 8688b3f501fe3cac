"""Writes the files beside it, with NumPy and Pillow as witnesses (io_test.cpp reads them)."""
from pathlib import Path

import numpy as np
from PIL import Image

here = Path(__file__).parent

np.save(here / "f4.npy", np.array([[0., -0., 1.5, 3.4028235e38], [np.inf, -np.inf, 1e-45, 2**-126]], np.float32))
np.save(here / "f8.npy", np.array([1 / 3, 1e300, -1e300, 0.1]))
np.save(here / "u1.npy", np.array([0, 1, 127, 128, 255], np.uint8))
np.save(here / "i1_scalar.npy", np.array(-128, np.int8))
np.save(here / "i4_fortran.npy", np.asfortranarray(np.arange(24, dtype=np.int32).reshape(2, 3, 4)))
np.save(here / "i8_empty.npy", np.zeros((3, 0, 2), np.int64))
with open(here / "v2_u1.npy", "wb") as out:
    np.lib.format.write_array(out, np.arange(6, dtype=np.uint8).reshape(2, 3), version=(2, 0))
np.savez(here / "stored.npz", **{"x": np.arange(6, dtype=np.float32).reshape(2, 3),
                                 "layer/two:0": np.array([-128, 127], np.int8)})
np.savez_compressed(here / "deflated.npz", x=np.zeros((64, 64), np.float32), y=np.arange(300, dtype=np.int64))

noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 13, 3), dtype=np.uint8))
noise.save(here / "noise_13x9.bmp")
noise.save(here / "noise_13x9.png")
for w, h in ((5, 4), (20, 30), (13, 4), (6, 9), (1, 1)):
    np.save(here / f"noise_{w}x{h}.npy", np.asarray(noise.resize((w, h), Image.BILINEAR)))
np.save(here / "noise_grey_13x9.npy", np.asarray(noise.convert("L")))
ramp = np.add.outer(np.arange(16) * 8, np.arange(16) * 7).astype(np.uint8)
Image.fromarray(np.stack([ramp] * 3, -1)).save(here / "ramp_16x16.jpg", quality=95)
