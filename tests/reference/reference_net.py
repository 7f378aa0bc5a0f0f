"""The child networks of worker/nn/models.def in PyTorch, for train_pytorch.py and golden_pytorch.py.

PyTorch is no dependency of the project: these scripts are run by hand (Debian: apt-get install python3-torch).
"""
import math
import re
import sys

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as missing:
    sys.exit(f"{missing}: this script needs PyTorch and NumPy (Debian: apt-get install python3-torch python3-numpy)\n"
             f"for the interpreter {sys.executable}")

FUNCTIONS = {
    "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "exp": torch.exp, "sin": torch.sin, "cos": torch.cos,
    "atan": torch.atan, "sinh": torch.sinh, "cosh": torch.cosh, "asinh": torch.asinh, "erf": torch.erf, "abs": torch.abs,
    "log": torch.log, "sqrt": torch.sqrt, "softplus": F.softplus,
    "sinc": lambda x: torch.sinc(x / torch.pi),
    "max": lambda a, b: torch.maximum(torch.as_tensor(a), torch.as_tensor(b)),
    "min": lambda a, b: torch.minimum(torch.as_tensor(a), torch.as_tensor(b)),
}


class Activation(torch.nn.Module):
    """An activation string (docs/expressions.md), with a trainable number per channel for each b."""

    def __init__(self, text, channels):
        super().__init__()
        formula, *initial = text.split(";")
        code = re.sub(r"\bb\b", "b0", formula).replace("^", "**").strip()
        count = 1 + max([int(n) for n in re.findall(r"\bb(\d+)\b", code)], default=-1)
        start = [1.0] * count
        for part in initial:
            name, value = part.split("=")
            start[int(name.strip()[1:] or 0)] = float(value)
        self.code = compile(code, text, "eval")
        self.betas = torch.nn.ParameterList(
            [torch.nn.Parameter(torch.full((channels,), value)) for value in start])

    def forward(self, x):
        shape = (1, -1) + (1,) * (x.dim() - 2)
        names = {f"b{i}": beta.view(shape) for i, beta in enumerate(self.betas)}
        return eval(self.code, {"__builtins__": {}}, {**FUNCTIONS, **names, "x": x})


def conv(inputs, outputs, stride, kernel=3):
    return torch.nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def norm(channels):
    return torch.nn.BatchNorm2d(channels, eps=1e-5, momentum=None)  # None: one average over all batches


class Residual(torch.nn.Module):
    """Two convolutions; the shortcut is subsampled and padded with zero channels (He et al. 2015, option A)."""

    def __init__(self, inputs, outputs, stride, act):
        super().__init__()
        self.conv1, self.norm1, self.act1 = conv(inputs, outputs, stride), norm(outputs), act(outputs)
        self.conv2, self.norm2, self.act2 = conv(outputs, outputs, 1), norm(outputs), act(outputs)
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x):
        y = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        return self.act2(y + F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, 0, self.more)))


class NormActConv(torch.nn.Sequential):
    """In the form conv(act(norm(x))) that the later networks are made of."""

    def __init__(self, inputs, outputs, stride, kernel, act):
        super().__init__(norm(inputs), act(inputs), conv(inputs, outputs, stride, kernel))


class Preactivation(torch.nn.Module):
    """x + convolutions of act(norm(x)) (He et al. 2016); where the channels change, the shortcut is a 1x1 convolution of the
    first activation. `convs`: (outputs, kernel, stride) of each."""

    def __init__(self, inputs, convs, act):
        super().__init__()
        outputs, stride = convs[-1][0], math.prod(s for _, _, s in convs)
        self.norm, self.act = norm(inputs), act(inputs)
        self.shortcut = conv(inputs, outputs, stride, 1) if inputs != outputs else None
        self.first = conv(inputs, convs[0][0], convs[0][2], convs[0][1])
        self.rest = torch.nn.Sequential(*(NormActConv(before[0], outs, s, kernel, act)
                                          for before, (outs, kernel, s) in zip(convs, convs[1:])))

    def forward(self, x):
        activated = self.act(self.norm(x))
        return self.rest(self.first(activated)) + (self.shortcut(activated) if self.shortcut else x)


class Dense(torch.nn.Sequential):
    """A layer of a dense block: its input, and behind it what its convolutions make of that (Huang et al. 2017)."""

    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)


def preactivation_nets(model, channels, act):
    """The layers up to the last norm, and their channels. None: not of these families."""
    numbers = [int(n) for n in re.findall(r"\d+", model)]
    family = re.sub(r"-\d+", "", model)
    if family in ("preresnet", "wrn"):
        layers, channels = [conv(channels, 16, 1)], 16
        for stage in range(3):
            for block in range((numbers[0] - 2) // 9 if family == "preresnet" else (numbers[0] - 4) // 6):
                outputs = (64 if family == "preresnet" else 16 * numbers[1]) << stage
                stride = 2 if stage > 0 and block == 0 else 1
                convs = ([(outputs // 4, 1, stride), (outputs // 4, 3, 1), (outputs, 1, 1)] if family == "preresnet"
                         else [(outputs, 3, stride), (outputs, 3, 1)])
                layers.append(Preactivation(channels, convs, act))
                channels = outputs
        return layers, channels
    if family in ("densenet", "densenet-bc"):
        compressed = family == "densenet-bc"
        depth, growth = numbers
        layers, channels = [conv(channels, 2 * growth if compressed else 16, 1)], 2 * growth if compressed else 16
        for block in range(3):
            if block:
                outputs = channels // 2 if compressed else channels
                layers += [NormActConv(channels, outputs, 1, 1, act), torch.nn.AvgPool2d(2)]
                channels = outputs
            for _ in range((depth - 4) // (6 if compressed else 3)):
                layers.append(Dense(NormActConv(channels, 4 * growth, 1, 1, act), NormActConv(4 * growth, growth, 1, 3, act))
                              if compressed else Dense(NormActConv(channels, growth, 1, 3, act)))
                channels += growth
        return layers, channels
    return None


class Average(torch.nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def build(model, shape, classes, activation):
    """shape: (channels, height, width). The parameters come in the order of our layers."""
    def act(channels):
        return Activation(activation, channels)

    channels, height, width = shape
    nn = torch.nn
    if model == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 128), act(128),
                             nn.Linear(128, 128), act(128), nn.Linear(128, classes))
    layers = []
    if model == "cnn":
        for outputs, stride in ((16, 2), (16, 1), (32, 2), (32, 1)):
            layers += [conv(channels, outputs, stride), norm(outputs), act(outputs)]
            channels = outputs
        return nn.Sequential(*layers, Average(), nn.Linear(channels, classes))
    preactivation = preactivation_nets(model, channels, act)
    if preactivation:
        layers, channels = preactivation
        return nn.Sequential(*layers, norm(channels), act(channels), Average(), nn.Linear(channels, classes))
    depth = re.fullmatch(r"resnet-(\d+)", model)
    if not depth or int(depth[1]) % 6 != 2:
        sys.exit(f"{model}: expected a name that worker/nn/models.def knows")
    layers = [conv(channels, 16, 1), norm(16), act(16)]
    channels = 16
    for stage in range(3):
        for block in range((int(depth[1]) - 2) // 6):
            outputs = 16 << stage
            layers.append(Residual(channels, outputs, 2 if stage > 0 and block == 0 else 1, act))
            channels = outputs
    return nn.Sequential(*layers, Average(), nn.Linear(channels, classes))


def is_beta(name):
    return ".betas." in name or name.startswith("betas.")
