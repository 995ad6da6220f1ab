"""Mutants of log-ins, tokens, throttles and secrets (tests/mutants.py)."""

from tests.mutant import Mutant

ATTEMPTS, SESSIONS = "tests/users/test_attempts.py", "tests/users/test_sessions.py"
THROTTLES = "tests/api/test_throttles.py"
HASHERS, PRODUCTION = "tests/users/test_hashers.py", "tests/console/test_production.py"

LOGINS_MUTANTS: list[Mutant] = [
    Mutant(
        name="the count before the check of a password",
        file="users/login.py",
        old="        attempt = attempts.begin(email=email, address=client_address(request) if request else None)\n"
        "        try:\n            user = super().authenticate(request, username=email, password=password)\n",
        new="        try:\n            user = super().authenticate(request, username=email, password=password)\n"
        "            attempt = attempts.begin(email=email, address=client_address(request) if request else None)\n",
        tests=f"{ATTEMPTS}::test_of_parallel_guesses_no_more_are_checked_than_the_limit_allows",
        postgresql=True,
    ),
    Mutant(
        name="the lock on the count of log-ins",
        file="users/attempts.py",
        old="rows = LogInAttempts.objects.select_for_update()",
        new="rows = LogInAttempts.objects",
        tests=f"{ATTEMPTS}::test_two_who_count_at_the_same_time_wait_for_each_other",
        postgresql=True,
    ),
    Mutant(
        name="the growth of lock-outs",
        file="users/attempts.py",
        old="FIRST_LOCK_S * 2**doublings",
        new="FIRST_LOCK_S",
        tests=f"{ATTEMPTS}::test_a_lock_out_ends_and_the_next_one_is_twice_as_long_up_to_an_hour",
    ),
    Mutant(
        name="that a success leaves the count of the address",
        file="users/attempts.py",
        old="if count.limit is ACCOUNT:",
        new="if count.limit:",
        tests=f"{ATTEMPTS}::test_a_success_forgets_the_failures_of_the_account_but_not_of_the_address",
    ),
    Mutant(
        name="the HMAC in the table of log-ins",
        file="users/attempts.py",
        old='return salted_hmac("users.attempts", f"{self.name}:{subject}", algorithm="sha256").hexdigest()',
        new="return subject",
        tests=f"{ATTEMPTS}::test_the_table_tells_no_address_and_no_account",
    ),
    Mutant(
        name="that attempts in no slot count for nobody",
        file="users/login.py",
        old="            attempt.was_not_checked()\n",
        new="",
        tests=HASHERS,
    ),
    Mutant(
        name="the slots of hashing",
        file="users/hashers.py",
        old="slots = BoundedSemaphore(PARALLEL)",
        new="slots = BoundedSemaphore(PARALLEL + 6)",
        tests=f"{HASHERS}::test_no_more_are_hashed_at_the_same_time_than_there_are_slots",
    ),
    Mutant(
        name="the old password in the admin",
        file="project/urls.py",
        old='    path("admin/password_change/", change_own_password),\n',
        new="",
        tests=f"{ATTEMPTS}::test_the_old_password_in_the_admin_counts_like_a_log_in",
    ),
    Mutant(
        name="that only superusers clear lock-outs",
        file="users/admin.py",
        old="return bool(request.user.is_superuser)",
        new="return True",
        tests=f"{ATTEMPTS}::test_a_superuser_sees_and_clears_lock_outs_and_others_cannot",
    ),
    Mutant(
        name="the end of a session whose token is used again",
        file="users/tokens.py",
        old="        session.end(RefreshSession.Reason.REUSED)\n",
        new="",
        tests=f"{SESSIONS}::test_a_used_token_ends_the_session_for_both_holders",
    ),
    Mutant(
        name="the condition on which a token is used up",
        file="users/tokens.py",
        old='pk=session.pk, jti=token["jti"], ended_at=None',
        new="pk=session.pk, ended_at=None",
        tests=SESSIONS,
    ),
    Mutant(
        name="the end of sessions when an account changes",
        file="users/models.py",
        old="                RefreshSession.objects.end_all(user=self)\n",
        new="                pass\n",
        tests=SESSIONS,
    ),
    Mutant(
        name="that a refresh compares the password",
        file="users/tokens.py",
        old=" or token.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password)",
        new="",
        tests=f"{SESSIONS}::test_a_change_of_password_or_address_or_a_deactivation_ends_all_sessions",
    ),
    Mutant(
        name="the key of tokens",
        file="project/security_settings.py",
        old="map(derived_token_key, [SECRET_KEY, *SECRET_KEY_FALLBACKS])",
        new="[SECRET_KEY, *SECRET_KEY_FALLBACKS]",
        tests=f"{SESSIONS}::test_a_token_of_another_algorithm_is_refused",
    ),
    Mutant(
        name="the one algorithm of tokens",
        file="users/tokens.py",
        old='super().__init__("HS256", keys[0]',
        new='super().__init__("HS512", keys[0]',
        tests=f"{SESSIONS}::test_a_token_of_another_algorithm_is_refused",
    ),
    Mutant(
        name="the JSON in the cache",
        file="project/cache_settings.py",
        old='            "serializer": "project.api.counters.JSONSerializer",\n',
        new="",
        tests=f"{THROTTLES}::test_a_redis_is_accepted_by_address_and_by_socket",
    ),
    Mutant(
        name="that the web process reads nothing but numbers from the cache",
        file="project/api/counters.py",
        old="        return int(cache.incr(key))\n",
        new="        import pickle\n\n        cache._cache._serializer.loads = pickle.loads\n        cache.get(key)\n"
        "        return int(cache.incr(key))\n",
        tests="tests/faults/test_guard_of_the_cache.py",
    ),
    Mutant(
        name="the refusal of other caches",
        file="project/cache_settings.py",
        old="if not set(dict(parse_qsl(parts.query, keep_blank_values=True))) <= REDIS_OPTIONS or",
        new="if",
        tests=f"{THROTTLES}::test_another_cache_is_refused_without_its_value",
    ),
    Mutant(
        name="the window in the key of a count",
        file="project/api/counters.py",
        old='key = f"{digest}:{int(time.time() // window)}"',
        new='key = f"{digest}"',
        tests=THROTTLES,
    ),
    Mutant(
        name="the HMAC in the key of a count",
        file="project/api/counters.py",
        old='digest = salted_hmac("orderly.counters", subject, algorithm="sha256").hexdigest()',
        new="digest = subject",
        tests=f"{THROTTLES}::test_a_key_of_the_cache_tells_no_address_and_expires",
    ),
    Mutant(
        name="the network of an IPv6 address",
        file="project/api/addresses.py",
        old="return str(IPv6Interface((address, IPV6_PREFIX)).network)",
        new="return str(address)",
        tests=f"{THROTTLES}::test_two_spellings_of_one_client_share_a_count",
    ),
    Mutant(
        name="one warning a minute",
        file="project/api/counters.py",
        old="self.next_at = time.monotonic() + WARNING_INTERVAL_S",
        new="self.next_at = time.monotonic()",
        tests=f"{THROTTLES}::test_while_the_cache_is_down_nobody_is_throttled_and_the_log_says_so_once",
    ),
    Mutant(
        name="the length of a secret",
        file="project/checks.py",
        old=": len(secret) < MIN_SECRET_LENGTH,",
        new=": False,",
        tests=f"{PRODUCTION}::test_a_weak_secret_is_refused_without_its_value",
    ),
    Mutant(
        name="the pattern in a secret",
        file="project/checks.py",
        old=": len(pieces) < 0.6 * min(len(secret), 100),",
        new=": False,",
        tests=f"{PRODUCTION}::test_a_weak_secret_is_refused_without_its_value",
    ),
    Mutant(
        name="the password of a server on another machine",
        file="project/checks.py",
        old="    if len(password) < MIN_PASSWORD_LENGTH:\n",
        new="    if not password:\n",
        tests=f"{PRODUCTION}::test_the_password_of_a_server_on_another_machine_must_be_long",
    ),
]
