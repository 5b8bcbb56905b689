"""Hidden layers of models as people have them, and the verdict on two of them."""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

from cchkd_utils import criterion
from cchkd_utils.distill import assess_models, collect

N, D = 300, 12


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def mlp(out=3):
    return nn.Sequential(nn.Linear(D, 8), nn.ReLU(), nn.Linear(8, out))


def rows(n=N):
    return torch.randn(n, D)


def loader(*arrays, size=64, **options):
    return DataLoader(TensorDataset(*arrays), batch_size=size, **options)


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.drop(self.body(x).flatten(1)))


class Encoder(nn.Module):
    """Attention over steps; its mean enters the head."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(D, 3, 16, batch_first=True)
        self.body, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), None
        self.head = nn.Linear(D, 3)

    def forward(self, x):
        return self.head(self.body(x).mean(1))


class HuggingFaceLike(nn.Module):
    """Called by name; returns an object with loss and logits."""

    def __init__(self):
        super().__init__()
        self.body, self.classifier = nn.Linear(D, 8), nn.Linear(8, 3)

    def forward(self, input_ids=None, attention_mask=None, labels=None):
        assert labels is None  # no loss is wanted
        h = self.body(input_ids * attention_mask).tanh()
        return SimpleNamespace(loss=torch.zeros(()), logits=self.classifier(h))


class LightningLike(nn.Module):
    """Several inputs; outputs in a tuple, after something that is no tensor."""

    def __init__(self):
        super().__init__()
        self.net = mlp()

    def forward(self, first, second):
        return {"seconds": 3.0}, self.net(first + second)


def test_an_mlp_gives_what_enters_its_head_in_order():
    model, x = mlp(), rows()
    hidden, outputs = collect(model, model[-1], loader(x, torch.zeros(N)))
    with torch.no_grad():
        np.testing.assert_allclose(hidden, model[:-1](x), atol=1e-6)
        np.testing.assert_allclose(outputs, model(x), atol=1e-6)
    assert not model[-1]._forward_pre_hooks
    assert np.array_equal(hidden, collect(model, "2", loader(x)).hidden)
    assert np.array_equal(hidden, collect(model, None, [x]).hidden)


@pytest.mark.parametrize(
    ("model", "shape", "head"),
    [(Convolutional(), (1, 8, 8), "head"), (Encoder(), (5, D), "head")],
    ids=["cnn", "transformer"],
)
def test_evaluation_mode_while_collecting_and_the_old_one_after(model, shape, head):
    model.train()
    model.get_submodule("body")[0].eval() if head == "frozen" else model.body.eval()
    before = [module.training for module in model.modules()]
    x = torch.randn(50, *shape)
    first, second = (collect(model, head, loader(x, size=size)) for size in (7, 50))
    np.testing.assert_allclose(first.hidden, second.hidden, atol=1e-5)  # no dropout, stored norms
    assert [module.training for module in model.modules()] == before
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_resnet():
    torchvision = pytest.importorskip("torchvision")
    model = torchvision.models.resnet18(num_classes=5)
    hidden, outputs = collect(model, model.fc, loader(torch.randn(6, 3, 32, 32), size=4))
    assert hidden.shape == (6, 512) and outputs.shape == (6, 5)


def test_calls_by_name_and_several_inputs():
    model, x = HuggingFaceLike(), rows(20)
    batch = {"input_ids": x, "attention_mask": torch.ones(20, D), "labels": torch.zeros(20)}
    hidden, outputs = collect(model, model.classifier, [batch])
    assert hidden.shape == (20, 8) and outputs.shape == (20, 3)
    model = LightningLike()
    Batch = namedtuple("Batch", "first second label")
    pair = [Batch(x, x, torch.zeros(20))]
    assert np.array_equal(
        collect(model, None, pair).outputs, collect(model, None, [(x, x, None)]).outputs
    )
    swapped = collect(model, None, [{"z": [x]}], call=lambda m, batch: m(*batch["z"], 0 * x)[1])
    np.testing.assert_allclose(
        swapped.outputs, collect(model, None, [(x, 0 * x, None)]).outputs, atol=1e-6
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_weights_of_every_precision(dtype):
    model, x = mlp(), rows(40)
    whole = collect(model, None, loader(x))
    coarse = collect(model.to(dtype), None, loader(x))
    assert coarse.hidden.dtype == np.float32
    np.testing.assert_allclose(coarse.hidden, whole.hidden, atol=0.05)


def test_a_wrapped_model_is_unwrapped():
    model, x = mlp(), rows(40)
    wrapped = nn.DataParallel(model)
    assert np.array_equal(collect(wrapped, model[-1], loader(x)).hidden,
                          collect(model, None, loader(x)).hidden)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "head", "batches", "said"),
    [
        (mlp(), nn.Linear(8, 3), [rows(4)], "no part of the model"),
        (mlp(), "fc", [rows(4)], "has no part 'fc': it has 0, 1, 2"),
        (nn.Sequential(nn.ReLU()), None, [rows(4)], "no torch.nn.Linear"),
        (mlp(), None, [], "no batch"),
        (LightningLike(), "net", [(rows(4), rows(4), None)], None),
        (nn.Sequential(mlp(D), mlp(D)), "0", [rows(4)], None),
        (SimpleNamespace, None, None, "shuffles"),
    ],
)
def test_what_cannot_be_collected_is_refused_in_one_line(model, head, batches, said):
    if said == "shuffles":
        model, batches = mlp(), loader(rows(), shuffle=True)
    if said is None:
        assert len(collect(model, head, batches).hidden) == 4
        return
    with pytest.raises(ValueError, match=said) as error:
        collect(model, head, batches)
    assert "\n" not in str(error.value)


def test_a_head_that_runs_twice_is_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = nn.Linear(D, D)

        def forward(self, x):
            return self.part(self.part(x))

    with pytest.raises(ValueError, match="ran 2 times"):
        collect(Twice(), None, [rows(4)])


def test_an_error_in_the_model_leaves_it_as_it_was():
    model = mlp().train()
    with pytest.raises(RuntimeError):
        collect(model, None, [rows(4)[:, :3]])
    assert model.training and not model[-1]._forward_pre_hooks


def test_progress_on_long_loaders(capsys, monkeypatch):
    monkeypatch.setattr("cchkd_utils.distill.own_models.QUIET", 0.0)
    collect(mlp(), None, loader(rows(20), size=5))
    assert "batches collected: 1 of 4" in capsys.readouterr().err
    monkeypatch.undo()
    collect(mlp(), None, loader(rows(20), size=5))
    assert capsys.readouterr().err == ""


@pytest.fixture
def pair():
    teacher, student, x = mlp(), mlp(), rows()
    y = (teacher(x) + student(x)).argmax(1)
    return teacher, student, x, y


def test_two_models_and_their_loaders_give_the_verdict_of_their_layers(pair):
    teacher, student, x, y = pair
    verdict = assess_models(teacher, student, loader(x, y), loader(x, y), checks=False)
    sides = [collect(model, None, loader(x, y)) for model in (teacher, student)]
    expected = criterion.assess(
        sides[0].hidden, sides[1].hidden, y, teacher_logits=sides[0].outputs,
        student_logits=sides[1].outputs, checks=False,
    )  # fmt: skip
    assert verdict.gap == expected.gap and verdict.rivals == expected.rivals


def test_rows_in_another_order_are_refused(pair):
    teacher, student, x, y = pair
    order = torch.randperm(N)
    with pytest.raises(ValueError, match="labels of the two loaders differ, in row"):
        assess_models(teacher, student, loader(x, y), loader(x[order], y[order]))
    with pytest.raises(ValueError, match="300 rows, the student's 290"):
        assess_models(teacher, student, loader(x, y), loader(x[:290], y[:290]))
    with pytest.raises(ValueError, match="ids of the two loaders differ"):
        assess_models(teacher, student, loader(x, y), loader(x, y), ids=(np.arange(N), order))
    named = [
        [{"input_ids": x, "attention_mask": torch.ones(N, D), "labels": y, "id": ids}]
        for ids in (torch.arange(N), order)
    ]
    with pytest.raises(ValueError, match="ids of the two loaders differ"):
        assess_models(HuggingFaceLike(), HuggingFaceLike(), *named)


@pytest.mark.parametrize("side", [0, 1])
def test_a_shuffling_loader_is_refused(pair, side):
    teacher, student, x, y = pair
    loaders = [loader(x, y, shuffle=side == 0), loader(x, y, shuffle=side == 1)]
    with pytest.raises(ValueError, match="shuffle=False"):
        assess_models(teacher, student, *loaders)


def test_rows_that_cannot_be_compared_are_said(pair):
    teacher, student, x, y = pair
    with pytest.warns(UserWarning, match="taken on trust"):
        assess_models(teacher, student, [x], [x], labels=y, checks=False)
    with pytest.raises(ValueError, match="no labels"), pytest.warns(UserWarning, match="on trust"):
        assess_models(teacher, student, [x], [x])
    with pytest.warns(UserWarning, match="drop_last: 44 rows are left out"):
        assess_models(
            teacher, student, loader(x, y, drop_last=True), loader(x, y, drop_last=True),
            checks=False,
        )  # fmt: skip


def test_loaders_of_other_kinds(pair):
    teacher, student, x, y = pair

    class Stream(IterableDataset):
        def __iter__(self):
            return iter(zip(x, y))

    half = Subset(TensorDataset(x, y), range(0, N, 2))
    for made in (DataLoader(Stream(), batch_size=50), DataLoader(half, batch_size=50)):
        verdict = assess_models(teacher, student, made, made, checks=False, rivals=False)
        assert verdict.n in (N, N // 2)
