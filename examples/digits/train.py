"""Which digit is this? A small PyTorch CNN on 8×8 grey images."""

import logging
import pathlib
import sys

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
import proof  # noqa: E402

EPOCHS = 30
BATCH = 64


def load():
    """1,797 images as [N, 1, 8, 8] float32 from 0 (white) to 1 (black), and their digits."""
    digits = load_digits()
    return (digits.images[:, np.newaxis] / 16).astype(np.float32), digits.target


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32 * 4 * 4, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def fit(logits, images, digits):
    images, digits = torch.from_numpy(images), torch.from_numpy(digits)
    optimizer = torch.optim.AdamW(logits.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    logits.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits(images[batch]), digits[batch]).backward()
            optimizer.step()
        schedule.step()
    logits.eval()


def predict(model, images):
    with torch.inference_mode():
        return model(torch.from_numpy(images)).numpy()


def export(model, path):
    """Input `image` [N, 1, 8, 8], output `probabilities` [N, 10]; the weights are inside the file."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not installed
    torch.onnx.export(
        model,
        (torch.zeros(2, 1, 8, 8),),
        path,
        dynamo=True,
        opset_version=20,
        input_names=["image"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("N")},),
        external_data=False,
        verbose=False,
    )
    proof.describe(path, task="classification", classes=[str(d) for d in range(10)])


def case(name, model, images):
    probabilities = proof.tensor("probabilities", predict(model, images), proof.PROBABILITY_TOLERANCE)
    return proof.case(name, [proof.tensor("image", images)], [probabilities])


def write_request(model, images):
    """The body for POST /predict and PyTorch's own answer to it."""
    proof.save(FOLDER / "request.json", {"rows": [{"image": image.tolist()} for image in images]})
    proof.save(FOLDER / "expected.json", {"outputs": case("request", model, images)["outputs"]})


def main():
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    images, digits = load()
    train_images, test_images, train_digits, test_digits = train_test_split(
        images, digits, test_size=0.25, random_state=0, stratify=digits
    )
    logits = network()
    fit(logits, train_images, train_digits)
    model = nn.Sequential(logits, nn.Softmax(dim=1)).eval()
    accuracy = (predict(model, test_images).argmax(axis=1) == test_digits).mean()
    print(f"accuracy on {len(test_images)} held-out images: {accuracy:.3f}")

    export(model, FOLDER / "model.onnx")
    cases = [case("held-out images", model, test_images[:48]), case("one image", model, test_images[48:49])]
    proof.write(FOLDER, f"PyTorch {torch.__version__}", cases)
    write_request(model, test_images[:2])

    deviation = proof.check(FOLDER / "model.onnx", [*cases, case("all images", model, images)])
    print(f"largest deviation of ONNX Runtime from PyTorch: {deviation:.2g}")


if __name__ == "__main__":
    main()
