"""What a simulation orders: read from a purchase log, or made up."""

from collections import Counter
from decimal import Decimal

import pytest

from project.console.simulation_plan import BadLog, make_up, read_log

HEADER = "customer,placed_at,sku,quantity,unit_price"


@pytest.fixture
def log(tmp_path):
    """Write a log of these lines, and give its path."""

    def log(*lines: str, header: str = HEADER, encoding: str = "utf-8"):
        path = tmp_path / "log.csv"
        path.write_text("\n".join((header, *lines)) + "\n", encoding=encoding)
        return path

    return log


def baskets(plan) -> list[tuple[str, dict[str, int]]]:
    return [(basket.customer, dict(basket.units)) for basket in plan.baskets()]


def problems(path) -> list[str]:
    with pytest.raises(BadLog) as refusal:
        read_log(path)
    return list(refusal.value.problems)


def test_rows_of_one_customer_and_day_are_one_order_wherever_they_stand(log):
    plan = read_log(
        log(
            "ann,2026-01-02,TEA,1,2.50",
            "bob,2026-01-01,TEA,2,2.50",
            "ann,2026-01-01,CUP,1,4.00",
            "ann,2026-01-02T18:30:00,CUP,3,4.00",
        )
    )
    assert baskets(plan) == [("bob", {"TEA": 2}), ("ann", {"CUP": 1}), ("ann", {"TEA": 1, "CUP": 3})]
    assert plan.orders == 3
    assert plan.customers == ["ann", "bob"]
    assert plan.prices == {"CUP": Decimal("4.00"), "TEA": Decimal("2.50")}


def test_quantities_of_a_product_that_stands_twice_in_an_order_add_up(log):
    plan = read_log(log("ann,2026-01-01,TEA,1,2.50", "ann,2026-01-01,TEA,4,2.50"))
    assert baskets(plan) == [("ann", {"TEA": 5})]


def test_the_demand_is_what_all_orders_ask_for(log):
    plan = read_log(log("ann,2026-01-01,TEA,1,2.50", "bob,2026-01-01,TEA,4,2.50", "bob,2026-01-03,CUP,2,1"))
    assert plan.demand() == Counter(TEA=5, CUP=2)


def test_a_product_has_the_price_of_its_latest_day(log):
    plan = read_log(log("ann,2026-01-03,TEA,1,3.00", "ann,2026-01-02,TEA,1,2.00", "ann,2026-01-01,TEA,1,1.00"))
    assert plan.prices == {"TEA": Decimal("3.00")}


def test_columns_may_stand_in_any_order_among_others_with_spaces_and_a_byte_order_mark(log):
    path = log(
        "2.50, ann ,note,1,TEA,2026-01-01",
        "",
        header="unit_price, customer,remark,quantity,sku,placed_at",
        encoding="utf-8-sig",
    )
    assert baskets(read_log(path)) == [("ann", {"TEA": 1})]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",2026-01-01,TEA,1,2.50", "customer is empty"),
        ("a\0b,2026-01-01,TEA,1,2.50", "customer contains a NUL character"),
        ("ann,,TEA,1,2.50", "placed_at is empty"),
        ("ann,2026-02-30,TEA,1,2.50", "placed_at '2026-02-30' is no date"),
        ("ann,yesterday,TEA,1,2.50", "placed_at 'yesterday' is no date"),
        ("ann,2026-01-01, ,1,2.50", "sku is empty"),
        ("ann,2026-01-01,T/A,1,2.50", "sku 'T/A': Use letters"),
        (f"ann,2026-01-01,{'T' * 65},1,2.50", "at most 64 characters"),
        ("ann,2026-01-01,TEA,0,2.50", "quantity '0' is not a whole number from 1 to 10000"),
        ("ann,2026-01-01,TEA,-1,2.50", "quantity '-1' is not a whole number"),
        ("ann,2026-01-01,TEA,1.5,2.50", "quantity '1.5' is not a whole number"),
        ("ann,2026-01-01,TEA,many,2.50", "quantity 'many' is not a whole number"),
        ("ann,2026-01-01,TEA,10001,2.50", "quantity '10001' is not a whole number"),
        (f"ann,2026-01-01,TEA,{'9' * 5000},2.50", "is not a whole number"),
        ("ann,2026-01-01,TEA,1,-2.50", "unit_price '-2.50' is not a number from 0"),
        ("ann,2026-01-01,TEA,1,2.505", "unit_price '2.505' is not a number from 0"),
        ("ann,2026-01-01,TEA,1,NaN", "unit_price 'NaN' is not a number from 0"),
        ("ann,2026-01-01,TEA,1,10000000000", "unit_price '10000000000' is not a number from 0"),
        ("ann,2026-01-01,TEA,1", "unit_price is missing"),
        ("ann,2026-01-01,TEA,1,2.50,more", "more values than the first line names columns"),
    ],
)
def test_a_bad_row_is_named_by_line_and_reason(log, row, reason):
    (problem,) = problems(log("bob,2026-01-01,TEA,1,2.50", row))
    assert problem.startswith("line 3: ")
    assert reason in problem


def test_all_that_is_wrong_is_named_row_by_row(log):
    assert [problem[:12] for problem in problems(log(",2026-01-01,,1,1", "ann,2026-01-01,TEA,1,1", "a,b,c,d,e"))] == [
        *("line 2: cust", "line 2: sku "),
        *("line 4: plac", "line 4: quan", "line 4: unit"),
    ]


def test_missing_columns_are_named(log):
    (problem,) = problems(log("x", header="customer;sku"))
    assert problem.startswith("line 1: ")
    assert "customer, placed_at, sku, quantity, unit_price" in problem


def test_a_log_without_purchases_or_without_anything_is_refused(log, tmp_path):
    assert problems(log()) == ["line 2: there is no purchase"]
    (tmp_path / "log.csv").write_bytes(b"")
    assert problems(tmp_path / "log.csv")[0].startswith("line 1: ")


def test_what_is_not_text_is_refused(log):
    assert "UTF-8" in problems(log("Zoë,2026-01-01,TEA,1,1", encoding="latin-1"))[0]


def test_the_row_that_makes_an_order_too_large_is_named(log):
    units = problems(log("ann,2026-01-01,TEA,9999,1", "ann,2026-01-01,TEA,1,1", "ann,2026-01-01,TEA,1,1"))
    assert units == ["line 4: the order of customer 'ann' on 2026-01-01 comes to more than 10000 units of 'TEA'"]
    lines = problems(log(*(f"ann,2026-01-01,SKU-{number},1,1" for number in range(101))))
    assert lines == ["line 102: the order of customer 'ann' on 2026-01-01 comes to more than 100 products"]


def test_the_same_seed_makes_up_the_same_orders_and_another_seed_others():
    plan = make_up(users=5, orders=50, seed=7)
    assert baskets(plan) == baskets(plan) == baskets(make_up(users=5, orders=50, seed=7))
    assert baskets(plan) != baskets(make_up(users=5, orders=50, seed=8))
    assert plan.prices == make_up(users=9, orders=1, seed=8).prices


def test_made_up_orders_can_be_placed():
    plan = make_up(users=3, orders=200, seed=1)
    placed = baskets(plan)
    assert len(placed) == plan.orders == 200
    assert {customer for customer, _ in placed} == set(plan.customers)
    assert len(plan.customers) == 3
    assert all(units and units.keys() <= plan.prices.keys() for _, units in placed)
    assert {quantity for _, units in placed for quantity in units.values()} == {1, 2, 3}
    assert all(price > 0 and round(price, 2) == price for price in plan.prices.values())
