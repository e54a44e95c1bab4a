#!/usr/bin/python3
"""Make the golden projections in tests/golden: what PyTorch finds, in double precision, on narrow networks.

    tools/make_golden.py [--out tests/golden]

Each network is an ONNX file with seeded weights (tools/make_networks.py, and one made here that gathers unusual
windows and activations).  Its forward pass is written out below by hand with torch.nn.functional, using nothing of
the file but the weights; the way back is PyTorch's automatic differentiation, with the projection's rules put in
place of the derivatives of rectifiers and of local response normalisation.  So the golden data depend on none of the
code that they test.

golden.json lists for each network its model, input (NAME-input.npy), the probabilities it predicts and its projections;
projection k of a network is image k of NAME-projections.npy.  Needs Debian's python3-torch, -onnx and -numpy.
"""
import argparse
import fractions
import json
import pathlib

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F

import make_networks

torch.set_default_dtype(torch.float64)


class Pointwise(torch.autograd.Function):
    """An activation f whose way back follows a rule; its derivative d is taken from f by differentiating it."""

    @staticmethod
    def forward(ctx, x, f, rule, rectifier):
        with torch.enable_grad():
            variable = x.detach().requires_grad_()
            y = f(variable)
            d, = torch.autograd.grad(y.sum(), variable)
        ctx.save_for_backward(d)
        ctx.rule, ctx.rectifier = rule, rectifier
        return y.detach()

    @staticmethod
    def backward(ctx, signal):
        d, = ctx.saved_tensors
        if ctx.rule == "gradient":
            back = d * signal
        elif ctx.rule == "guided":
            back = d * signal.clamp(min=0)
        else:
            back = signal.clamp(min=0) * (1 if ctx.rectifier else d.abs())
        return back, None, None, None


class PassedBy(torch.autograd.Function):
    """f on the way forward, the identity on the way back."""

    @staticmethod
    def forward(ctx, x, f):
        return f(x)

    @staticmethod
    def backward(ctx, signal):
        return signal, None


class Run:
    """One forward pass under one rule.  Keeps every tensor by its name in the ONNX file."""

    def __init__(self, weights, rule, lrn):
        self.weights, self.rule, self.lrn_rule = weights, rule, lrn
        self.tensors = {}

    def keep(self, name, tensor):
        self.tensors[name] = tensor
        return tensor

    def w(self, name):
        return self.weights.get(name)

    def activation(self, x, name, f, rectifier=False):
        return self.keep(name, Pointwise.apply(x, f, self.rule, rectifier))

    def relu(self, x, name):
        return self.activation(x, name, F.relu, rectifier=True)

    def conv(self, x, name, **options):
        return self.keep(name, F.conv2d(x, self.w(name + "_w"), self.w(name + "_b"), **options))

    def linear(self, x, name):
        return self.keep(name, F.linear(x, self.w(name + "_w"), self.w(name + "_b")))

    def max_pool(self, x, name, kernel, stride, **options):
        return self.keep(name, F.max_pool2d(x, kernel, stride, **options))

    def caffe_pool(self, x, name):
        """3x3, stride 2, rounding up."""
        return self.max_pool(x, name, 3, 2, ceil_mode=True)

    def lrn(self, x, name):
        def f(t):
            return F.local_response_norm(t, 5, alpha=1e-4, beta=0.75, k=1.0)

        derivative = self.rule == "gradient" or self.lrn_rule == "derivative"
        return self.keep(name, f(x) if derivative else PassedBy.apply(x, f))

    def norm(self, x, name):
        return self.keep(name, F.batch_norm(x, self.w(name + "_running_mean"), self.w(name + "_running_var"),
                                            self.w(name + "_gamma"), self.w(name + "_beta"), eps=1e-5))


def vgg16(run, x):
    index = 0
    for block, repeat in enumerate((2, 2, 3, 3, 3)):
        for _ in range(repeat):
            x = run.relu(run.conv(x, f"vgg0_conv{index}_fwd", padding=1), f"vgg0_relu{index}_fwd")
            index += 1
        x = run.max_pool(x, f"vgg0_pool{block}_fwd", 2, 2)
    x = x.flatten(1)
    for dense in range(2):
        x = run.relu(run.linear(x, f"vgg0_dense{dense}_pre_fwd"), f"vgg0_dense{dense}_relu_fwd")
    return run.linear(x, "vgg0_dense2_fwd")


def alexnet(run, x):
    x = run.relu(run.conv(x, "conv1_1", stride=4), "conv1_2")
    x = run.caffe_pool(run.lrn(x, "norm1_1"), "pool1_1")
    x = run.relu(run.conv(x, "conv2_1", padding=2, groups=2), "conv2_2")
    x = run.caffe_pool(run.lrn(x, "norm2_1"), "pool2_1")
    for index, groups in ((3, 1), (4, 2), (5, 2)):
        x = run.relu(run.conv(x, f"conv{index}_1", padding=1, groups=groups), f"conv{index}_2")
    x = run.caffe_pool(x, "pool5_1").flatten(1)
    for name in ("fc6", "fc7"):
        x = run.relu(run.linear(x, name + "_1"), name + "_2")
    return run.keep("prob_1", F.softmax(run.linear(x, "fc8_1"), 1))


def googlenet(run, x):
    def step(source, name, **options):
        return run.relu(run.conv(source, name + "_1", **options), name + "_2")

    x = step(x, "conv1/7x7_s2", stride=2, padding=3)
    x = run.lrn(run.caffe_pool(x, "pool1/3x3_s2_1"), "pool1/norm1_1")
    x = step(step(x, "conv2/3x3_reduce"), "conv2/3x3", padding=1)
    x = run.caffe_pool(run.lrn(x, "conv2/norm2_1"), "pool2/3x3_s2_1")
    for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        p = f"inception_{name}/"
        pooled = run.max_pool(x, p + "pool_1", 3, 1, padding=1)
        x = torch.cat([step(x, p + "1x1"),
                       step(step(x, p + "3x3_reduce"), p + "3x3", padding=1),
                       step(step(x, p + "5x5_reduce"), p + "5x5", padding=2),
                       step(pooled, p + "pool_proj")], 1)
        run.keep(p + "output_1", x)
        if name in ("3b", "4e"):
            x = run.caffe_pool(x, f"pool{name[0]}/3x3_s2_1")
    x = run.keep("pool5/7x7_s1_1", x.mean((2, 3), keepdim=True)).flatten(1)
    return run.keep("prob_1", F.softmax(run.linear(x, "loss3/classifier_1"), 1))


def resnet18(run, x):
    p = "resnetv15_"
    x = run.norm(run.conv(x, p + "conv0_fwd", stride=2, padding=3), p + "batchnorm0_fwd")
    x = run.max_pool(run.relu(x, p + "relu0_fwd"), p + "pool0_fwd", 3, 2, padding=1)
    for stage in range(1, 5):
        s = f"{p}stage{stage}_"
        index = 0
        for block in range(2):
            narrows = stage > 1 and block == 0

            def conv_norm(source, number, **options):
                return run.norm(run.conv(source, f"{s}conv{number}_fwd", **options), f"{s}batchnorm{number}_fwd")

            y = run.relu(conv_norm(x, index, stride=2 if narrows else 1, padding=1), f"{s}relu{block}_fwd")
            y = conv_norm(y, index + 1, padding=1)
            shortcut = conv_norm(x, index + 2, stride=2) if narrows else x
            index += 3 if narrows else 2
            x = run.relu(run.keep(f"{s}_plus{block}", shortcut + y), f"{s}activation{block}")
    x = run.keep(p + "pool1_fwd", x.mean((2, 3), keepdim=True)).flatten(1)
    return run.linear(x, p + "dense0_fwd")


def windows_model(size):
    """A small network of unusual windows: asymmetric strides and pads, overlapping padded pools, one that rounds up,
    dilation, groups, a transposed convolution, and the activations that are not Relu."""
    random = np.random.RandomState(5)
    initializers = []

    def constant(name, *shape, scale):
        initializers.append(numpy_helper.from_array((random.standard_normal(shape) * scale).astype(np.float32), name))

    constant("a_w", 6, 3, 3, 4, scale=0.25)
    constant("a_b", 6, scale=0.1)
    constant("d_w", 8, 3, 3, 3, scale=0.3)
    constant("d_b", 8, scale=0.1)
    constant("e_slope", 8, 1, 1, scale=0.3)
    constant("g_w", 8, 4, 3, 3, scale=0.3)
    constant("g_b", 4, scale=0.1)
    constant("k_w", 7, 12, 1, 1, scale=0.8)
    constant("k_b", 7, scale=0.1)
    constant("n_w", 10, 7, scale=0.8)
    constant("n_b", 10, scale=0.1)
    for name, bound in (("low", 0.0), ("high", 0.625)):
        initializers.append(numpy_helper.from_array(np.array(bound, np.float32), name))

    def node(op, inputs, output, **attributes):
        return helper.make_node(op, inputs, [output], name=output, **attributes)

    nodes = [
        node("Conv", ["image", "a_w", "a_b"], "a", kernel_shape=[3, 4], strides=[2, 1], pads=[1, 2, 0, 1]),
        node("LeakyRelu", ["a"], "b", alpha=0.125),
        node("MaxPool", ["b"], "c", kernel_shape=[3, 2], strides=[1, 2], pads=[1, 0, 1, 1]),
        node("Conv", ["c", "d_w", "d_b"], "d", kernel_shape=[3, 3], dilations=[1, 2], pads=[1, 2, 1, 2], group=2),
        node("PRelu", ["d", "e_slope"], "e"),
        node("MaxPool", ["e"], "f", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        node("ConvTranspose", ["f", "g_w", "g_b"], "g", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
             output_padding=[0, 1]),
        node("Sigmoid", ["g"], "h"),
        node("AveragePool", ["e"], "i", kernel_shape=[3, 3], strides=[1, 1], pads=[0, 1, 0, 1], count_include_pad=1),
        node("Concat", ["h", "i"], "concat", axis=1),
        node("Clip", ["concat", "low", "high"], "j"),
        node("Conv", ["j", "k_w", "k_b"], "k", kernel_shape=[1, 1]),
        node("HardSwish", ["k"], "l"),
        node("GlobalMaxPool", ["l"], "m"),
        node("Flatten", ["m"], "flat"),
        node("Gemm", ["flat", "n_w", "n_b"], "n", transB=1),
        node("Softmax", ["n"], "prob"),
    ]
    width, height = size
    graph = helper.make_graph(nodes, "windows",
                              [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, height, width])],
                              [helper.make_tensor_value_info("prob", TensorProto.FLOAT, [1, 10])], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)


def windows(run, x):
    x = F.conv2d(F.pad(x, (2, 1, 1, 0)), run.w("a_w"), run.w("a_b"), stride=(2, 1))
    x = run.activation(run.keep("a", x), "b", lambda t: F.leaky_relu(t, 0.125))
    x = run.max_pool(F.pad(x, (0, 1, 1, 1), value=-np.inf), "c", (3, 2), (1, 2))
    x = run.conv(x, "d", padding=(1, 2), dilation=(1, 2), groups=2)
    e = run.activation(x, "e", lambda t: F.prelu(t, run.w("e_slope").flatten()))
    x = run.max_pool(e, "f", 3, 2, ceil_mode=True)
    x = F.conv_transpose2d(x, run.w("g_w"), run.w("g_b"), stride=2, padding=1, output_padding=(0, 1))
    h = run.activation(run.keep("g", x), "h", torch.sigmoid)
    i = run.keep("i", F.avg_pool2d(e, 3, 1, (0, 1), count_include_pad=True))
    x = run.keep("concat", torch.cat([h, i], 1))
    x = run.activation(x, "j", lambda t: t.clamp(0, 0.625), rectifier=True)
    x = run.activation(run.conv(x, "k"), "l", F.hardswish)
    x = run.keep("m", F.max_pool2d(x, x.shape[2:])).flatten(1)
    return run.keep("prob", F.softmax(run.linear(x, "n"), 1))


def make_start(tensor, channel, projection, start):
    """The signal at a tensor (1, C, H, W) or (1, C), and the channel that was chosen (None for all)."""
    flat = tensor.detach().reshape(tensor.shape[1], -1)
    chosen = int(flat.max(1).values.argmax()) if channel == "strongest" else None if channel == "all" else channel
    width = tensor.shape[3] if tensor.dim() == 4 else 1
    signal = torch.zeros_like(flat)
    for c in range(flat.shape[0]) if chosen is None else [chosen]:
        if projection == "all":
            places = slice(None)
        elif projection == "max":
            places = int(np.argmax(flat[c].numpy()))  # the first of equals
        else:
            y, x = (int(v) for v in projection.split(","))
            places = y * width + x
        signal[c, places] = 1.0 if start == "one" else flat[c, places]
    return signal.reshape(tensor.shape), chosen


# name: (forward, the model's maker, (width, height), [(layer, channel, projection, start, rule, lrn)])
D, G, S = "deconv", "guided", "gradient"
NETWORKS = {
    "alexnet": (alexnet, "1/256", (39, 39), [
        ("conv5_2", "strongest", "all", "value", D, "identity"),
        ("conv3_2", "all", "max", "value", D, "derivative")]),
    "vgg16": (vgg16, "1/256", (33, 32), [
        ("vgg0_relu12_fwd", "strongest", "all", "value", D, "identity"),
        ("vgg0_pool1_fwd", "all", "2,3", "value", G, "identity")]),
    "googlenet": (googlenet, "1/256", (32, 31), [
        ("inception_4c/output_1", "strongest", "max", "value", D, "identity"),
        ("loss3/classifier_1", 7, "all", "one", S, "identity")]),
    "resnet18-v1": (resnet18, "1/128", (21, 17), [
        ("resnetv15_stage2_activation1", "strongest", "all", "value", D, "identity"),
        ("resnetv15_stage3__plus0", "all", "all", "value", G, "identity"),
        ("resnetv15_stage1_batchnorm2_fwd", 2, "max", "value", D, "identity"),
        ("resnetv15_dense0_fwd", "strongest", "all", "one", S, "identity")]),
    "windows": (windows, None, (19, 15), [
        ("c", "strongest", "all", "value", D, "identity"),
        ("e", 3, "4,7", "one", G, "identity"),
        ("f", "all", "max", "value", D, "identity"),
        ("g", "strongest", "max", "value", S, "identity"),
        ("i", "strongest", "all", "value", G, "identity"),
        ("concat", "all", "all", "value", D, "identity"),
        ("l", "all", "all", "value", D, "identity"),
        ("l", 2, "max", "one", G, "identity"),
        ("m", "strongest", "all", "value", S, "identity"),
        ("n", "strongest", "max", "one", S, "identity")]),
}


def save(path, array):
    np.save(path, np.ascontiguousarray(array, dtype="<f4"))


def golden(name, out):
    forward, width, size, choices = NETWORKS[name]
    if width is None:
        model = windows_model(size)
    else:
        model = make_networks.make(name, size, fractions.Fraction(width), seed=3, opset=12, least=3)
    onnx.checker.check_model(model)
    onnx.save(model, str(out / f"{name}.onnx"))
    weights = {t.name: torch.from_numpy(numpy_helper.to_array(t).astype(np.float64)) for t in model.graph.initializer
               if t.data_type == TensorProto.FLOAT}
    # Smooth blobs and some noise, as float32 numbers.
    random = np.random.RandomState(11)
    coarse = torch.from_numpy(random.standard_normal((1, 3, size[1] // 5 + 1, size[0] // 5 + 1)))
    image = F.interpolate(coarse, (size[1], size[0]), mode="bilinear", align_corners=False).numpy()
    image = (image * 1.5 + random.standard_normal(image.shape) * 0.3).astype(np.float32)
    save(out / f"{name}-input.npy", image)

    projections, listed = [], []
    for layer, channel, projection, start, rule, lrn in choices:
        run = Run(weights, rule, lrn)
        x = torch.from_numpy(image.astype(np.float64)).requires_grad_()
        output = forward(run, x)
        signal, chosen = make_start(run.tensors[layer], channel, projection, start)
        r0, = torch.autograd.grad(run.tensors[layer], x, signal)
        assert float(r0.abs().max()) > 0, (name, layer)
        projections.append(r0[0].numpy())
        listed.append({"layer": layer, "channel": channel, "projection": projection, "start": start, "rule": rule,
                       "lrn": lrn, "chosen_channel": chosen})
    save(out / f"{name}-projections.npy", np.stack(projections))
    return {"name": name, "model": f"{name}.onnx", "input": f"{name}-input.npy",
            "output": [float(f"{v:.9g}") for v in output.detach().flatten().tolist()],
            "projections_file": f"{name}-projections.npy", "projections": listed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
    parser.add_argument("--out", type=pathlib.Path, default=default)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    manifest = {"networks": [golden(name, out) for name in NETWORKS]}
    (out / "golden.json").write_text(json.dumps(manifest, indent=1) + "\n")
    print(f"{sum(p.stat().st_size for p in out.iterdir())} bytes in {out}")


if __name__ == "__main__":
    main()
