"""Time beyond a full audit: evenly spent, never begun what would take too long, and told."""

from __future__ import annotations

from gradcheck.engine.further import LONGEST, Account, Deadline
from gradcheck.evidence.base import Finding, Piece, Plan, not_run
from gradcheck.evidence.sizes import LARGEST, grown
from gradcheck.reference.networks.base import Sizes


def concluded(*_: object) -> Finding:
    return not_run("modular", "")


def account(last: float = 0.1, *, cumulative: bool = False) -> Account:
    def further(number: int) -> Piece:
        size = grown(Sizes(10, 4, 1, 1), number)
        return Piece(str(size), lambda before, told: {}, size)

    return Account(Plan("modular", (), concluded, cumulative=cumulative, further=further), (), last)


def test_pieces_come_in_order_and_are_entered() -> None:
    spent = account()
    first = [spent.next(100.0) for _ in range(3)]
    assert [(p.number, p.piece.label) for p in first if p][0] == (0, str(Sizes(13, 4, 1, 1)))
    assert spent.used == sum(p.predicted for p in first if p), "a piece under way is not counted as used"
    for planned in first:
        assert planned is not None
        spent.enter(planned, {}, 2.0)
    assert spent.used == 6.0
    assert spent.text == "modular 3 (T up to 17, I up to 5)"


def test_what_would_take_longer_than_is_left_is_not_begun() -> None:
    spent = account(last=5.0)
    assert spent.next(left=4.0) is None
    assert not spent.open


def test_nothing_is_begun_that_a_call_may_not_take() -> None:
    assert account(last=LONGEST + 1).next(left=1e9) is None


def test_a_proof_is_expected_to_take_longer_each_time() -> None:
    assert account(last=5.0, cumulative=True).next(left=29.0) is None
    assert account(last=5.0, cumulative=True).next(left=31.0) is not None


def test_growth_that_was_seen_is_expected_to_go_on() -> None:
    spent = account(last=0.5)
    for seconds in (1.0, 4.0, 16.0):
        planned = spent.next(1e9)
        assert planned is not None
        spent.enter(planned, {}, seconds)
    assert spent.next(left=17.0) is None, "a larger size than one of 16 s was begun with 17 s left"


def test_a_kind_that_has_no_further_pieces_ends() -> None:
    spent = Account(Plan("ladder", (), concluded), (), 0.1)
    assert spent.next(1.0) is None and not spent.open


def test_what_is_too_large_is_passed_over_for_what_is_not() -> None:
    def further(number: int) -> Piece:
        size = Sizes(1000 if number % 4 == 0 else 10, 4, 1, 1)
        return Piece(f"{number}", lambda before, told: {}, size)

    spent = Account(Plan("float64", (), concluded, further=further), (), 0.1)
    spent.plan.budget.record(Sizes(10, 4, 1, 1), 1.0)
    numbers = [each.number for each in (spent.next(left=10.0) for _ in range(6)) if each]
    assert numbers == [1, 2, 3, 5, 6, 7]


def test_a_deadline_passes() -> None:
    now = [100.0]
    deadline = Deadline(60.0, clock=lambda: now[0])
    assert deadline.left == 60
    now[0] += 61
    assert deadline.left < 0


def test_sizes_grow_without_end_in_every_direction() -> None:
    sizes = [grown(Sizes(10, 4, 1, 1), number) for number in range(40)]
    assert len(set(sizes)) == 40
    for name in ("T", "I"):
        values = [getattr(size, name) for size in sizes]
        assert values == sorted(values) and values[-1] > 10 * values[0], f"{name} does not grow: {values}"
    assert {size.D for size in sizes} >= {1, 2, 3} and {size.K for size in sizes} >= {1, 2}
    last = grown(Sizes(10, 4, 1, 1), 10**9)
    assert (last.T, last.I) == (LARGEST.T, LARGEST.I)
