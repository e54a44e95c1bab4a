#!/usr/bin/python3
"""How many images a second PyTorch trains of the networks that deconv-train knows: what it is compared with.

    tools/time_pytorch.py [--arch vgg-small|zf] [--size N] [--classes N] [--batch N] [--threads N] [--steps N]

The same step on random pictures: forward, cross-entropy, backward, SGD with Nesterov's momentum and weight decay, in
float32, channels last.  Prints the median over the steps.  Needs Debian's python3-torch.
"""
import argparse
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

# Channels and, in parentheses, kernel and stride where they are not 3 and 1; "pool" is 2×2.
NETWORKS = {
    "vgg-small": [32, "pool", 64, 64, "pool", 128, 128, "pool", 256],
    "zf": [(48, 5, 2), "pool", 96, 96, "pool", 192, 192, "pool", 256, 256],
}


def make(arch, classes):
    layers, inputs = [], 3
    for layer in NETWORKS[arch]:
        if layer == "pool":
            layers.append(nn.MaxPool2d(2))
            continue
        outputs, kernel, stride = layer if isinstance(layer, tuple) else (layer, 3, 1)
        layers += [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs),
                   nn.ReLU(inplace=True)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=NETWORKS, default="vgg-small")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    net = make(arguments.arch, arguments.classes).to(arguments.device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    pixels = torch.randn(arguments.batch, 3, arguments.size, arguments.size, device=arguments.device)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, arguments.classes, (arguments.batch,), device=arguments.device)
    times = []
    for _ in range(arguments.steps + 3):
        begin = time.perf_counter()
        loss = F.cross_entropy(net(pixels), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device
        times.append(time.perf_counter() - begin)
    median = statistics.median(times[3:])
    print(f"{arguments.arch} at {arguments.size}x{arguments.size}, batch {arguments.batch}, {arguments.threads} threads: "
          f"{1000 * median:.1f} ms a step, {arguments.batch / median:.0f} images/s")


if __name__ == "__main__":
    main()
