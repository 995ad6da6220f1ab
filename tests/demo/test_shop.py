"""The customers of `manage.py demo`, on an API that does not do what they expect."""

from collections.abc import Callable

import httpx
import pytest

from project.demo import shop
from project.demo.shop import DemoFailed
from tests.demo.plans import ignore_progress

API = "http://shop.example/api/v1/"
CUSTOMER = {"Authorization": "Bearer a-token"}


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(base_url=API, transport=httpx.MockTransport(answer))


def test_the_orders_of_a_customer_are_read_from_all_pages():
    pages = {
        "": {"results": [{"id": 1}, {"id": 2}], "next": f"{API}orders/?cursor=b"},
        "b": {"results": [{"id": 3}], "next": f"{API}orders/?cursor=c"},
        "c": {"results": [{"id": 4}], "next": None},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == CUSTOMER["Authorization"]
        return httpx.Response(200, json=pages[request.url.params.get("cursor", "")])

    assert [order["id"] for order in shop.own_orders(client(answer), CUSTOMER)] == [1, 2, 3, 4]


def test_orders_are_read_again_until_all_are_settled():
    answers = iter(["placed", "backordered", "confirmed"])

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"results": [{"id": 1, "status": next(answers)}], "next": None})

    settled = shop.settled_orders(client(answer), customers=[CUSTOMER], expected=1, progress=ignore_progress)
    assert settled == [{"id": 1, "status": "confirmed"}]


def test_orders_that_stay_unsettled_fail_the_demo(monkeypatch):
    monkeypatch.setattr(shop, "SETTLING_LIMIT_S", 0.1)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"results": [{"id": 1, "status": "placed"}], "next": None})

    with pytest.raises(DemoFailed, match=r"after 0\.1 s only 0 of 1 orders are settled"):
        shop.settled_orders(client(answer), customers=[CUSTOMER], expected=1, progress=ignore_progress)


def test_a_refused_request_fails_the_demo_with_the_answer():
    refuse = client(lambda request: httpx.Response(409, text="sold out"))
    with pytest.raises(DemoFailed, match=r"^POST orders/ was answered 409: sold out$"):
        shop.call(refuse, "POST", "orders/")


def test_a_server_that_does_not_answer_fails_the_demo():
    def break_off(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too late", request=request)

    with pytest.raises(DemoFailed, match=r"^GET products/: too late$"):
        shop.call(client(break_off), "GET", "products/")
