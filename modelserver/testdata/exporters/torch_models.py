"""PyTorch networks through both exporters of torch.onnx."""

import warnings

import torch
from torch import nn

import write

warnings.filterwarnings("ignore")


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 32)
        self.encode = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)
        self.out = nn.Linear(32, 5)

    def forward(self, x):
        return self.out(self.encode(self.embed(x)).mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cells = kind(8, 16, 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(32, 3)

    def forward(self, x):
        return torch.softmax(self.out(self.cells(x)[0][:, -1]), -1)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.conv2, self.norm2 = nn.Conv2d(16, 16, 3, padding=1, groups=4), nn.BatchNorm2d(16)
        self.up, self.transposed = nn.Upsample(scale_factor=2, mode="bilinear"), nn.ConvTranspose2d(16, 16, 2, stride=2)
        self.groups, self.pool, self.out = nn.GroupNorm(4, 16), nn.AdaptiveAvgPool2d(1), nn.Linear(16, 4)

    def forward(self, x):
        y = torch.relu(self.norm1(self.conv1(x)))
        y = y + nn.functional.silu(self.norm2(self.conv2(y)))
        y = self.up(nn.functional.max_pool2d(y, 2))
        y = nn.functional.hardswish(self.groups(self.transposed(nn.functional.gelu(y))))
        return self.out(self.pool(y).flatten(1))


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense, self.norm, self.drop = nn.Linear(10, 20), nn.LayerNorm(20), nn.Dropout(0.5)

    def forward(self, x):
        y = self.norm(self.dense(x))
        top, sums = y.topk(5, dim=1)[0], torch.cumsum(y, 1)[:, ::3]
        products = torch.einsum("bi,bj->bij", top, sums).flatten(1)
        products = torch.where(products > 0, products, products.exp() - 1)
        squashed = torch.sigmoid(y).clamp(0.2, 0.8)
        return torch.cat([self.drop(products), y.abs().log1p(), squashed, y.sort(dim=1)[0]], 1)


def main():
    torch.manual_seed(0)
    models = {
        "transformer": (Transformer(), torch.randint(0, 50, (6, 11))),
        "lstm": (Recurrent(nn.LSTM), torch.randn(6, 9, 8)),
        "gru": (Recurrent(nn.GRU), torch.randn(6, 9, 8)),
        "rnn": (Recurrent(nn.RNN), torch.randn(6, 9, 8)),
        "residual": (Residual(), torch.randn(6, 3, 14, 14)),
        "mixed": (Mixed(), torch.randn(6, 10)),
    }
    for name, (model, x) in models.items():
        if x.is_floating_point():
            model(x)  # gives the batch norms statistics to fold
        model.eval()
        for exporter in ("dynamo", "script"):
            path = write.folder(f"torch-{name}-{exporter}")
            if exporter == "dynamo":
                batch = {"dynamic_shapes": ({0: torch.export.Dim("N")},)}
            else:
                batch = {"dynamic_axes": {"x": {0: "N"}, "y": {0: "N"}}}
            torch.onnx.export(
                model, (x,), str(path / "model.onnx"), input_names=["x"], output_names=["y"],
                dynamo=exporter == "dynamo", external_data=False, verbose=False, **batch,
            )
            write.finish(path, f"PyTorch {torch.__version__}", x.numpy(), model(x).detach().numpy())


if __name__ == "__main__":
    main()
