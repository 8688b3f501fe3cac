"""Trains, quantizes and exports the demo network: handwritten digits, 16x16, ten classes.

    python demo/train_digits.py [OUT_DIR]

Needs torch, scikit-learn, onnx and onnxruntime (`scripts/setup --networks` makes such a venv). Writes beside itself:

    digits.f32.onnx       the float network, batch-norm folded, symbolic batch N
    digits.int8.onnx      the same as QDQ: u8 activations, s8 weights per output channel
    digits_heldout.npz    images, labels, and what ONNX Runtime answers for them (expected, expected_f32)

The three files are committed, so that neither the demo nor the tests need torch. Small as it is, the network has
every kind of layer that makes int8 kernels interesting: a residual add, a concat, a depthwise convolution, strides,
both kinds of pooling, relu next to relu6, and a linear layer.
"""
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SEED = 20
HELD_OUT = 360
EPOCHS = 40


def conv(ic, oc, k, stride=1, groups=1, act=nn.ReLU):
    layers = [nn.Conv2d(ic, oc, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(oc)]
    return nn.Sequential(*layers, act()) if act else nn.Sequential(*layers)


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv(1, 16, 3)
        self.pool = nn.MaxPool2d(2)  # 16x16 -> 8x8
        self.body = nn.Sequential(conv(16, 16, 3), conv(16, 16, 3, act=None))
        self.narrow = conv(16, 24, 1)
        self.wide = conv(16, 24, 3)
        self.depthwise = conv(48, 48, 3, stride=2, groups=48, act=nn.ReLU6)  # 8x8 -> 4x4
        self.pointwise = conv(48, 64, 1, act=nn.ReLU6)
        self.last = conv(64, 64, 3)
        self.classes = nn.Linear(64, 10)

    def forward(self, images):
        x = self.pool(self.stem(images))
        x = torch.relu(x + self.body(x))
        x = torch.cat([self.narrow(x), self.wide(x)], 1)
        x = self.last(self.pointwise(self.depthwise(x)))
        return self.classes(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


def load():
    """Images as [N,1,16,16] float32 with pixels k/16 (exact in any float format), and the fixed split."""
    digits = load_digits()
    images = np.repeat(np.repeat(digits.images, 2, axis=1), 2, axis=2)[:, None].astype(np.float32) / 16
    labels = digits.target.astype(np.int64)
    return train_test_split(images, labels, test_size=HELD_OUT, random_state=SEED, stratify=labels)


def train(images, labels):
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # one order of summation, so that a second run gives the same network
    model = DigitNet()
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    batch = 64
    steps = EPOCHS * (len(x) // batch)
    opt = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-2)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, 4e-3, steps)
    for epoch in range(EPOCHS):
        total = 0.0
        for picks in torch.randperm(len(x)).split(batch)[:len(x) // batch]:
            # A shift by up to two pixels: the only augmentation that tiny digits need.
            dy, dx = torch.randint(-2, 3, (2,)).tolist()
            shifted = torch.roll(nn.functional.pad(x[picks], (2, 2, 2, 2)), (dy, dx), (2, 3))[..., 2:-2, 2:-2]
            loss = nn.functional.cross_entropy(model(shifted), y[picks], label_smoothing=0.05)
            opt.zero_grad()
            loss.backward()
            opt.step()
            rate.step()
            total += loss.item()
        print(f"\repoch {epoch + 1:2}/{EPOCHS}  loss {total / (len(x) // batch):.4f}", end="", flush=True)
    print()
    return model.eval()


class Calibration(CalibrationDataReader):
    def __init__(self, images):
        self.batches = iter([{"images": b} for b in np.split(images, len(images) // 32)])

    def get_next(self):
        return next(self.batches, None)


def quantize(f32, int8, images):
    with tempfile.TemporaryDirectory() as tmp:
        prepared = str(Path(tmp) / "prepared.onnx")
        quant_pre_process(str(f32), prepared, skip_symbolic_shape=True)
        quantize_static(prepared, str(int8), Calibration(images), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True})


def answers(model, images):
    """ONNX Runtime's logits, one image at a time as the demo runs them."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"images": image[None]})[0] for image in images])


def main():
    out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    train_x, held_x, train_y, held_y = load()
    model = train(train_x, train_y)

    f32, int8 = out / "digits.f32.onnx", out / "digits.int8.onnx"
    torch.onnx.export(model, torch.from_numpy(held_x[:1]), f32, opset_version=17, dynamo=False,
                      input_names=["images"], output_names=["logits"],
                      dynamic_axes={"images": {0: "N"}, "logits": {0: "N"}})
    quantize(f32, int8, train_x[:512])

    expected, expected_f32 = answers(int8, held_x), answers(f32, held_x)
    np.savez_compressed(out / "digits_heldout.npz", images=held_x, labels=held_y, expected=expected,
                        expected_f32=expected_f32)
    acc8, acc32 = (100 * np.mean(e.argmax(1) == held_y) for e in (expected, expected_f32))
    for f in (f32, int8, out / "digits_heldout.npz"):
        print(f"{f.name:20} {f.stat().st_size / 1024:6.1f} KiB")
    print(f"held-out accuracy: float {acc32:.2f} %, int8 {acc8:.2f} %")
    if acc8 < 97 or abs(acc8 - acc32) > 0.5:
        sys.exit("int8 must reach 97 % and stay within half a point of float")


if __name__ == "__main__":
    main()
