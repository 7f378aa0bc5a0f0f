"""The child networks of worker/nn/models.def in PyTorch, for train_pytorch.py and golden_pytorch.py.

PyTorch is no dependency of the project: these scripts are run by hand (Debian: apt-get install python3-torch).
"""
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


def conv(inputs, outputs, stride):
    return torch.nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


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
    depth = re.fullmatch(r"resnet-(\d+)", model)
    if not depth or int(depth[1]) % 6 != 2:
        sys.exit(f"{model}: expected mlp, cnn or resnet-N with N = 6n+2")
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
