"""The hour of the rate limit is counted as its headers say."""

from sandbox.limits import RateLimit

NOW = 1_772_442_000


def test_calls_are_refused_when_the_hour_is_used_up_and_allowed_in_the_next() -> None:
    limit = RateLimit(2)
    assert [limit.spend(7, NOW + second, "fixed").allowed for second in (0, 10, 20)] == [True, True, False]
    assert limit.spend(7, NOW + 3_599, "fixed").reset_at == NOW + 3_600
    assert limit.spend(7, NOW + 3_600, "fixed").remaining == 1


def test_a_sliding_hour_gives_back_one_call_at_a_time() -> None:
    limit = RateLimit(2)
    for second in (0, 1_000):
        limit.spend(7, NOW + second, "sliding")
    assert limit.spend(7, NOW + 3_600, "sliding").allowed
    assert not limit.spend(7, NOW + 3_601, "sliding").allowed
    assert limit.spend(7, NOW + 4_600, "sliding").allowed


def test_an_hour_of_the_clock_begins_with_the_hour() -> None:
    limit, hour = RateLimit(2), NOW // 3_600 * 3_600
    spent = [limit.spend(7, hour + second, "clock_hour") for second in (3_500, 3_599, 3_599, 3_600)]
    assert [each.allowed for each in spent] == [True, True, False, True]
    assert [each.reset_at - hour for each in spent] == [3_600, 3_600, 3_600, 7_200]
    assert [each.frame_started_at for each in spent] == [hour, hour, hour, hour + 3_600]


def test_the_frame_of_a_call_is_told_unless_the_hour_slides() -> None:
    limit = RateLimit(5)
    assert [limit.spend(7, NOW + second, "fixed").frame_started_at for second in (0, 3_599, 3_600)] == [
        NOW,
        NOW,
        NOW + 3_600,
    ]
    assert limit.spend(8, NOW, "sliding").frame_started_at is None


def test_users_do_not_share_an_allowance() -> None:
    limit = RateLimit(1)
    assert limit.spend(7, NOW, "fixed").allowed
    assert limit.spend(8, NOW, "fixed").allowed


def test_a_refund_gives_the_call_back() -> None:
    limit = RateLimit(1)
    limit.spend(7, NOW, "fixed")
    limit.refund(7)
    assert limit.spend(7, NOW, "fixed").allowed


def test_headers_are_text_and_the_reset_can_be_left_out() -> None:
    headers = RateLimit(350).spend(7, NOW, "fixed").headers(with_reset=True)
    assert headers == {
        "x-ratelimit-limit": "350",
        "x-ratelimit-time": "3600",
        "x-ratelimit-remaining": "349",
        "x-ratelimit-reset": str(NOW + 3_600),
    }
    assert "x-ratelimit-reset" not in RateLimit(350).spend(7, NOW, "fixed").headers(with_reset=False)
