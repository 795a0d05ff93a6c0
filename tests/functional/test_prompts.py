"""Scores of a prompt pair and the losses around them: against values worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from rave_mm.functional import (
    PUBLISHED_MARGINS,
    clip_enhance_loss,
    prompt_initialisation_loss,
    prompt_ranking_loss,
    prompt_score,
)
from tests.functional.rows import unit_rows


class TestPromptScore:
    def test_by_hand(self) -> None:
        embeddings = torch.tensor([[1.0, 0], [0, 1], [math.sqrt(0.5), math.sqrt(0.5)]])
        found = prompt_score(embeddings, torch.tensor([[2.0, 0], [0, 5]]), scale=2)
        high = math.exp(2) / (math.exp(2) + 1)
        torch.testing.assert_close(found, torch.tensor([high, 1 - high, 0.5]))

    def test_lengths_of_the_pair_do_not_matter(self) -> None:
        embeddings, pair = unit_rows(4, 8), torch.randn(2, 8)
        scaled = pair * torch.tensor([[0.1], [30.0]])
        torch.testing.assert_close(prompt_score(embeddings, pair), prompt_score(embeddings, scaled))

    def test_swapped_pair_gives_the_rest(self) -> None:
        embeddings, pair = unit_rows(4, 8), torch.randn(2, 8)
        total = prompt_score(embeddings, pair, 3) + prompt_score(embeddings, pair.flip(0), 3)
        torch.testing.assert_close(total, torch.ones(4))

    def test_loss_is_its_mean(self) -> None:
        embeddings, pair = unit_rows(4, 8), torch.randn(2, 8)
        loss = clip_enhance_loss(embeddings, pair, 3)
        torch.testing.assert_close(loss, prompt_score(embeddings, pair, 3).mean())

    @pytest.mark.parametrize("shape", [(1, 8), (3, 8), (2, 7), (8,)])
    def test_wrong_pair(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"expected \(2, 8\): the negative"):
            prompt_score(unit_rows(4, 8), torch.ones(shape))


class TestPromptInitialisationLoss:
    def test_by_hand(self) -> None:
        embeddings, pair = torch.eye(2), torch.eye(2)
        right = prompt_initialisation_loss(embeddings, pair, torch.tensor([0, 1]), scale=2)
        wrong = prompt_initialisation_loss(embeddings, pair, torch.tensor([1, 0]), scale=2)
        assert right.item() == pytest.approx(math.log(1 + math.exp(-2)))
        assert wrong.item() == pytest.approx(math.log(1 + math.exp(2)))

    @pytest.mark.parametrize("labels", [torch.tensor([0]), torch.tensor([0.0, 1.0])])
    def test_wrong_labels(self, labels: Tensor) -> None:
        with pytest.raises(ValueError, match="one torch.int64 label for each"):
            prompt_initialisation_loss(torch.eye(2), torch.eye(2), labels)


class TestPromptRankingLoss:
    backlit = torch.tensor([0.9, 0.5])
    well_lit = torch.tensor([0.2, 0.3])
    older = torch.tensor([0.7, 0.6])
    newer = torch.tensor([0.4, 0.8])

    def test_round_0_by_hand(self) -> None:
        loss = prompt_ranking_loss(self.backlit, self.well_lit)
        assert loss.item() == pytest.approx((0.3 + 0.8) / 2)

    def test_round_1_by_hand(self) -> None:
        loss = prompt_ranking_loss(self.backlit, self.well_lit, (self.newer,))
        first = (0.2 - 0.9 + 0.9) + (0.4 - 0.9 + 0.9) + (0.2 - 0.4 + 0.2)
        second = (0.3 - 0.5 + 0.9) + (0.8 - 0.5 + 0.9) + 0
        assert loss.item() == pytest.approx((first + second) / 2)

    def test_later_rounds_by_hand(self) -> None:
        loss = prompt_ranking_loss(
            self.backlit, self.well_lit, (self.older, self.newer), (0.9, 0.1, 0.15)
        )
        first = (0.2 - 0.9 + 0.9) + (0.7 - 0.9 + 0.9) + 0 + 0
        second = (0.3 - 0.5 + 0.9) + (0.6 - 0.5 + 0.9) + 0 + (0.8 - 0.6 + 0.15)
        assert loss.item() == pytest.approx((first + second) / 2)

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_published_margins_are_the_default(self, count: int) -> None:
        results = (self.older, self.newer)[:count]
        named = prompt_ranking_loss(self.backlit, self.well_lit, results, PUBLISHED_MARGINS[count])
        assert prompt_ranking_loss(self.backlit, self.well_lit, results) == named

    def test_gradient_ranks_the_scores(self) -> None:
        backlit, older, newer, well_lit = (
            torch.full((1,), 0.5, requires_grad=True) for _ in "1234"
        )
        prompt_ranking_loss(backlit, well_lit, (older, newer)).backward()
        assert [s.grad.item() for s in (backlit, older, newer, well_lit)] == [-2, 0, 0, 2]

    def test_well_ranked_scores_cost_nothing(self) -> None:
        loss = prompt_ranking_loss(torch.ones(3), torch.zeros(3), margins=(1.0,))
        assert loss.item() == 0

    @pytest.mark.parametrize(("count", "margins"), [(0, (1.0, 0.2)), (1, (0.9,)), (2, (0.9, 0.1))])
    def test_wrong_number_of_margins(self, count: int, margins: tuple[float, ...]) -> None:
        with pytest.raises(ValueError, match=f"for {count} results; expected {count + 1}"):
            prompt_ranking_loss(self.backlit, self.well_lit, (self.older,) * count, margins)

    def test_too_many_results(self) -> None:
        with pytest.raises(ValueError, match="got 3 results; expected at most 2"):
            prompt_ranking_loss(self.backlit, self.well_lit, (self.older,) * 3)

    def test_shapes_differ(self) -> None:
        with pytest.raises(ValueError, match="the same .N,. for all"):
            prompt_ranking_loss(self.backlit, self.well_lit[:1])

    def test_empty_batch(self) -> None:
        with pytest.raises(ValueError, match="N above 0"):
            prompt_ranking_loss(torch.empty(0), torch.empty(0))
