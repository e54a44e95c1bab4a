#!/usr/bin/python3
"""Make ONNX files of well-known networks with seeded weights, for when the real ones are not at hand.

    tools/make_networks.py NAME|all [--out DIR] [--width FRACTION] [--size N|WxH] [--seed N] [--opset N]

NAME is one of vgg16, alexnet, zfnet512, googlenet, squeezenet1.1, resnet18-v1.  Nodes, operators and opsets are those
of the files in the ONNX Model Zoo (vgg16-7, bvlcalexnet-12, zfnet512-12, googlenet-12, squeezenet1.1-7,
resnet18-v1-7), except that AlexNet's input is Caffe's own 227 and that ZFNet follows the paper's variant of 512, 1024
and 512 feature maps; pools that round up in Caffe have the pads at their end that make it so.  Weights are drawn from
numpy's RandomState, scaled so that activations neither vanish nor explode (He et al., arXiv 1502.01852), so the same
arguments give the same file.  --width scales the number of channels (at least 4) and of classes (at least 10).

Writes DIR/NAME.onnx (with --width, DIR/NAME-WIDTH.onnx).  Needs Debian's python3-numpy and python3-onnx.
"""
import argparse
import fractions
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """A graph under construction.  Every method adds a node and gives the name of its output; self.shapes knows
    (C, H, W) or (C,) of every tensor made so far."""

    def __init__(self, name, size, opset, seed, width, least, batch):
        self.name, self.opset, self.batch = name, opset, batch
        self.width, self.least = width, least
        self.random = np.random.RandomState(seed)
        self.nodes, self.initializers, self.shapes = [], [], {}
        self.size = size

    def input(self, name):
        self.input_name = name
        self.shapes[name] = (3, self.size[1], self.size[0])
        return name

    def channels(self, count, group=1, least=None):
        if self.width == 1:
            return count
        scaled = max(least or self.least, int(round(count * float(self.width))))
        return -(-scaled // group) * group

    def weights(self, name, values):
        array = np.asarray(values)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape, scale, mean=0.0):
        return (self.random.standard_normal(shape) * scale + mean).astype(np.float32)

    def node(self, op, inputs, output, outputs=1, **attributes):
        names = [output] + [f"_{output}_{i}" for i in range(1, outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=output, **attributes))
        return output

    def same(self, op, x, output, **attributes):
        self.shapes[output] = self.shapes[x]
        return self.node(op, [x], output, **attributes)

    def conv(self, x, output, count, kernel, stride=1, pad=0, group=1, bias=True):
        channels, height, width = self.shapes[x]
        assert channels % group == 0 and count % group == 0, output
        fan_in = channels // group * kernel * kernel
        inputs = [x, self.weights(output + "_w", self.normal(count, channels // group, kernel, kernel,
                                                             scale=np.sqrt(2 / fan_in)))]
        if bias:
            inputs.append(self.weights(output + "_b", self.normal(count, scale=0.05)))
        self.shapes[output] = (count, *((n + 2 * pad - kernel) // stride + 1 for n in (height, width)))
        if min(self.shapes[output]) < 1:
            raise SystemExit(f"{self.name}: an input of {self.size[0]}x{self.size[1]} leaves nothing for {output}")
        return self.node("Conv", inputs, output, kernel_shape=[kernel, kernel], strides=[stride, stride],
                         pads=[pad] * 4, dilations=[1, 1], group=group)

    def pool(self, op, x, output, kernel, stride, pad=0, round_up=False):
        """kernel is a number or (height, width).  Where rounding up gives one window more, the end is padded."""
        channels, *sizes = self.shapes[x]
        kernels = (kernel, kernel) if isinstance(kernel, int) else kernel
        ends, result = [], []
        for n, k in zip(sizes, kernels):
            room = n + 2 * pad - k
            windows = (-(-room // stride) if round_up else room // stride) + 1
            result.append(windows)
            ends.append(max(pad, (windows - 1) * stride + k - n - pad) if round_up else pad)
        if min(result) < 1:
            raise SystemExit(f"{self.name}: an input of {self.size[0]}x{self.size[1]} leaves nothing for {output}")
        self.shapes[output] = (channels, *result)
        return self.node(op, [x], output, kernel_shape=list(kernels), strides=[stride, stride], pads=[pad, pad] + ends)

    def global_average(self, x, output):
        self.shapes[output] = (self.shapes[x][0], 1, 1)
        return self.node("GlobalAveragePool", [x], output)

    def relu(self, x, output):
        return self.same("Relu", x, output)

    def lrn(self, x, output):
        return self.same("LRN", x, output, size=5, alpha=1e-4, beta=0.75, bias=1.0)

    def dropout(self, x, output, ratio=0.5):
        self.shapes[output] = self.shapes[x]
        if self.opset < 12:
            return self.node("Dropout", [x], output, outputs=2, ratio=ratio)
        return self.node("Dropout", [x, self.weights(output + "_ratio", np.float32(ratio))], output, outputs=2)

    def batch_norm(self, x, output, gamma=1.0):
        count = self.shapes[x][0]
        inputs = [x,
                  self.weights(output + "_gamma", self.random.uniform(0.8 * gamma, 1.2 * gamma, count)),
                  self.weights(output + "_beta", self.normal(count, scale=0.1)),
                  self.weights(output + "_running_mean", self.normal(count, scale=0.1)),
                  self.weights(output + "_running_var", self.random.uniform(0.7, 1.4, count))]
        self.shapes[output] = self.shapes[x]
        return self.node("BatchNormalization", inputs, output, epsilon=1e-5, momentum=0.9,
                         **({"spatial": 1} if self.opset < 9 else {}))

    def flat(self, x, output, op="Flatten"):
        count = int(np.prod(self.shapes[x]))
        self.shapes[output] = (count,)
        if op == "Flatten":
            return self.node("Flatten", [x], output)
        return self.node("Reshape", [x, self.weights(output + "_shape", np.array([self.batch, count]))], output)

    def gemm(self, x, output, count, last=False):
        fan_in, = self.shapes[x]
        inputs = [x,
                  self.weights(output + "_w", self.normal(count, fan_in, scale=np.sqrt((1 if last else 2) / fan_in))),
                  self.weights(output + "_b", self.normal(count, scale=0.05))]
        self.shapes[output] = (count,)
        return self.node("Gemm", inputs, output, transB=1, alpha=1.0, beta=1.0)

    def concat(self, xs, output):
        channels = sum(self.shapes[x][0] for x in xs)
        self.shapes[output] = (channels, *self.shapes[xs[0]][1:])
        return self.node("Concat", xs, output, axis=1)

    def add(self, a, b, output):
        assert self.shapes[a] == self.shapes[b], output
        self.shapes[output] = self.shapes[a]
        return self.node("Add", [a, b], output)

    def model(self, output):
        def value(name, batch):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *self.shapes[name]])

        inputs = [value(self.input_name, self.batch)]
        old = self.opset < 9
        if old:  # IR version 3 lists the initializers among the inputs
            inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in self.initializers]
        graph = helper.make_graph(self.nodes, self.name, inputs, [value(output, self.batch)], self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                 ir_version=3 if old else 7, producer_name="deconv-live make_networks")


def classes(b):
    return b.channels(1000, least=10)


def vgg16(b):
    x, index = b.input("data"), 0
    for block, (count, repeat) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]):
        for _ in range(repeat):
            x = b.conv(x, f"vgg0_conv{index}_fwd", b.channels(count), 3, pad=1)
            x = b.relu(x, f"vgg0_relu{index}_fwd")
            index += 1
        x = b.pool("MaxPool", x, f"vgg0_pool{block}_fwd", 2, 2)
    for dense in range(2):
        x = b.flat(x, f"flatten_{dense}") if dense == 0 else b.same("Flatten", x, f"flatten_{dense}")
        x = b.gemm(x, f"vgg0_dense{dense}_pre_fwd", b.channels(4096))
        x = b.relu(x, f"vgg0_dense{dense}_relu_fwd")
        x = b.dropout(x, f"vgg0_dropout{dense}_fwd")
    x = b.same("Flatten", x, "flatten_2")
    return b.gemm(x, "vgg0_dense2_fwd", classes(b), last=True)


def fully_connected_head(b, x):
    """fc6, fc7, fc8 and the Softmax of the networks that came from Caffe."""
    x = b.flat(x, "pool5_flat", op="Reshape")
    for name in ("fc6", "fc7"):
        x = b.gemm(x, name + "_1", b.channels(4096))
        x = b.relu(x, name + "_2")
        x = b.dropout(x, name + "_3")
    x = b.gemm(x, "fc8_1", classes(b), last=True)
    return b.same("Softmax", x, "prob_1", axis=1)


def alexnet(b):
    x = b.input("data_0")
    x = b.conv(x, "conv1_1", b.channels(96, 2), 11, stride=4)
    x = b.lrn(b.relu(x, "conv1_2"), "norm1_1")
    x = b.pool("MaxPool", x, "pool1_1", 3, 2, round_up=True)
    x = b.conv(x, "conv2_1", b.channels(256, 2), 5, pad=2, group=2)
    x = b.lrn(b.relu(x, "conv2_2"), "norm2_1")
    x = b.pool("MaxPool", x, "pool2_1", 3, 2, round_up=True)
    for index, count, group in ((3, 384, 1), (4, 384, 2), (5, 256, 2)):
        x = b.conv(x, f"conv{index}_1", b.channels(count, 2), 3, pad=1, group=group)
        x = b.relu(x, f"conv{index}_2")
    x = b.pool("MaxPool", x, "pool5_1", 3, 2, round_up=True)
    return fully_connected_head(b, x)


def zfnet512(b):
    x = b.input("gpu_0/data_0")
    x = b.conv(x, "gpu_0/conv1_1", b.channels(96), 7, stride=2, pad=1)
    x = b.lrn(b.relu(x, "gpu_0/conv1_2"), "gpu_0/norm1_1")
    x = b.pool("MaxPool", x, "gpu_0/pool1_1", 3, 2, round_up=True)
    x = b.conv(x, "gpu_0/conv2_1", b.channels(256), 5, stride=2)
    x = b.lrn(b.relu(x, "gpu_0/conv2_2"), "gpu_0/norm2_1")
    x = b.pool("MaxPool", x, "gpu_0/pool2_1", 3, 2, round_up=True)
    for index, count in ((3, 512), (4, 1024), (5, 512)):
        x = b.conv(x, f"gpu_0/conv{index}_1", b.channels(count), 3, pad=1)
        x = b.relu(x, f"gpu_0/conv{index}_2")
    x = b.pool("MaxPool", x, "gpu_0/pool5_1", 3, 2, round_up=True)
    return fully_connected_head(b, x)


# 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection (Szegedy et al., arXiv 1409.4842, table 1)
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64), "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}


def inception(b, x, name):
    prefix = f"inception_{name}/"
    one, reduce3, three, reduce5, five, projection = (b.channels(c) for c in INCEPTIONS[name])

    def conv(source, part, count, kernel):
        return b.relu(b.conv(source, f"{prefix}{part}_1", count, kernel, pad=kernel // 2), f"{prefix}{part}_2")

    pooled = b.pool("MaxPool", x, prefix + "pool_1", 3, 1, pad=1)
    return b.concat([conv(x, "1x1", one, 1),
                     conv(conv(x, "3x3_reduce", reduce3, 1), "3x3", three, 3),
                     conv(conv(x, "5x5_reduce", reduce5, 1), "5x5", five, 5),
                     conv(pooled, "pool_proj", projection, 1)], prefix + "output_1")


def googlenet(b):
    x = b.input("data_0")
    x = b.relu(b.conv(x, "conv1/7x7_s2_1", b.channels(64), 7, stride=2, pad=3), "conv1/7x7_s2_2")
    x = b.pool("MaxPool", x, "pool1/3x3_s2_1", 3, 2, round_up=True)
    x = b.lrn(x, "pool1/norm1_1")
    x = b.relu(b.conv(x, "conv2/3x3_reduce_1", b.channels(64), 1), "conv2/3x3_reduce_2")
    x = b.relu(b.conv(x, "conv2/3x3_1", b.channels(192), 3, pad=1), "conv2/3x3_2")
    x = b.lrn(x, "conv2/norm2_1")
    x = b.pool("MaxPool", x, "pool2/3x3_s2_1", 3, 2, round_up=True)
    for name in INCEPTIONS:
        x = inception(b, x, name)
        if name in ("3b", "4e"):
            x = b.pool("MaxPool", x, f"pool{name[0]}/3x3_s2_1", 3, 2, round_up=True)
    x = b.pool("AveragePool", x, "pool5/7x7_s1_1", b.shapes[x][1:], 1)
    x = b.dropout(x, "pool5/7x7_s1_2", 0.4)
    x = b.flat(x, "pool5/7x7_s1_3", op="Reshape")
    x = b.gemm(x, "loss3/classifier_1", classes(b), last=True)
    return b.same("Softmax", x, "prob_1", axis=1)


def squeezenet(b):
    index = 0

    def conv(x, count, kernel, stride=1, pad=0):
        nonlocal index
        x = b.conv(x, f"squeezenet0_conv{index}_fwd", b.channels(count), kernel, stride, pad)
        x = b.relu(x, f"squeezenet0_relu{index}_fwd")
        index += 1
        return x

    def fire(x, squeeze, expand, name):
        x = conv(x, squeeze, 1)
        return b.concat([conv(x, expand, 1), conv(x, expand, 3, pad=1)], f"squeezenet0_concat{name}")

    x = conv(b.input("data"), 64, 3, stride=2)
    x = b.pool("MaxPool", x, "squeezenet0_pool0_fwd", 3, 2)
    x = fire(fire(x, 16, 64, 0), 16, 64, 1)
    x = b.pool("MaxPool", x, "squeezenet0_pool1_fwd", 3, 2)
    x = fire(fire(x, 32, 128, 2), 32, 128, 3)
    x = b.pool("MaxPool", x, "squeezenet0_pool2_fwd", 3, 2)
    x = fire(fire(fire(fire(x, 48, 192, 4), 48, 192, 5), 64, 256, 6), 64, 256, 7)
    x = b.dropout(x, "squeezenet0_dropout0_fwd")
    x = b.conv(x, f"squeezenet0_conv{index}_fwd", classes(b), 1)
    x = b.relu(x, f"squeezenet0_relu{index}_fwd")
    x = b.pool("AveragePool", x, "squeezenet0_pool3_fwd", b.shapes[x][1:], 1)
    return b.flat(x, "squeezenet0_flatten0_reshape0", op="Reshape")


def resnet18(b):
    p = "resnetv15_"
    x = b.input("data")
    x = b.conv(x, p + "conv0_fwd", b.channels(64), 7, stride=2, pad=3, bias=False)
    x = b.relu(b.batch_norm(x, p + "batchnorm0_fwd"), p + "relu0_fwd")
    x = b.pool("MaxPool", x, p + "pool0_fwd", 3, 2, pad=1)
    for stage, count in enumerate((64, 128, 256, 512), start=1):
        s, count, index, relu = f"{p}stage{stage}_", b.channels(count), 0, 0
        for block in range(2):
            stride = 2 if stage > 1 and block == 0 else 1

            def conv_norm(source, kernel, step, gamma=1.0):
                nonlocal index
                y = b.conv(source, f"{s}conv{index}_fwd", count, kernel, step, kernel // 2, bias=False)
                y = b.batch_norm(y, f"{s}batchnorm{index}_fwd", gamma)
                index += 1
                return y

            y = b.relu(conv_norm(x, 3, stride), f"{s}relu{relu}_fwd")
            y = conv_norm(y, 3, 1, gamma=0.5)  # a residual smaller than what it is added to
            shortcut = conv_norm(x, 1, stride, gamma=0.7) if stage > 1 and block == 0 else x
            x = b.relu(b.add(shortcut, y, f"{s}_plus{block}"), f"{s}activation{block}")
            relu += 1
    x = b.global_average(x, p + "pool1_fwd")
    x = b.flat(x, "flatten_170")
    return b.gemm(x, p + "dense0_fwd", classes(b), last=True)


# builder, opset, input size, batch
NETWORKS = {
    "vgg16": (vgg16, 7, 224, "N"),
    "alexnet": (alexnet, 12, 227, 1),
    "zfnet512": (zfnet512, 12, 224, 1),
    "googlenet": (googlenet, 12, 224, 1),
    "squeezenet1.1": (squeezenet, 7, 224, 1),
    "resnet18-v1": (resnet18, 7, 224, "N"),
}


def make(name, size=None, width=fractions.Fraction(1), seed=1, opset=None, least=4):
    """The ModelProto; size is (width, height), least the fewest channels that a narrow width leaves."""
    build, default_opset, default_size, batch = NETWORKS[name]
    builder = Builder(name, size or (default_size, default_size), opset or default_opset, seed, width, least,
                      batch)
    return builder.model(build(builder))


def parse_size(text):
    try:
        sides = [int(side) for side in text.split("x")]
        if len(sides) in (1, 2) and min(sides) > 0:
            return sides[0], sides[-1]
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text} is not N or WxH")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[*NETWORKS, "all"])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--width", type=fractions.Fraction, default=fractions.Fraction(1), help="e.g. 1/8 or 0.125")
    parser.add_argument("--size", type=parse_size, help="of the input, N or WxH")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--opset", type=int, choices=range(7, 18), metavar="7-17")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in NETWORKS if options.name == "all" else [options.name]:
        model = make(name, options.size, options.width, options.seed, options.opset)
        suffix = "" if options.width == 1 else f"-{float(options.width):g}"
        path = options.out / f"{name}{suffix}.onnx"
        onnx.save(model, str(path))
        onnx.checker.check_model(str(path))  # by its path: a check in memory copies the weights
        print(f"{path}: {path.stat().st_size} bytes, opset {model.opset_import[0].version}")


if __name__ == "__main__":
    main()
