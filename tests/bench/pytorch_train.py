#!/usr/bin/python3
"""pytorch_train: the peer of tests/bench/train.c: the same networks, functions and optimiser in PyTorch.

    pytorch_train.py MODEL FUNCTION [--seconds S] [--batch N] [--layouts plain,channels-last] [--modes eager,script]

MODEL: resnet-20, cnn, mlp, or one of the deep ones of tests/reference/reference_net.py (preresnet-164, wrn-28-10, densenet-100-12;
not for TorchScript). FUNCTION: one of the seven, as train.c writes it. Prints training images per second on one thread:
the median over the batches, for the best of the layouts and modes asked for, and which one that was. The data are noise in
memory, already normalised, so that only the training itself is timed.
"""
import argparse
import pathlib
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "reference"))
import reference_net


class Swish(nn.Module):
    """x * sigmoid(b0 * x), b0 trained for each channel (of planes, or of a dense layer)."""

    def __init__(self, channels, planes=True):
        super().__init__()
        self.beta = nn.Parameter(torch.ones(1, channels, 1, 1) if planes else torch.ones(1, channels))

    def forward(self, x):
        return x * torch.sigmoid(self.beta * x)


class Relu(nn.Module):
    def forward(self, x):
        return functional.relu(x)


class Atan(nn.Module):
    def forward(self, x):
        a = torch.atan(x)
        return a * a - x


class MaxTanh(nn.Module):
    def forward(self, x):
        return torch.maximum(x, torch.tanh(x))


class Sinc(nn.Module):
    """torch.sinc is sin(pi x)/(pi x); its argument undoes the pi."""

    def forward(self, x):
        return torch.sinc(x * 0.3183098861837907) + x


class Cos(nn.Module):
    def forward(self, x):
        return torch.cos(x) - x


class Gauss(nn.Module):
    def forward(self, x):
        return x * torch.exp(-(x * x))


FUNCTIONS = {
    "relu(x)": lambda channels: Relu(),
    "x*sigmoid(b0*x)": Swish,
    "atan(x)^2-x": lambda channels: Atan(),
    "max(x,tanh(x))": lambda channels: MaxTanh(),
    "sinc(x)+x": lambda channels: Sinc(),
    "cos(x)-x": lambda channels: Cos(),
    "x*exp(-x^2)": lambda channels: Gauss(),
}


def conv_norm(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Two convolutions and a shortcut of option A: subsampled, padded with zero channels (He et al. 2015)."""

    def __init__(self, inputs, outputs, stride, function):
        super().__init__()
        self.first, self.second = conv_norm(inputs, outputs, stride), conv_norm(outputs, outputs, 1)
        self.act1, self.act2 = function(outputs), function(outputs)
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x):
        y = self.second(self.act1(self.first(x)))
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        if self.more > 0:
            x = functional.pad(x, [0, 0, 0, 0, 0, self.more])
        return self.act2(y + x)


class Head(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.dense = nn.Linear(channels, 10)

    def forward(self, x):
        return self.dense(x.mean(dim=[2, 3]))


def build(model, function):
    if model == "resnet-20":
        layers, inputs = [conv_norm(3, 16, 1), function(16)], 16
        for stage in range(3):
            for block in range(3):
                outputs = 16 << stage
                layers.append(Block(inputs, outputs, 2 if stage > 0 and block == 0 else 1, function))
                inputs = outputs
        return nn.Sequential(*layers, Head(inputs)), (3, 32, 32)
    if model == "mlp":
        layers, inputs = [nn.Flatten()], 784
        for _ in range(2):
            layers += [nn.Linear(inputs, 128), Swish(128, planes=False) if function is Swish else function(128)]
            inputs = 128
        return nn.Sequential(*layers, nn.Linear(inputs, 10)), (1, 28, 28)
    deep = reference_net.preactivation_nets(model, 3, function)
    if deep:
        layers, channels = deep
        return nn.Sequential(*layers, nn.BatchNorm2d(channels), function(channels), Head(channels)), (3, 32, 32)
    if model != "cnn":
        sys.exit(f"{model}: expected a model that the head of this file names")
    layers, inputs = [], 1
    for outputs, stride in [(16, 2), (16, 1), (32, 2), (32, 1)]:
        layers += [conv_norm(inputs, outputs, stride), function(outputs)]
        inputs = outputs
    return nn.Sequential(*layers, Head(inputs)), (1, 28, 28)


def images_per_second(args, layout, mode):
    torch.manual_seed(1)
    net, image = build(args.model, FUNCTIONS[args.function])
    x, labels = torch.randn(args.batch, *image), torch.randint(10, (args.batch,))
    if layout == "channels-last":
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    if mode == "script":
        net = torch.jit.script(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True)
    loss = nn.CrossEntropyLoss()
    times, start = [], None
    warm = 3  # the first batches compile and allocate
    while len(times) < warm + 3 or time.process_time() - start < args.seconds:
        before = time.process_time()
        optimizer.zero_grad(set_to_none=True)
        loss(net(x), labels).backward()
        optimizer.step()
        times.append(time.process_time() - before)
        if len(times) == warm:
            start = time.process_time()
    return args.batch / statistics.median(times[warm:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("function", choices=list(FUNCTIONS))
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--layouts", default="plain")
    parser.add_argument("--modes", default="eager")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    best = max(
        (images_per_second(args, layout, mode), f"{layout} {mode}")
        for layout in args.layouts.split(",")
        for mode in args.modes.split(",")
    )
    print(f"{best[0]:.2f} {best[1]}")


if __name__ == "__main__":
    main()
