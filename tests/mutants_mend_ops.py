"""The safeguards that an operations review found missing (tests/mutants.py)."""

from tests.mutant import Mutant

MEND_OPS_MUTANTS = [
    Mutant(
        name="guard: a queue of another type under a worker",
        file="project/bus/guard/transports/redis.py",
        old="self._delete_wrong_of_active_queues()\n                raise Empty from error",
        new="raise",
        tests="tests/faults/test_wrong_types.py::test_a_key_that_may_not_be_deleted_is_reported_once_and_readyz_names_its_queue",
    ),
    Mutant(
        name="guard: a queue of another type at the start",
        file="project/bus/guard/transports/redis.py",
        old="self._delete_wrong(self._keys(queue))\n            return int",
        new="return int",
        tests="tests/faults/test_wrong_types.py::test_a_worker_starts_although_keys_have_another_type",
    ),
    Mutant(
        name="guard: bindings of another type",
        file="project/bus/guard/transports/redis.py",
        old="                self._delete_key(key)\n            super()._queue_bind",
        new="                pass\n            super()._queue_bind",
        tests="tests/faults/test_wrong_types.py::test_a_worker_starts_although_keys_have_another_type",
    ),
    Mutant(
        name="broker: the length of a message",
        file="project/console/harness/redis_server.py",
        old='        "proto-max-bulk-len": "1mb",\n',
        new="",
        tests="tests/console/test_harness.py::test_the_redis_server_takes_no_huge_message_and_no_more_than_its_memory",
    ),
    Mutant(
        name="web: an answer that a client takes slowly",
        file="project/console/harness/web_worker.py",
        old="piece, socket.MSG_DONTWAIT)",
        new="piece)",
        tests="tests/console/test_web_worker.py::test_fifty_clients_that_take_their_answers_slowly_keep_nobody_from_one",
    ),
    Mutant(
        name="web: the end of an answer",
        file="project/console/harness/web_worker.py",
        old="conn.timeout = time.monotonic() + ANSWER_S",
        new="conn.timeout = time.monotonic() + 1000",
        tests="tests/console/test_web_worker.py::test_a_client_that_takes_an_answer_too_slowly_is_given_up",
    ),
]
