"""Which species is this penguin? A scikit-learn pipeline over numbers and texts, some missing."""

import pathlib
import sys

import numpy as np
import sklearn
from palmerpenguins import load_penguins
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
import proof  # noqa: E402

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]
COLUMNS = NUMBERS + TEXTS


def load():
    """The 344 penguins as the model will see them in service.

    Numbers are float32, as in the ONNX model: trees compare against thresholds, and a value that
    is rounded only after training can land on the other side of one. A missing number is NaN, a
    missing text is "".
    """
    penguins = load_penguins()
    penguins[NUMBERS] = penguins[NUMBERS].astype(np.float32)
    penguins[TEXTS] = penguins[TEXTS].astype(object).fillna("")
    return penguins[COLUMNS], penguins["species"].astype(object)


def pipeline():
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(missing_values="", strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore"),
    )
    return Pipeline([
        ("columns", ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])),
        ("classifier", GradientBoostingClassifier(random_state=0)),
    ])


def export(model, path):
    """One [None, 1] input for each column; outputs `label` [N] and `probabilities` [N, 3].

    "div" makes the scaler divide, as scikit-learn does. The default multiplies by the reciprocal,
    which differs in the last bit and sends some rows down another branch of a tree.
    """
    inputs = [(c, FloatTensorType([None, 1])) for c in NUMBERS]
    inputs += [(c, StringTensorType([None, 1])) for c in TEXTS]
    onnx_model = convert_sklearn(
        model,
        "penguins",
        initial_types=inputs,
        options={id(model): {"zipmap": False}, StandardScaler: {"div": "div"}},
        target_opset={"": 21, "ai.onnx.ml": 3},
    )
    path.write_bytes(onnx_model.SerializeToString())
    proof.describe(path, task="classification", classes=list(model.classes_))


def inputs_of(rows):
    return [proof.tensor(c, rows[[c]].to_numpy()) for c in COLUMNS]


def outputs_of(model, rows):
    return [
        proof.tensor("label", model.predict(rows)),
        proof.tensor(
            "probabilities",
            model.predict_proba(rows).astype(np.float32),
            proof.PROBABILITY_TOLERANCE,
        ),
    ]


def case(name, model, rows):
    return proof.case(name, inputs_of(rows), outputs_of(model, rows))


def without(rows, seed):
    """The same rows with one value in four missing."""
    rows = rows.copy()
    missing = np.random.default_rng(seed).random(rows.shape) < 0.25
    for position, column in enumerate(COLUMNS):
        rows.loc[missing[:, position], column] = np.nan if column in NUMBERS else ""
    return rows


def write_request(model, rows):
    """The body for POST /predict and scikit-learn's own answer to it. The last row lacks two values."""
    rows = rows.copy()
    rows.iloc[-1, COLUMNS.index("body_mass_g")] = np.nan
    rows.iloc[-1, COLUMNS.index("sex")] = ""
    columns = {t["name"]: t["data"] for t in inputs_of(rows)}
    body = [{c: columns[c][i] for c in COLUMNS} for i in range(len(rows))]
    proof.save(FOLDER / "request.json", {"rows": body})
    proof.save(FOLDER / "expected.json", {"outputs": outputs_of(model, rows)})


def main():
    rows, species = load()
    train_rows, test_rows, train_species, test_species = train_test_split(
        rows, species, test_size=0.25, random_state=0, stratify=species
    )
    folds = cross_val_score(pipeline(), rows, species, cv=5)
    model = pipeline().fit(train_rows, train_species)
    print(f"accuracy on {len(test_rows)} held-out penguins: {model.score(test_rows, test_species):.3f}")
    print(f"accuracy over 5 folds: {folds.mean():.3f} ± {folds.std():.3f}")

    export(model, FOLDER / "model.onnx")
    elsewhere = test_rows.head(32).assign(island="Livingston")
    cases = [
        case("held-out rows", model, test_rows.head(48)),
        case("missing values", model, without(test_rows.tail(32), seed=1)),
        case("an island never seen", model, elsewhere.head(8)),
    ]
    proof.write(FOLDER, f"scikit-learn {sklearn.__version__}", cases)
    write_request(model, test_rows.loc[test_species.drop_duplicates().index])

    everything = [case("all rows", model, rows), case("all rows, a quarter missing", model, without(rows, seed=2))]
    deviation = proof.check(FOLDER / "model.onnx", cases + everything)
    print(f"largest deviation of ONNX Runtime from scikit-learn: {deviation:.2g}")


if __name__ == "__main__":
    main()
