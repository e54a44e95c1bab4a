#!/usr/bin/python3
"""Make the golden training in tests/golden: what PyTorch's loss is at each of fifty steps, in double precision.

    tools/make_training_golden.py [--out tests/golden]

training.onnx holds a network with batch normalisation, in its inference form, with seeded weights; training.json the
settings and the loss before each step.  Pictures and labels come from a linear congruential generator that the test
repeats (see batch()).  Weights decay, biases and what batch normalisation learns do not; momentum is Nesterov's.
Needs Debian's python3-torch, -onnx and -numpy.
"""
import argparse
import json
import pathlib

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F

BATCH, SIZE, CLASSES, STEPS = 12, 14, 5, 50
RATE, MOMENTUM, DECAY = 0.05, 0.9, 0.002
CHANNELS = (3, 10, 16, 20)


def generator(state):
    while True:
        state = (state * 1664525 + 1013904223) % 2**32
        yield state


def batch(step):
    """Pictures in −1 … 1 in the order of memory, then labels; brighter by class, so that there is something to learn."""
    numbers = generator(step + 1)
    pixels = np.array([(next(numbers) >> 8) / 2**23 - 1 for _ in range(BATCH * 3 * SIZE * SIZE)], np.float32)
    labels = np.array([(next(numbers) >> 8) % CLASSES for _ in range(BATCH)])
    pixels = pixels.reshape(BATCH, 3, SIZE, SIZE)
    pixels = pixels + np.float32(0.25) * labels.astype(np.float32)[:, None, None, None]
    return torch.from_numpy(pixels.astype(np.float64)), torch.from_numpy(labels)


def make_network():
    random = np.random.default_rng(20140906)
    nodes, weights = [], {}
    x = "data"
    for i in range(len(CHANNELS) - 1):
        inputs, outputs = CHANNELS[i], CHANNELS[i + 1]
        name = f"conv{i + 1}"
        weights[name + ".weight"] = random.normal(0, (2 / (inputs * 9)) ** 0.5, (outputs, inputs, 3, 3))
        stride = 2 if i == 1 else 1
        nodes.append(helper.make_node("Conv", [x, name + ".weight"], [name], name, kernel_shape=[3, 3],
                                      pads=[1, 1, 1, 1], strides=[stride, stride]))
        norm = f"norm{i + 1}"
        weights[norm + ".scale"] = random.uniform(0.5, 1.5, outputs)
        weights[norm + ".bias"] = random.normal(0, 0.2, outputs)
        weights[norm + ".mean"] = np.zeros(outputs)
        weights[norm + ".variance"] = np.ones(outputs)
        nodes.append(helper.make_node(
            "BatchNormalization", [name] + [f"{norm}.{part}" for part in ("scale", "bias", "mean", "variance")],
            [norm], norm))
        nodes.append(helper.make_node("Relu", [norm], [f"relu{i + 1}"], f"relu{i + 1}"))
        x = f"relu{i + 1}"
        if i == 0:
            nodes.append(helper.make_node("MaxPool", [x], ["pool1"], "pool1", kernel_shape=[3, 3], strides=[2, 2]))
            x = "pool1"
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["average"], "average"))
    nodes.append(helper.make_node("Flatten", ["average"], ["flat"], "flat"))
    weights["fc.weight"] = random.normal(0, CHANNELS[-1] ** -0.5, (CLASSES, CHANNELS[-1]))
    weights["fc.bias"] = random.normal(0, 0.1, CLASSES)
    nodes.append(helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["fc"], "fc", transB=1))
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    graph = helper.make_graph(
        nodes, "training", [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [helper.make_tensor_value_info("fc", TensorProto.FLOAT, ["N", CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()])
    model = helper.make_model(graph, producer_name="deconv-live", opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    return model, weights


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tests/golden"))
    arguments = parser.parse_args()
    model, weights = make_network()
    onnx.save(model, str(arguments.out / "training.onnx"))

    values = {name: torch.tensor(value.astype(np.float64)) for name, value in weights.items()}
    learned = {name: value.requires_grad_() for name, value in values.items()
               if not name.endswith((".mean", ".variance"))}
    decayed = [value for value in learned.values() if value.dim() >= 2]
    others = [value for value in learned.values() if value.dim() < 2]
    optimizer = torch.optim.SGD([{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0}],
                                lr=RATE, momentum=MOMENTUM, nesterov=True)

    def forward(x):
        for i in range(1, len(CHANNELS)):
            x = F.conv2d(x, values[f"conv{i}.weight"], padding=1, stride=2 if i == 2 else 1)
            x = F.batch_norm(x, values[f"norm{i}.mean"], values[f"norm{i}.variance"], values[f"norm{i}.scale"],
                             values[f"norm{i}.bias"], training=True, momentum=0.1, eps=1e-5)
            x = F.relu(x)
            if i == 1:
                x = F.max_pool2d(x, 3, 2)
        return F.linear(x.mean((2, 3)), values["fc.weight"], values["fc.bias"])

    losses = []
    for step in range(STEPS):
        pixels, labels = batch(step)
        loss = F.cross_entropy(forward(pixels), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    running = {name: value.tolist() for name, value in values.items() if name.endswith((".mean", ".variance"))}
    golden = {"batch": BATCH, "size": SIZE, "classes": CLASSES, "learning_rate": RATE, "momentum": MOMENTUM,
              "decay": DECAY, "losses": losses, "running": running}
    (arguments.out / "training.json").write_text(json.dumps(golden, indent=1) + "\n")
    print(f"loss {losses[0]:.4f} … {losses[-1]:.4f}")


if __name__ == "__main__":
    main()
