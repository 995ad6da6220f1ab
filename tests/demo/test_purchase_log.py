"""The orders of a simulation, read from a purchase log or random."""

from collections import Counter
from decimal import Decimal

import pytest

from project.demo.simulation_plan import InvalidLog, random_plan, read_log

HEADER = "customer,placed_at,sku,quantity,unit_price"


@pytest.fixture
def log(tmp_path):
    """Write a log with these lines and return its path."""

    def log(*lines: str, header: str = HEADER, encoding: str = "utf-8"):
        path = tmp_path / "log.csv"
        path.write_text("\n".join((header, *lines)) + "\n", encoding=encoding)
        return path

    return log


def baskets(plan) -> list[tuple[str, dict[str, int]]]:
    return [(basket.customer, dict(basket.units)) for basket in plan.baskets()]


def problems(path) -> list[str]:
    with pytest.raises(InvalidLog) as refusal:
        read_log(path)
    return list(refusal.value.problems)


def test_rows_of_one_customer_and_day_are_one_order_in_any_row_order(log):
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


def test_quantities_of_a_repeated_product_add_up(log):
    plan = read_log(log("ann,2026-01-01,TEA,1,2.50", "ann,2026-01-01,TEA,4,2.50"))
    assert baskets(plan) == [("ann", {"TEA": 5})]


def test_demand_adds_up_the_units_of_all_orders(log):
    plan = read_log(log("ann,2026-01-01,TEA,1,2.50", "bob,2026-01-01,TEA,4,2.50", "bob,2026-01-03,CUP,2,1"))
    assert plan.demand() == Counter(TEA=5, CUP=2)


def test_latest_price_of_a_product_is_used(log):
    plan = read_log(log("ann,2026-01-03,TEA,1,3.00", "ann,2026-01-02,TEA,1,2.00", "ann,2026-01-01,TEA,1,1.00"))
    assert plan.prices == {"TEA": Decimal("3.00")}


def test_header_accepts_any_order_extra_columns_spaces_and_a_byte_order_mark(log):
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
        ("ann,2026-02-30,TEA,1,2.50", "placed_at '2026-02-30' is not a date"),
        ("ann,yesterday,TEA,1,2.50", "placed_at 'yesterday' is not a date"),
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
        ("ann,2026-01-01,TEA,1,2.50,more", "more values than the header has columns"),
    ],
)
def test_invalid_row_is_reported_with_line_and_reason(log, row, reason):
    (problem,) = problems(log("bob,2026-01-01,TEA,1,2.50", row))
    assert problem.startswith("line 3: ")
    assert reason in problem


def test_all_errors_are_reported_in_row_order(log):
    assert [problem[:12] for problem in problems(log(",2026-01-01,,1,1", "ann,2026-01-01,TEA,1,1", "a,b,c,d,e"))] == [
        *("line 2: cust", "line 2: sku "),
        *("line 4: plac", "line 4: quan", "line 4: unit"),
    ]


def test_missing_columns_are_named(log):
    (problem,) = problems(log("x", header="customer;sku"))
    assert problem.startswith("line 1: ")
    assert "customer, placed_at, sku, quantity, unit_price" in problem


def test_log_without_purchases_and_empty_file_are_refused(log, tmp_path):
    assert problems(log()) == ["line 2: the log has no purchase"]
    (tmp_path / "log.csv").write_bytes(b"")
    assert problems(tmp_path / "log.csv")[0].startswith("line 1: ")


def test_log_that_is_not_utf_8_is_refused(log):
    assert "UTF-8" in problems(log("Zoë,2026-01-01,TEA,1,1", encoding="latin-1"))[0]


def test_row_that_makes_an_order_too_large_is_named(log):
    units = problems(log("ann,2026-01-01,TEA,9999,1", "ann,2026-01-01,TEA,1,1", "ann,2026-01-01,TEA,1,1"))
    assert units == ["line 4: the order of customer 'ann' on 2026-01-01 comes to more than 10000 units of 'TEA'"]
    lines = problems(log(*(f"ann,2026-01-01,SKU-{number},1,1" for number in range(101))))
    assert lines == ["line 102: the order of customer 'ann' on 2026-01-01 comes to more than 100 products"]


def test_seed_determines_the_random_orders():
    plan = random_plan(users=5, orders=50, seed=7)
    assert baskets(plan) == baskets(plan) == baskets(random_plan(users=5, orders=50, seed=7))
    assert baskets(plan) != baskets(random_plan(users=5, orders=50, seed=8))
    assert plan.prices == random_plan(users=9, orders=1, seed=8).prices


def test_random_orders_are_valid():
    plan = random_plan(users=3, orders=200, seed=1)
    placed = baskets(plan)
    assert len(placed) == plan.orders == 200
    assert {customer for customer, _ in placed} == set(plan.customers)
    assert len(plan.customers) == 3
    assert all(units and units.keys() <= plan.prices.keys() for _, units in placed)
    assert {quantity for _, units in placed for quantity in units.values()} == {1, 2, 3}
    assert all(price > 0 and round(price, 2) == price for price in plan.prices.values())


def test_a_value_longer_than_csv_files_may_have_is_reported_with_its_line(log):
    (problem,) = problems(log("ann,2026-01-01,CUP,1,4.50", f"{'x' * 200_000},2026-01-01,CUP,1,4.50"))
    assert problem == "line 3: field larger than field limit (131072)"
