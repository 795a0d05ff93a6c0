import pytest
import torch

from rave_mm.losses.pictures import by_scale, check_values, frames


def test_one_result_and_its_target_stay_as_they_are() -> None:
    pred, target = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 4, 4)
    ((result, other),) = by_scale(pred, target)
    assert result is pred and other is not None
    torch.testing.assert_close(other, target)
    ((_, nothing),) = by_scale(pred)
    assert nothing is None


def test_a_target_is_averaged_to_the_size_of_each_result() -> None:
    """Worked out by hand: the mean of each square of four."""
    target = torch.arange(16.0).view(1, 1, 4, 4)
    scales = by_scale([torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 2, 2)], target)
    assert [other.shape[-1] for _, other in scales if other is not None] == [4, 2]
    assert scales[1][1] is not None
    assert scales[1][1].flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_clips_keep_their_frames_apart() -> None:
    target = torch.rand(2, 5, 3, 8, 8)
    (_, small) = by_scale([target, torch.zeros(2, 5, 3, 4, 4)], target)[1]
    assert small is not None and small.shape == (2, 5, 3, 4, 4)
    torch.testing.assert_close(small[1, 3, :, 0, 0], target[1, 3, :, :2, :2].mean((1, 2)))
    assert frames(target).shape == (10, 3, 8, 8)
    torch.testing.assert_close(frames(target)[8], target[1, 3])


def test_a_target_gets_no_gradient() -> None:
    target = torch.rand(1, 3, 4, 4, requires_grad=True)
    for pred in (torch.rand(1, 3, 4, 4), [torch.rand(1, 3, 2, 2)]):
        assert all(
            other is not None and not other.requires_grad for _, other in by_scale(pred, target)
        )
    assert not by_scale([target], [target])[0][1].requires_grad  # type: ignore[union-attr]


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="got 2 results and 1 targets"):
        by_scale([torch.zeros(1, 3, 2, 2)] * 2, [torch.zeros(1, 3, 2, 2)])
    with pytest.raises(ValueError, match="got 0 results and 0 targets"):
        by_scale([])
    with pytest.raises(TypeError, match="got a result of type dict"):
        by_scale([{}])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"shape \(3, 8, 8\); expected \(N, C, H, W\)"):
        frames(torch.zeros(3, 8, 8))


@pytest.mark.parametrize(
    ("pictures", "value_range"),
    [
        (torch.tensor([-1.0, 1.0]), (0.0, 1.0)),
        (torch.tensor([0.0, 255.0]), (0.0, 1.0)),
        (torch.tensor([0.0, 255.0]), (-1.0, 1.0)),
        (torch.tensor([-2.1, 2.6]), (0.0, 1.0)),  # ImageNet's mean and standard deviation
    ],
)
def test_another_range_is_refused(pictures: torch.Tensor, value_range: tuple[float, float]) -> None:
    with pytest.raises(
        ValueError, match=r"X: got pictures with values in .* expected value_range="
    ):
        check_values(pictures, value_range, "X")


def test_overshoot_and_nan_pass() -> None:
    assert check_values(torch.tensor([-0.1, 1.1]), (0.0, 1.0), "X") == pytest.approx((-0.1, 1.1))
    check_values(torch.tensor([torch.nan, 0.5]), (0.0, 1.0), "X")  # for the loss to tell
