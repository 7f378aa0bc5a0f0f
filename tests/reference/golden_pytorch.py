#!/usr/bin/env python3
"""golden_pytorch.py > tests/golden/networks.txt: logits, loss and gradients of one batch of each model, from PyTorch in double
precision. tests/unit/golden_test.c computes the same with worker/nn.

Weights, images and labels come from an integer formula that both sides know:

    u(salt, k): h = (2654435761 k + 40503 salt + 12345) mod 2^32; h ^= h >> 15; h = 2246822507 h mod 2^32; h ^= h >> 13;
                (h >> 8 & 65535) / 32768 - 1

in [-1, 1). The parameters of a net are numbered 1, 2, ... in the order of the layers: weight, bias; scale, shift; then each b.
Parameter number n has the values, k counting through (output, channel, row, column):
    weight sqrt(6 / fan_in) u(n, k), bias 0.1 u(n, k), scale 1 + 0.2 u(n, k), shift 0.2 u(n, k), b 1 + 0.5 u(n, k)
each rounded to single precision. Pixel k of image i is u(0, k + i * pixels), label i is (7 i + 3) mod 10.

Lines: "case MODEL CHANNELS HEIGHT WIDTH IMAGES ACTIVATION", then "loss V", "logit IMAGE CLASS V" and, for each parameter,
"gradient NUMBER KIND COUNT NORM" (Euclidean) and three "entry NUMBER K V".
"""
import math

from reference_net import F, build, is_beta, np, torch

CASES = [
    ("mlp", (1, 28, 28), 19, "x*sigmoid(b*x)"),
    ("mlp", (1, 28, 28), 8, "tanh(x)"),
    ("cnn", (1, 28, 28), 19, "x*sigmoid(b*x)"),
    ("cnn", (1, 28, 28), 16, "relu(x)"),
    ("cnn", (3, 32, 32), 5, "b0*x+b1*sin(x)"),
    ("resnet-8", (3, 32, 32), 11, "x*sigmoid(b*x)"),
    ("resnet-8", (3, 32, 32), 8, "atan(x)^2-x"),
    ("preresnet-11", (3, 32, 32), 11, "x*sigmoid(b*x)"),
    ("wrn-10-1", (3, 32, 32), 9, "x*sigmoid(b*x)"),
    ("wrn-10-2", (3, 32, 32), 3, "atan(x)^2-x"),
    ("densenet-10-4", (3, 32, 32), 9, "x*sigmoid(b*x)"),
    ("densenet-10-12", (3, 32, 32), 3, "atan(x)^2-x"),
    ("densenet-bc-16-5", (3, 32, 32), 3, "x*sigmoid(b*x)"),
]


def u(salt, count):
    mask = np.uint64(0xFFFFFFFF)
    h = (np.arange(count, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(40503 * salt + 12345)) & mask
    h ^= h >> np.uint64(15)
    h = (h * np.uint64(2246822507)) & mask
    h ^= h >> np.uint64(13)
    return ((h >> np.uint64(8)) & np.uint64(65535)).astype(np.float64) / 32768 - 1


def kind_of(net, name, parameter):
    if is_beta(name):
        return "beta"
    owner = net.get_submodule(name.rsplit(".", 1)[0])
    if isinstance(owner, torch.nn.BatchNorm2d):
        return "scale" if name.endswith("weight") else "shift"
    return "weight" if name.endswith("weight") else "bias"


def values(kind, number, parameter):
    drawn = u(number, parameter.numel())
    scaled = {"weight": lambda: math.sqrt(6 / (parameter[0].numel() if parameter.dim() > 1 else 1)) * drawn,
              "bias": lambda: 0.1 * drawn, "scale": lambda: 1 + 0.2 * drawn, "shift": lambda: 0.2 * drawn,
              "beta": lambda: 1 + 0.5 * drawn}[kind]()
    return torch.from_numpy(scaled.astype(np.float32).astype(np.float64)).view(parameter.shape)


def case(model, shape, images, activation):
    net = build(model, shape, 10, activation).double()
    net.train()
    parameters = [(kind_of(net, name, p), p) for name, p in net.named_parameters()]
    with torch.no_grad():
        for number, (kind, p) in enumerate(parameters, 1):
            p.copy_(values(kind, number, p))
    pixels = math.prod(shape)
    x = torch.from_numpy(u(0, images * pixels).astype(np.float32).astype(np.float64)).view(images, *shape)
    labels = torch.tensor([(7 * i + 3) % 10 for i in range(images)])
    logits = net(x)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    print("case", model, *shape, images, activation)
    print(f"loss {loss.item():.12g}")
    for image in (0, images // 2, images - 1):
        for label in (0, 4, 9):
            print(f"logit {image} {label} {logits[image, label].item():.12g}")
    for number, (kind, p) in enumerate(parameters, 1):
        gradient = p.grad.flatten()
        count = gradient.numel()
        print(f"gradient {number} {kind} {count} {gradient.norm().item():.12g}")
        for k in (0, count // 3, count - 1):
            print(f"entry {number} {k} {gradient[k].item():.12g}")


def main():
    print(f"# Made by tests/reference/golden_pytorch.py with PyTorch {torch.__version__} in double precision.")
    for arguments in CASES:
        case(*arguments)


if __name__ == "__main__":
    main()
