"""A simulated stand-in for CMU-MOSEI: sequences of three modalities that share what is known.

Nobody spoke these utterances. Each has a sentiment s ~ N(0, 1) and style factors u ~ N(0, I) (who
speaks, how loud, how lit); both are the same for text, audio and vision. Modality m shows

    h_m = w_m s + V_m u + σ_m ε_m,   ε_m ~ N(0, I),

in its d features, where w_m and the columns of V_m are random directions of length 1, the same for
all utterances of a seed. h_m stands at every step of an utterance under noise of the step. All that
h_m tells about s is how far w_m s stands out from the rest, about 1/σ_m; σ_m grows from text to
audio to vision, so that I(X; Y) falls in this order. The label is a noisy reading of s on MOSEI's
scale: thirds from -3 to 3.
"""

import zlib

import numpy as np

STEPS = 50
FEATURES = {"text": 300, "audio": 74, "vision": 35}  # as in the MulT files of CMU-MOSEI
NOISE = {"text": 0.35, "audio": 0.9, "vision": 1.3}  # σ_m: less noise, more information
STYLES = 3  # style factors u
_SHORTEST = 5
_PER_VIDEO = 7  # utterances, on average


def simulate(n_train, n_test, seed=0):
    """Draw both splits of a simulated data set, in the shape that the readers of `layouts` return.

    Sequences [n, 50, d] are zeros beyond an utterance's length; no video is in both splits.
    """
    rng = np.random.default_rng([zlib.crc32(b"mosei"), seed])
    maps = {name: _directions(rng, d) for name, d in FEATURES.items()}
    parts, first = {}, 0
    for split, n in (("train", n_train), ("test", n_test)):
        parts[split], first = _draw(rng, n, maps, first)
    return parts


def _directions(rng, d):
    """Return w_m and V_m as rows of length 1, [1 + STYLES, d]."""
    rows = rng.standard_normal((1 + STYLES, d), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _draw(rng, n, maps, first_video):
    factors = rng.standard_normal((n, 1 + STYLES), np.float32)
    reading = 1.2 * factors[:, 0] + 0.9 * rng.standard_normal(n)
    lengths = rng.integers(_SHORTEST, STEPS + 1, n)
    measured = np.arange(STEPS) < lengths[:, None]
    out = {"labels": np.clip(np.rint(3 * reading) / 3, -3, 3)}
    for name, directions in maps.items():
        d = directions.shape[1]
        shown = factors @ directions + NOISE[name] * rng.standard_normal((n, d), np.float32)
        out[name] = np.zeros((n, STEPS, d), np.float32)
        steps = rng.standard_normal((int(measured.sum()), d), np.float32)
        out[name][measured] = steps + np.repeat(shown, lengths, axis=0)
    video = first_video + np.sort(rng.integers(0, max(2, n // _PER_VIDEO), n))
    clip = np.arange(n) - np.searchsorted(video, video)
    out["ids"] = np.array([f"v{v}[{c}]" for v, c in zip(video, clip)])
    return out, int(video.max()) + 1
