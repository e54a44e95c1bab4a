#!/usr/bin/python3
"""Train the bundled CIFAR-10 network with PyTorch and export it as ONNX.

    tools/train_cifar10.py --data DIR [--epochs N] [--out weights/cifar10.onnx]

DIR is either a folder-per-class tree (train/CLASS/*.jpg|png, test/CLASS/*) or the folder of the official
binaries (data_batch_1.bin … test_batch.bin, batches.meta.txt).

The network is VGG-like: pairs of 3x3 convolutions with batch normalisation and rectifier, a max pool after each
pair, then global average pooling, so that it runs at any input size.  Batch normalisation is folded into the
convolutions on export.  Beside NAME.onnx it writes the sidecar NAME.json and NAME-labels.txt.
Needs Debian's python3-torch, python3-onnx, python3-numpy and python3-pil; the program itself never does.
"""
import argparse
import json
import math
import pathlib
import time

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

WIDTHS = (32, 64, 128)


def read_tree(root):
    from PIL import Image

    classes = sorted(p.name for p in (root / "train").iterdir() if p.is_dir())
    splits = []
    for split in ("train", "test"):
        pixels, labels = [], []
        for index, name in enumerate(classes):
            for path in sorted((root / split / name).iterdir()):
                pixels.append(np.asarray(Image.open(path).convert("RGB")))
                labels.append(index)
        splits.append((np.stack(pixels).transpose(0, 3, 1, 2), np.array(labels)))
    return classes, splits


def read_binaries(root):
    classes = (root / "batches.meta.txt").read_text().split()
    splits = []
    for names in ([f"data_batch_{i}.bin" for i in range(1, 6)], ["test_batch.bin"]):
        records = np.concatenate([np.fromfile(root / n, np.uint8).reshape(-1, 3073) for n in names])
        splits.append((records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)))
    return classes, splits


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        previous = 3
        for width in WIDTHS:
            for _ in range(2):
                self.convs.append(nn.Conv2d(previous, width, 3, padding=1, bias=False))
                self.norms.append(nn.BatchNorm2d(width))
                previous = width
        self.fc = nn.Linear(previous, classes)

    def forward(self, x):
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = F.relu(norm(conv(x)))
            if i % 2 == 1:
                x = F.max_pool2d(x, 2)
        return self.fc(x.mean((2, 3)))


def augment(batch):
    """Random crop with 4 pixels of padding, and random horizontal flip; one draw an image."""
    n = batch.shape[0]
    padded = F.pad(batch, (4, 4, 4, 4))
    rows = torch.arange(32)[None, :] + torch.randint(0, 9, (n, 1))
    columns = torch.arange(32)[None, :] + torch.randint(0, 9, (n, 1))
    columns = torch.where(torch.rand(n, 1) < 0.5, columns.flip(1), columns)
    index = torch.arange(n)[:, None, None]
    return padded.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def evaluate(net, images, labels):
    net.eval()
    loss = correct = 0.0
    with torch.no_grad():
        for start in range(0, len(images), 500):
            scores = net(images[start:start + 500])
            target = labels[start:start + 500]
            loss += F.cross_entropy(scores, target, reduction="sum").item()
            correct += (scores.argmax(1) == target).sum().item()
    return loss / len(images), correct / len(images)


def export(net, path, classes, mean, std, result):
    nodes, weights = [], []

    def constant(name, tensor):
        weights.append(numpy_helper.from_array(tensor.detach().numpy().astype(np.float32), name))
        return name

    x, index = "data", 0
    for stage in range(len(WIDTHS)):
        for part in range(2):
            conv, norm = net.convs[index], net.norms[index]
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            name = f"conv{stage + 1}_{part + 1}"
            inputs = [x, constant(name + ".weight", conv.weight * scale[:, None, None, None]),
                      constant(name + ".bias", norm.bias - norm.running_mean * scale)]
            nodes.append(helper.make_node("Conv", inputs, [name], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
            x = f"relu{stage + 1}_{part + 1}"
            nodes.append(helper.make_node("Relu", [name], [x], x))
            index += 1
        nodes.append(helper.make_node("MaxPool", [x], [f"pool{stage + 1}"], f"pool{stage + 1}",
                                      kernel_shape=[2, 2], strides=[2, 2]))
        x = f"pool{stage + 1}"
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["average"], "average"))
    nodes.append(helper.make_node("Flatten", ["average"], ["flat"], "flat"))
    nodes.append(helper.make_node("Gemm", ["flat", constant("fc.weight", net.fc.weight),
                                           constant("fc.bias", net.fc.bias)], ["fc"], "fc", transB=1))
    graph = helper.make_graph(
        nodes, path.stem,
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [helper.make_tensor_value_info("fc", TensorProto.FLOAT, ["N", len(classes)])], weights)
    model = helper.make_model(graph, producer_name="deconv-live", opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    labels = path.with_name(path.stem + "-labels.txt")
    labels.write_text("\n".join(classes) + "\n")
    sidecar = {
        "name": path.stem,
        "origin": "trained from scratch on CIFAR-10 by tools/train_cifar10.py (PyTorch)",
        "result": result,
        "input": {"width": 32, "height": 32, "color": "rgb", "range": [0, 1],
                  "mean": [round(float(v), 5) for v in mean], "std": [round(float(v), 5) for v in std]},
        "labels": labels.name,
    }
    path.with_suffix(".json").write_text(json.dumps(sidecar, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("weights/cifar10.onnx"))
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)

    binaries = (arguments.data / "data_batch_1.bin").exists()
    classes, splits = (read_binaries if binaries else read_tree)(arguments.data)
    (train_x, train_y), (test_x, test_y) = [
        (torch.from_numpy(x.astype(np.float32) / 255), torch.from_numpy(y.astype(np.int64))) for x, y in splits]
    mean, std = train_x.mean((0, 2, 3)), train_x.std((0, 2, 3))
    normalise = lambda x: ((x - mean[:, None, None]) / std[:, None, None]).contiguous(memory_format=torch.channels_last)
    train_x, test_x = normalise(train_x), normalise(test_x)

    net = Net(len(classes)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=arguments.lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = arguments.epochs * (len(train_x) // arguments.batch)
    warmup = steps // 10
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(
        (s + 1) / warmup, 0.5 * (1 + math.cos(math.pi * max(0, s - warmup) / (steps - warmup)))))
    started = time.time()
    for epoch in range(arguments.epochs):
        net.train()
        order = torch.randperm(len(train_x))
        total = 0.0
        for start in range(0, len(order) - arguments.batch + 1, arguments.batch):
            picked = order[start:start + arguments.batch]
            loss = F.cross_entropy(net(augment(train_x[picked])), train_y[picked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * arguments.batch
        test_loss, accuracy = evaluate(net, test_x, test_y)
        print(f"epoch {epoch + 1}/{arguments.epochs}: train loss {total / len(order):.4f}, test loss {test_loss:.4f}, "
              f"test accuracy {accuracy:.4f}, {time.time() - started:.0f} s", flush=True)
        result = {"test_accuracy": round(accuracy, 4), "test_loss": round(test_loss, 4), "epochs": epoch + 1,
                  "seed": arguments.seed, "batch": arguments.batch, "lr": arguments.lr}
        export(net, arguments.out, classes, mean, std, result)


if __name__ == "__main__":
    main()
