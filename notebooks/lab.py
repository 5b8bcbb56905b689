# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab: distil, or not?
#
# **Question.** A teacher sees one view of a digit, a student sees another. When does it help the student to learn from the teacher's answers? And can
# you know before you try?
#
# The Cross-modal Complementarity Hypothesis says: distil when $I(H_1;H_2) > I(H_2;Y)$. Here $H_1$ is the hidden layer of the teacher, $H_2$ that of a student trained *without* the teacher, $Y$ the label,
# and $I$ mutual information in nats. In this lab you build all of it in numpy, let the hypothesis decide, and measure whether it was right.
#
# | part | minutes | points |
# |---|---|---|
# | 0. Set up, look at the data | 6 | |
# | 1. Predict | 6 | 2 + 3 |
# | 2. The loss and its gradient | 18 | 3 + 3 |
# | 3. Distil | 9 | 4 |
# | 4. Estimate mutual information | 16 | 3 + 3 |
# | 5. Decide | 6 | 4 |
# | 6. Compare | 10 | 3 + 4 |
# | 7. Where the hypothesis is wrong | 19 | 4 + 4 + 5 |
# | all | 90 | 45 |
#
# Needed: Python 3.11 or newer, numpy, scipy, scikit-learn, matplotlib. The data come with scikit-learn; nothing is downloaded.
#
# **How it is marked.** Work from top to bottom. Below each piece of code stands a check: it is silent, or it fails with a hint. A few checks are run only when
# the lab is marked. Written answers are read by a person. A wrong prediction costs nothing; one that is changed after the result does.

# %% [markdown]
# ## 0. Set up, look at the data (6 minutes)

# %%
import matplotlib.pyplot as plt
import numpy as np
import scipy.stats
from scipy.spatial import cKDTree
from scipy.special import digamma, log_softmax, rel_entr, softmax
from sklearn.datasets import load_digits
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
from sklearn.metrics import log_loss

digits = load_digits()  # 1797 images of 8 × 8 pixels
images, labels = digits.images / 16 - 0.3, digits.target

# %% [markdown]
# The student always sees the right half of an image, under noise (standard deviation 0.3; the pixels span 1). Five teachers see five things. The last of them sees an image that the student does not: a second
# image *of the same digit*, drawn at random.

# %%
LEFT, RIGHT, WHOLE = slice(0, 4), slice(4, 8), slice(0, 8)
TEACHERS = {  # columns that the teacher sees, noise on them, is it the student's own image?
    "same half": (RIGHT, 0.0, True),
    "whole image": (WHOLE, 0.0, True),
    "left half": (LEFT, 0.0, True),
    "noisy left half": (LEFT, 0.6, True),
    "second image": (WHOLE, 0.0, False),
}


def view(part: slice, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Return these columns of every image [1797, pixels] with noise of this standard deviation."""
    pixels = images[:, :, part].reshape(len(images), -1)
    return pixels + noise * rng.normal(size=pixels.shape)


# %% [markdown]
# Each seed draws noise and splits the rows anew: 600 to train the teacher, 150 (at most 600) to train the student, and always 597 held out. So the teacher's answers on the
# student's rows are honest, not memorised. `label_errors` is the share of labels that are replaced by a random digit, for teacher, student and
# mutual information alike; it is zero until part 7.


# %%
def draw(teacher: str, seed: int, n_student: int = 150, label_errors: float = 0.0):
    """Return both views, the labels, and three sets of rows: teacher's, student's, held out."""
    rng = np.random.default_rng(seed)
    teach, learn, held = np.split(rng.permutation(len(labels)), [600, 1200])
    assert 10 <= n_student <= len(learn), f"n_student = {n_student}: 10 to {len(learn)} rows"
    x2 = view(RIGHT, 0.3, rng)
    wrong = rng.random(len(labels)) < label_errors
    y = np.where(wrong, rng.integers(0, 10, len(labels)), labels)
    part, noise, own_image = TEACHERS[teacher]
    x1 = view(part, noise, rng)  # last: at one seed the student sees the same beside every teacher
    if not own_image:
        for digit in range(10):
            rows = np.flatnonzero(labels == digit)
            x1[rows] = x1[rng.permutation(rows)]
    return x1, x2, y, (teach, learn[:n_student], held)


# %%
fig, axes = plt.subplots(2, 5, figsize=(9, 4))
for column, name in zip(axes.T, TEACHERS):
    x1, x2, *_ = draw(name, seed=0)
    for ax, x, part in zip(column, (x1, x2), (TEACHERS[name][0], RIGHT)):
        place = part.start - 0.5, part.stop - 0.5, 7.5, -0.5
        ax.imshow(x[5].reshape(8, -1), cmap="gray_r", vmin=-0.3, vmax=0.7, extent=place)
        ax.set(xlim=(-0.5, 7.5), xticks=[], yticks=[])
    column[0].set_title(f"teacher: {name}", fontsize=8)
    column[1].set_title(f"student, a {labels[5]}", fontsize=8)
plt.show()

# %% [markdown]
# Teacher and student are the same small network: eight hidden units (tanh), ten logits, trained by Adam on all rows at once. You need not change it. Note what
# `train` asks for: a function `gradient(logits)` that returns the gradient of each row's loss with respect to that row's logits.


# %%
def forward(network: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hidden layer [rows, 8] and the logits [rows, 10]."""
    w1, b1, w2, b2 = network
    hidden = np.tanh(x @ w1 + b1)
    return hidden, hidden @ w2 + b2


def backward(network: list[np.ndarray], x: np.ndarray, gradient) -> list[np.ndarray]:
    """Return the slopes of the mean loss along the network's four arrays."""
    hidden, logits = forward(network, x)
    at_logits = gradient(logits) / len(x)
    at_hidden = at_logits @ network[2].T * (1 - hidden**2)
    return [x.T @ at_hidden, at_hidden.sum(0), hidden.T @ at_logits, at_logits.sum(0)]


# %%
def train(x: np.ndarray, gradient, seed: int, steps: int = 300) -> list[np.ndarray]:
    """Return a network trained by Adam; `gradient` maps logits [rows, 10] to slopes [rows, 10]."""
    rng = np.random.default_rng(seed)
    shapes = (x.shape[1], 8), (8,), (8, 10), (10,)
    network = [rng.normal(size=s) / s[0] ** 0.5 if len(s) > 1 else np.zeros(s) for s in shapes]
    mean, square = [np.zeros(s) for s in shapes], [np.zeros(s) for s in shapes]
    for step in range(1, steps + 1):
        for i, slope in enumerate(backward(network, x, gradient)):
            mean[i] = 0.9 * mean[i] + 0.1 * slope
            square[i] = 0.999 * square[i] + 0.001 * slope**2
            size = np.sqrt(square[i] / (1 - 0.999**step)) + 1e-8
            network[i] = network[i] - 0.01 * mean[i] / (1 - 0.9**step) / size
    return network


# %% [markdown]
# ## 1. Predict (6 minutes)
#
# Before you train anything: which of the five teachers will help the student, and which will hurt? Define `predicted`, a dictionary from each name in `TEACHERS` to
# `"helps"` or `"hurts"`. (2 points, for a prediction at all.)

# %% nbgrader={"grade_id": "predicted", "solution": true}
### BEGIN SOLUTION
predicted = {
    "same half": "helps",
    "whole image": "helps",
    "left half": "helps",
    "noisy left half": "hurts",
    "second image": "helps",
}
### END SOLUTION

# %% nbgrader={"grade_id": "predicted-check", "grade": true, "locked": true, "points": 2}
assert set(predicted) == set(TEACHERS), "predict for each name in TEACHERS, spelt as there"
assert set(predicted.values()) <= {"helps", "hurts"}, 'each prediction is "helps" or "hurts"'

# %% [markdown]
# **In words.** The teacher of the left half and that of the second image both know the digit far better than the student does, who alone is right about half of the time. For each of the two: what can the student learn
# from its answers that the label does not tell? (3 points: one for a statement about each teacher, one for a reason that speaks of what the *student* can see.)

# %% [markdown] nbgrader={"grade_id": "reasons", "grade": true, "solution": true, "points": 3}
# ### BEGIN SOLUTION
# Any reason that can be wrong will do. A usual thought is "a better teacher helps more". The student sees only its half, though. What the answers vary with and the student cannot see,
# a smudged left half or a second image, is noise to the student.
# ### END SOLUTION

# %% [markdown]
# ## 2. The loss and its gradient (18 minutes)
#
# The student has logits $z$, a label $y$, and the teacher's *soft* label $q$: the teacher's probabilities at temperature $T$. Write $p(z) = \mathrm{softmax}(z)$. The loss of a row is
#
# $$ (1-\lambda)\,\mathrm{CE}(y, p(z)) + \lambda\, T^2\, \mathrm{KL}\big(q \,\|\, p(z/T)\big). $$
#
# Write `kd_loss`. It returns the loss of each row: each term is summed over the classes, nothing is averaged over rows. `log_softmax`, `softmax` and `rel_entr` of scipy are imported; look up what they return. (3 points)


# %% nbgrader={"grade_id": "kd_loss", "solution": true}
def kd_loss(logits, soft, y, lam, temperature):
    """Return the loss of each row [rows], nats.

    `logits` [rows, 10] are the student's, `soft` [rows, 10] the teacher's probabilities, already
    at this temperature, `y` [rows] the labels, 0 to 9.
    """
    ### BEGIN SOLUTION
    hard = -log_softmax(logits, axis=1)[np.arange(len(y)), y]
    divergence = rel_entr(soft, softmax(logits / temperature, axis=1)).sum(axis=1)
    return (1 - lam) * hard + lam * temperature**2 * divergence
    ### END SOLUTION


# %% nbgrader={"grade_id": "kd_loss-check", "grade": true, "locked": true, "points": 3}
rng = np.random.default_rng(1)
z, y, q = rng.normal(size=(6, 10)), np.arange(6), softmax(rng.normal(size=(6, 10)), axis=1)
assert np.shape(kd_loss(z, q, y, 0.5, 2.0)) == (6,), "return one loss per row: sum over the classes"
hard = log_loss(y, softmax(z, axis=1), labels=range(10))
assert np.isclose(kd_loss(z, q, y, 0.0, 2.0).mean(), hard), (
    "λ = 0: cross-entropy with y, no T; axis=1"
)
same = softmax(z / 2, axis=1)
assert np.allclose(kd_loss(z, same, y, 1.0, 2.0), 0), "λ = 1: zero where the student says q at T"
told = np.log(10) - scipy.stats.entropy(q, axis=1)  # the divergence of q from a student of no idea
assert np.allclose(kd_loss(0 * z, q, y, 1.0, 1.0), told), "KL: q comes first; sum classes"
assert np.allclose(kd_loss(0 * z, q, y, 1.0, 2.0), 4 * told), "T² belongs to the teacher's term"
both = [kd_loss(z, q, y, weight, 2.0) for weight in (0.0, 0.3, 1.0)]
assert np.allclose(both[1], 0.7 * both[0] + 0.3 * both[2]), "between: λ and 1 − λ, as they are"
### BEGIN HIDDEN TESTS
apart = [kd_loss(z, q, y, weight, 3.0) for weight in (0.0, 1.0)]
assert np.allclose(kd_loss(z, q, y, 0.3, 3.0), 0.7 * apart[0] + 0.3 * apart[1])
assert np.allclose(apart[1], 9 * scipy.stats.entropy(q, softmax(z / 3, axis=1), axis=1))
### END HIDDEN TESTS

# %% [markdown]
# Now the gradient with respect to $z$, on paper first. What is $\partial\,\mathrm{CE}(y, p(z)) / \partial z$? Then the same for the second term; mind the powers of $T$. The check compares
# your gradient with differences of your own loss, so pass the first check before this one. `np.eye(10)[y]` writes each label as a row of ten numbers. (3 points)


# %% nbgrader={"grade_id": "kd_gradient", "solution": true}
def kd_gradient(logits, soft, y, lam, temperature):
    """Return the gradient of each row's loss with respect to its logits [rows, 10]."""
    ### BEGIN SOLUTION
    hard = softmax(logits, axis=1) - np.eye(10)[y]
    gentle = softmax(logits / temperature, axis=1) - soft
    return (1 - lam) * hard + lam * temperature * gentle
    ### END SOLUTION


# %% nbgrader={"grade_id": "kd_gradient-check", "grade": true, "locked": true, "points": 3}
def differences(lam, temperature, step=1e-5):
    """Return the gradient by central differences of `kd_loss`."""
    moves = step * np.eye(10)
    loss = [[kd_loss(z + s * m, q, y, lam, temperature) for m in moves] for s in (1, -1)]
    return (np.transpose(loss[0]) - np.transpose(loss[1])) / (2 * step)


rng = np.random.default_rng(1)
z, y, q = rng.normal(size=(6, 10)), np.arange(6), softmax(rng.normal(size=(6, 10)), axis=1)
assert np.shape(kd_gradient(z, q, y, 0.5, 2.0)) == (6, 10), "one slope per row and logit"
wrong = np.abs(kd_gradient(z, q, y, 0.0, 2.0) - differences(0.0, 2.0)).max()
assert wrong < 1e-6, f"λ = 0: off by {wrong:.2g}. Probability minus what for the true class?"
wrong = np.abs(kd_gradient(z, q, y, 1.0, 1.0) - differences(1.0, 1.0)).max()
assert wrong < 1e-6, f"λ = 1, T = 1: off by {wrong:.2g}. The first term again, with q as the label"
wrong = np.abs(kd_gradient(z, q, y, 1.0, 2.0) - differences(1.0, 2.0)).max()
assert wrong < 1e-6, (
    f"λ = 1, T = 2: off by {wrong:.2g}. z is divided by T: the chain rule gives 1/T"
)
wrong = np.abs(kd_gradient(z, q, y, 0.3, 2.0) - differences(0.3, 2.0)).max()
assert wrong < 1e-6, f"λ = 0.3, T = 2: off by {wrong:.2g}. λ and 1 − λ weigh the two, as they are"
### BEGIN HIDDEN TESTS
assert np.abs(kd_gradient(z, q, y, 0.3, 4.0) - differences(0.3, 4.0)).max() < 1e-6
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Distil (9 minutes)
#
# Complete two functions. `students` trains two networks with `train`, from the same seed: `plain` on the labels alone, `distilled` with the teacher at weight `lam`.
# `train` wants a function of the logits alone; a `lambda` with your `kd_gradient` inside will do. `gain` is how many *percentage points* of accuracy
# distillation adds; a network's prediction is its largest logit. (4 points)


# %% nbgrader={"grade_id": "students", "solution": true}
def students(x, soft, y, lam, temperature, seed):
    """Return two trained students: plain, distilled."""
    ### BEGIN SOLUTION
    plain, distilled = (
        train(x, lambda logits, w=weight: kd_gradient(logits, soft, y, w, temperature), seed)
        for weight in (0.0, lam)
    )
    ### END SOLUTION
    return plain, distilled


def gain(plain, distilled, x, digit):
    """Return the accuracy of `distilled` minus that of `plain` on these rows, percentage points."""
    ### BEGIN SOLUTION
    before, after = (
        np.mean(forward(network, x)[1].argmax(axis=1) == digit) for network in (plain, distilled)
    )
    return 100 * (after - before)
    ### END SOLUTION


# %% nbgrader={"grade_id": "students-check", "grade": true, "locked": true, "points": 4}
x = np.eye(10) + 0.1 * np.random.default_rng(2).normal(size=(10, 10))  # ten easy rows
y, next_digit = np.arange(10), np.roll(np.eye(10), 1, axis=1)  # a teacher who says y + 1
plain, distilled = students(x, next_digit, y, 1.0, 2.0, seed=0)
assert len(plain) == len(distilled) == 4, "each student is what `train` returns"
assert np.all(forward(plain, x)[1].argmax(1) == y), (
    "the plain student learns y; the teacher has no say"
)
assert np.all(forward(distilled, x)[1].argmax(1) == (y + 1) % 10), (
    "λ = 1: the teacher's answer alone"
)
colder = students(x, next_digit, y, 1.0, 1.0, seed=0)[1]
assert not np.allclose(colder[0], distilled[0]), "`temperature` has to reach `kd_gradient`"
first, second = students(x, next_digit, y, 0.0, 2.0, seed=0)
assert np.allclose(first[0], second[0]), "at λ = 0 both are the same: give both the same seed"
assert np.isclose(gain(plain, distilled, x, y), -100), (
    "all right before, all wrong after: gain −100"
)
assert np.isclose(gain(distilled, plain, x, y), 100), "distilled minus plain, in percentage points"
### BEGIN HIDDEN TESTS
mixed = train(x, lambda z: kd_gradient(z, next_digit, y, 0.3, 3.0), 1)
assert np.allclose(students(x, next_digit, y, 0.3, 3.0, seed=1)[1][0], mixed[0])
half = np.where(y < 5, y, 0)
assert np.isclose(gain(plain, plain, x, half), 0)
assert np.isclose(gain(plain, distilled, x, np.where(y < 5, y, (y + 1) % 10)), 0)
### END HIDDEN TESTS

# %% [markdown]
# `trial` puts it together, once: teacher, soft labels on the student's rows, two students, and the hidden layers on the *held-out* rows. Accuracy is measured there too, against
# the true digit. Leave `spoil` alone until part 7.


# %%
def trial(teacher, seed, lam=0.5, temperature=2.0, spoil=None, **data):
    """Return what the criterion sees (`h1`, `h2`, `y`) and the `gain` that it should foretell."""
    x1, x2, y, (teach, learn, held) = draw(teacher, seed, **data)
    nobody = np.full((len(teach), 10), 0.1)
    expert = train(x1[teach], lambda z: kd_gradient(z, nobody, y[teach], 0.0, 1.0), seed)
    logits = forward(expert, x1[learn])[1]
    soft = softmax((spoil(logits) if spoil else logits) / temperature, axis=1)
    plain, distilled = students(x2[learn], soft, y[learn], lam, temperature, seed + 1000)
    h1, h2 = forward(expert, x1[held])[0], forward(plain, x2[held])[0]
    right = np.mean(forward(expert, x1[held])[1].argmax(1) == labels[held])
    points = gain(plain, distilled, x2[held], labels[held])
    return {"h1": h1, "h2": h2, "y": y[held], "gain": points, "accuracy": right}


# %% [markdown]
# ## 4. Estimate mutual information (16 minutes)
#
# Kraskov, Stögbauer and Grassberger (2004) count neighbours. Take $n$ rows of $(a, b)$. Let $d_i$ be the distance from row $i$ to its $k$-th neighbour in the joint space, where the distance is
# the largest difference in any coordinate. Count the other rows nearer than $d_i$ in $a$ alone, $n_a(i)$, and in $b$ alone, $n_b(i)$. If $a$ and $b$ depend on each other, few rows are near in $a$
# and not in $b$, and the counts are small. With the digamma function $\psi$ and the mean over $i$,
#
# $$ \hat I(a;b) = \psi(k) + \psi(n) - \big\langle \psi(n_a + 1) + \psi(n_b + 1) \big\rangle. $$
#
# Two helpers are given.


# %%
def reach(points: np.ndarray, k: int) -> np.ndarray:
    """Return the distance from each row to its k-th neighbour [rows]."""
    return cKDTree(points).query(points, k + 1, p=np.inf)[0][:, -1]


def count(points: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return how many rows besides itself lie nearer to each row than its distance [rows]."""
    tree, radius = cKDTree(points), np.nextafter(distance, 0)
    return tree.query_ball_point(points, radius, p=np.inf, return_length=True) - 1


# %% [markdown]
# Complete `knn_information`. (3 points)


# %% nbgrader={"grade_id": "knn_information", "solution": true}
def knn_information(a, b, k=5):
    """Return the estimate of I(a;b), nats, from a [rows, units] and b [rows, units]."""
    ### BEGIN SOLUTION
    distance = reach(np.hstack([a, b]), k)
    near = digamma(count(a, distance) + 1) + digamma(count(b, distance) + 1)
    return digamma(k) + digamma(len(a)) - near.mean()
    ### END SOLUTION


# %% nbgrader={"grade_id": "knn_information-check", "grade": true, "locked": true, "points": 3}
rng = np.random.default_rng(3)
a, noise = rng.normal(size=(2, 1000, 1))
b = 0.8 * a + 0.6 * noise  # correlation 0.8: the truth is −½ ln(1 − 0.8²) = 0.51 nats
assert np.ndim(knn_information(a, b)) == 0, "return a single number: the mean over the rows"
assert np.isfinite(knn_information(a, b)), "ψ(0) is −∞: the formula adds 1 to each count"
value = knn_information(a, noise)
assert abs(value) < 0.1, (
    f"independent: near 0, you have {value:.2f}. Is the distance the joint one, at k? "
    "ψ of each count, then the mean? The signs?"
)
apart = [knn_information(a, rng.normal(size=a.shape)) for _ in range(10)]
assert min(apart) < 0, "independent: estimates lie on both sides of 0; do not cut them there"
assert abs(knn_information(a, b) - 0.51) < 0.08, "about 0.51 nats: 1 is added to each count"
peer = mutual_info_regression(a, b[:, 0], n_neighbors=5, random_state=0)[0]
value = knn_information(a / a.std(), b / b.std())
assert abs(value - peer) < 1e-3, (
    f"scikit-learn says {peer:.3f}, you {value:.3f}: is 1 added to each of the two counts, once?"
)
### BEGIN HIDDEN TESTS
wide = rng.normal(size=(2, 1000, 2))
truth = -np.log(1 - 0.6**2)
assert abs(knn_information(wide[0], 0.6 * wide[0] + 0.8 * wide[1]) - truth) < 0.1
assert abs(knn_information(a, b, k=20) - 0.51) < 0.08
### END HIDDEN TESTS

# %% [markdown]
# The label is not a number but a class, so there is no distance in $Y$. Ross (2014) therefore takes $d_i$ from the $k$-th neighbour *among the rows with the same label*. With
# $n_y(i)$ the number of rows that have the label of row $i$ (itself included) and $m(i)$ the other rows, of any label, nearer than $d_i$,
#
# $$ \hat I(h;y) = \psi(k) + \psi(n) - \big\langle \psi(n_y) + \psi(m + 1) \big\rangle. $$
#
# Complete `label_information`. Begin with an empty `distance` for all rows; `for c in np.unique(y)` goes through the classes, and `rows = y == c` says which of its places to fill. (3 points)


# %% nbgrader={"grade_id": "label_information", "solution": true}
def label_information(h, y, k=5):
    """Return the estimate of I(h;y), nats, from h [rows, units] and classes y [rows]."""
    ### BEGIN SOLUTION
    distance, same = np.empty(len(y)), np.empty(len(y))
    for c in np.unique(y):
        rows = y == c
        distance[rows], same[rows] = reach(h[rows], k), rows.sum()
    near = digamma(same) + digamma(count(h, distance) + 1)
    return digamma(k) + digamma(len(y)) - near.mean()
    ### END SOLUTION


# %% nbgrader={"grade_id": "label_information-check", "grade": true, "locked": true, "points": 3}
rng = np.random.default_rng(4)
y = rng.integers(0, 4, 800)
apart, blurred = y[:, None] + rng.normal(size=(2, 800, 1)) * [[[0.01]], [[1.0]]]
value = label_information(apart, y)
assert np.ndim(value) == 0, "return a single number: the mean over the rows"
assert abs(value - np.log(4)) < 0.05, (
    f"classes far apart: ln 4 = 1.39, you have {value:.2f}. Is n_y the size of the row's own class? "
    "Is 1 added to m? Is k as given?"
)
assert abs(label_information(rng.normal(size=(800, 1)), y)) < 0.1, "unrelated: near 0. m: any label"
zeros = [label_information(rng.normal(size=(800, 1)), y) for _ in range(10)]
assert min(zeros) < 0, "unrelated: estimates lie on both sides of 0; do not cut them there"
few = np.repeat([0, 1, 2], [5, 6, 13])  # far apart: what is left of the formula is ψ(n) − ⟨ψ(n_y)⟩
wide = 100 * few[:, None] + 3 * rng.normal(size=(24, 1))
told = digamma(24) - np.mean(digamma([5] * 5 + [6] * 6 + [13] * 13))
assert np.isclose(label_information(wide, few, k=3), told), (
    "n_y counts the row itself; the mean is over rows; a label is a name, not a number"
)
peer = mutual_info_classif(blurred, y, n_neighbors=5, random_state=0)[0]
wrong = label_information(blurred / blurred.std(), y) - peer
assert abs(wrong) < 1e-3, f"scikit-learn differs by {wrong:+.3f}: m counts rows of all labels"
### BEGIN HIDDEN TESTS
assert abs(label_information(apart, y * 7 - 3, k=10) - np.log(4)) < 0.05
assert label_information(np.hstack([blurred, apart]), y) > 1.0
### END HIDDEN TESTS

# %% [markdown]
# The gap of a trial is the left side minus the right side, with every unit at standard deviation 1. In 8 and 16 dimensions both estimates are low, the first more than the
# second, and the more so the fewer the rows: this gap leans to "no". Every trial holds out equally many rows, so that gaps can be compared.


# %%
def gap(made: dict) -> float:
    """Return I(H1;H2) − I(H2;Y) of a trial, nats."""
    h1, h2 = (h / h.std(axis=0) for h in (made["h1"], made["h2"]))
    return knn_information(h1, h2) - label_information(h2, made["y"])


# %% [markdown]
# ## 5. Decide (6 minutes)
#
# A single seed decides nothing. `interval` returns the ends of the 95 % interval of the mean, from Student's $t$ with $n-1$ degrees of freedom (`scipy.stats.t.ppf`). `decide` returns
# `"positive"` when the whole interval lies above zero, `"negative"` when it lies below, and `"unresolved"` otherwise. (4 points)


# %% nbgrader={"grade_id": "decide", "solution": true}
def interval(values):
    """Return the low and the high end of the 95 % t interval of the mean."""
    ### BEGIN SOLUTION
    n = len(values)
    half = scipy.stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / n**0.5
    return np.mean(values) - half, np.mean(values) + half
    ### END SOLUTION


def decide(values):
    """Return "positive", "negative" or "unresolved"."""
    ### BEGIN SOLUTION
    low, high = interval(values)
    return "positive" if low > 0 else "negative" if high < 0 else "unresolved"
    ### END SOLUTION


# %% nbgrader={"grade_id": "decide-check", "grade": true, "locked": true, "points": 4}
low, high = interval([1.0, 2.0, 6.0])
assert np.isclose(low + high, 6.0), "the middle is the mean"
assert not np.isclose(high - 3.0, 5.3664, atol=1e-3), "np.std divides by n: give it ddof=1"
assert not np.isclose(high - 3.0, 2.9939, atol=1e-2), "with three values t is 4.30, not 1.96"
assert not np.isclose(high - 3.0, 17.389, atol=1e-2), "the standard deviation, not the variance"
assert np.isclose(high - 3.0, 6.5724, atol=1e-3), (
    "t at 0.975, times the standard deviation, over the root of n"
)
cases = {"positive": [2, 3, 4], "negative": [-2, -3, -4], "unresolved": [-1, 0, 2]}
assert all(decide(v) == word for word, v in cases.items()), "compare both ends with zero"
### BEGIN HIDDEN TESTS
values = np.random.default_rng(5).normal(1, 2, 12)
assert np.allclose(interval(values), scipy.stats.ttest_1samp(values, 0).confidence_interval())
assert decide([1.0, 2.0, 3.0]) == "unresolved" and decide([0.1, -5, 5, 0.2]) == "unresolved"
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Compare (10 minutes)
#
# All five teachers, eight seeds each. This takes less than a minute. Look at your predictions once more while it runs.


# %%
def measure(seeds, **setting) -> tuple[list[float], list[float], list[float]]:
    """Return gaps (nats), gains (percentage points) and the teacher's accuracy, one per seed."""
    trials = [trial(seed=seed, **setting) for seed in seeds]
    return [gap(t) for t in trials], [t["gain"] for t in trials], [t["accuracy"] for t in trials]


gaps, gains, accuracy = {}, {}, {}
for name in TEACHERS:
    gaps[name], gains[name], accuracy[name] = measure(range(8), teacher=name)

# %% [markdown]
# From `gaps` and `gains` make two dictionaries with `decide`: `verdicts`, what the hypothesis says of each teacher, and `outcomes`, what happened. Then `agreed`, the number of teachers where both are
# resolved and equal. (3 points)

# %% nbgrader={"grade_id": "verdicts", "solution": true}
### BEGIN SOLUTION
verdicts = {name: decide(values) for name, values in gaps.items()}
outcomes = {name: decide(values) for name, values in gains.items()}
agreed = sum(verdicts[name] == outcomes[name] != "unresolved" for name in TEACHERS)
### END SOLUTION

# %% nbgrader={"grade_id": "verdicts-check", "grade": true, "locked": true, "points": 3}
for name in TEACHERS:
    assert verdicts[name] == decide(gaps[name]), f"verdicts: decide on the eight gaps of {name!r}"
    assert outcomes[name] == decide(gains[name]), f"outcomes: decide on the eight gains of {name!r}"
both = [(verdicts[name], outcomes[name]) for name in TEACHERS]
assert agreed == both.count(("positive",) * 2) + both.count(("negative",) * 2), "count equal signs"

# %%
fig, ax = plt.subplots(figsize=(7, 4.5))
for name, marker in zip(TEACHERS, "os^Dv"):
    at, up = np.mean(gaps[name]), np.mean(gains[name])
    reached = [[value - low, high - value] for value, (low, high) in
               ((at, interval(gaps[name])), (up, interval(gains[name])))]  # fmt: skip
    ax.errorbar(at, up, *[np.reshape(r, (2, 1)) for r in reached[::-1]], fmt=marker, label=name)
    print(f"{name:<16} teacher right {np.mean(accuracy[name]):.1%}, predicted {predicted[name]}, "
          f"gap {at:+.2f} nats: {verdicts[name]}, gain {up:+.1f}: {outcomes[name]}")  # fmt: skip
ax.axhline(0, color="gray", lw=0.8)
ax.axvline(0, color="gray", lw=0.8)
ax.set(xlabel="I(H1;H2) − I(H2;Y) (nats)", ylabel="gain (percentage points)")
ax.legend()
plt.show()

# %% [markdown]
# **In words.** (4 points, one each.) a) For which teacher were you most wrong (if for none, least sure), and what had you overlooked? b) Is the most accurate teacher the best one? c) In how many of the five is the hypothesis
# right, and how many would *always distil* and *never distil* get right? An unresolved outcome counts for nobody. d) Why are $H_1$ and $H_2$ taken from held-out rows?

# %% [markdown] nbgrader={"grade_id": "comparison", "grade": true, "solution": true, "points": 4}
# ### BEGIN SOLUTION
# a) Usually the second image or the left half: right about the digit, yet no help. b) No. The whole image and the second image make the most accurate teachers; the clean right half
# helps more than either, and the second image is not shown to help at all. c) The hypothesis in four, *always* in two, *never* in two; the second image is unresolved and counts for
# none. A criterion must beat the better of the two, and five teachers are few. d) On their own training rows both networks have learned labels by heart:
# the hidden layers then share the label itself, and both informations come out too large.
# ### END SOLUTION

# %% [markdown]
# ## 7. Where the hypothesis is wrong (19 minutes)
#
# **It says yes, and distillation hurts.** The hypothesis looks at $H_1$, not at what the teacher says. Take the teacher with the largest gap in part 6. Write `spoil`, a function from the teacher's logits [rows, 10] to other
# logits of the same shape. The hidden layers stay as they are, and so does the gap; but now `decide` shall call the gains of eight seeds negative. It may look at the logits only, and must treat
# every row alike. (4 points)


# %% nbgrader={"grade_id": "spoil", "solution": true}
def spoil(logits):
    """Return logits [rows, 10] that make a bad teacher of a good one."""
    ### BEGIN SOLUTION
    return np.roll(logits, 1, axis=1)  # sure of the next digit
    ### END SOLUTION


# %% nbgrader={"grade_id": "spoil-check", "grade": true, "locked": true, "points": 4}
z = np.random.default_rng(6).normal(size=(30, 10))
assert np.shape(spoil(z)) == (30, 10), "ten logits for each row"
order = np.random.default_rng(7).permutation(30)
assert np.allclose(spoil(z.copy())[order], spoil(z[order])), (
    "treat every row alike: no random numbers, no look at other rows"
)
most = max(TEACHERS, key=lambda name: np.mean(gaps[name]))
same_gaps, spoilt_gains, _ = measure(range(8), teacher=most, spoil=spoil)
assert np.allclose(same_gaps, gaps[most]), (
    "the gaps are not those of part 6: look at the logits only"
)
assert decide(same_gaps) == "positive", "the largest gap is not above zero: see part 4"
assert decide(spoilt_gains) == "negative", (
    f"mean gain {np.mean(spoilt_gains):+.1f}: not yet harmful for certain. "
    "What would a teacher say who is sure, and wrong?"
)

# %% [markdown]
# **It says no, and distillation helps.** Define `setting`, a dictionary with `teacher` (a name in `TEACHERS`) and any of `lam`, `temperature`, `n_student`, `label_errors`, such that
# `decide` calls the gap negative and the gain positive. Think first: when are a teacher's answers better to learn from
# than the labels that the student has? What if some of these are wrong? Try a few: `g, p, _ = measure(range(8), teacher="same half")`, then `decide(g), decide(p)`.
# The check takes sixteen seeds that you have not tried. Run it when you believe in a setting, not to search. (4 points)

# %% nbgrader={"grade_id": "setting", "solution": true}
### BEGIN SOLUTION
setting = {"teacher": "left half", "n_student": 600, "label_errors": 0.1}
### END SOLUTION

# %% nbgrader={"grade_id": "setting-check", "grade": true, "locked": true, "points": 4}
new_gaps, new_gains, _ = measure(range(100, 116), **setting)
print(f"gap {np.mean(new_gaps):+.2f} nats, gain {np.mean(new_gains):+.1f} percentage points")
assert decide(new_gaps) == "negative", "the gap is not below zero for certain: fewer errors?"
assert decide(new_gains) == "positive", (
    "no certain help. Whose errors does a teacher of 600 rows average out, and which teacher knows "
    "enough? Has the student rows enough to tell its answers from noise? Is λ too large?"
)

# %% [markdown]
# **In words.** (5 points.) a) What does the hypothesis leave out, in the first case and in the second? (2) b) Why does the check use new seeds? (1) c) You have a pair of models of your own. What would you
# measure before you distil, and which result would change your mind? (2)

# %% [markdown] nbgrader={"grade_id": "limits", "grade": true, "solution": true, "points": 5}
# ### BEGIN SOLUTION
# a) First: what the teacher says. $H_1$ is the same, the answers are not; the hypothesis assumes a teacher whose output layer is as good as its hidden one. Second: how good the student's labels are and how many rows it has. Where
# labels are often wrong, a weak answer that averages over 600 rows is worth more than the label, though it shares little with what the student sees. b) A setting picked because it looked good on
# some seeds owes part of that to chance; new seeds do not. c) Held-out accuracy and calibration of the teacher, the gap with its interval over seeds, and a small trial: two students, with and without
# teacher, several seeds. An interval of the gain that leaves out zero changes the mind, whatever the gap says.
# ### END SOLUTION

# %% [markdown]
# ## Answer
#
# You have your own: it stands in the figure of part 6 and in the two counterexamples of part 7. The book *When does cross-modal distillation help?* does the same with five estimators, real data of several modalities, and a theory that says
# when the sign must be right.
