#!/usr/bin/env python3
"""What scikit-learn's SVC and LogisticRegression find on 20 small problems, for the tests of `train/src/classical/`.

Run with numpy, scikit-learn and safetensors:  make_svc_golden.py [tests/golden/svc.safetensors]

Problems have two to five overlapping classes of unequal sizes. Both solvers run to a small tolerance, so they are near
the only optimum and other solvers can be compared with them.

Stored of problem N, `N/...`: `c` [1], `vectors` [n, d], `labels` [n], `queries` [m, d]; of SVC(kernel="rbf",
gamma="scale"): `pairs` [m, pairs], the decision values of each pair of classes (above zero: the first class), `scores`
[m, classes], decision_function of shape "ovr", `predicted` [m], with break_ties; of LogisticRegression: `probabilities`
[m, classes].
"""
import sys
import warnings

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from sklearn.utils.multiclass import _ovr_decision_function

PROBLEMS = 20
QUERIES = 12

warnings.simplefilter("error")
path = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/svc.safetensors"
rng = np.random.default_rng(20)
tensors = {}
for problem in range(PROBLEMS):
    classes = 2 + problem % 4
    dimension = int(rng.integers(2, 9))
    c = [0.1, 1.0, 10.0, 100.0][problem // 5]
    counts = rng.integers(4, 16, classes)
    labels = rng.permutation(np.repeat(np.arange(classes), counts))
    centres = rng.normal(0, 1.2, (classes, dimension))
    scale = rng.uniform(0.5, 2, dimension)
    vectors = ((centres[labels] + rng.normal(0, 1, (len(labels), dimension))) * scale).astype(np.float32)
    queries = (rng.normal(0, 1.8, (QUERIES, dimension)) * scale).astype(np.float32)
    svc = SVC(kernel="rbf", gamma="scale", C=c, tol=1e-9, decision_function_shape="ovo", break_ties=False)
    x, q = vectors.astype(np.float64), queries.astype(np.float64)
    svc.fit(x, labels)
    decisions = svc.decision_function(q)
    # scikit-learn returns one column for two classes, above zero for the second.
    decisions = -decisions[:, None] if classes == 2 else decisions
    scores = _ovr_decision_function(decisions < 0, -decisions, classes)
    if classes == 2:
        predicted = svc.predict(q)
    else:
        svc.decision_function_shape, svc.break_ties = "ovr", True
        assert np.allclose(svc.decision_function(q), scores)
        predicted = svc.predict(q)
    logistic = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(x, labels)
    for name, value in {
        "c": np.array([c], np.float32),
        "vectors": vectors,
        "labels": labels.astype(np.int64),
        "queries": queries,
        "pairs": decisions.astype(np.float32),
        "scores": scores.astype(np.float32),
        "predicted": predicted.astype(np.int64),
        "probabilities": logistic.predict_proba(q).astype(np.float32),
    }.items():
        tensors[f"{problem}/{name}"] = np.ascontiguousarray(value)
save_file(tensors, path)
print(f"{len(tensors)} tensors: {path}")
