"""A policy that cannot be followed is refused; hashes are HMACs; the key is shown nowhere."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.personal_data import Policy, shape_of

KEY = "a secret of the house"


def test_the_key_is_long_enough() -> None:
    assert Policy("hash", "0123456789abcdef").mode == "hash"
    for key in ("", "0123456789abcde"):
        with pytest.raises(ValueError, match="wants a key of 16 characters or more") as refused:
            Policy("hash", key)
        assert not key or key not in str(refused.value)


def test_there_is_no_other_mode() -> None:
    with pytest.raises(ValueError, match="'hide'; wants keep, hash, drop"):
        Policy("hide")  # type: ignore[arg-type]


def test_personal_data_is_kept_unless_something_else_is_said() -> None:
    assert Policy() == Policy("keep")
    assert Policy().keeps
    assert not Policy("hash", KEY).keeps
    assert not Policy("drop").keeps


def test_a_hash_is_an_hmac_as_others_compute_it() -> None:
    # Test case 1 of RFC 4231.
    assert Policy("hash", "\x0b" * 20).masked_text("Hi There") == "b0344c61d8db38535ca8afceaf0bf12b"


def test_what_is_empty_stays_empty() -> None:
    assert Policy("hash", KEY).masked_text("") == ""


def test_another_policy_or_key_has_another_fingerprint() -> None:
    policies = [Policy(), Policy("drop"), Policy("hash", KEY), Policy("hash", f"{KEY}.")]
    assert len({policy.fingerprint for policy in policies}) == 4
    assert Policy("hash", KEY).fingerprint == Policy("hash", KEY).fingerprint


def test_the_key_is_not_shown() -> None:
    policy = Policy("hash", KEY)
    for shown in (repr(policy), str(policy), f"{policy}", policy.fingerprint, repr(policy.parameters)):
        assert KEY not in shown


@given(st.text(min_size=16, max_size=150), st.text(min_size=1))
def test_any_key_and_any_text(key: str, text: str) -> None:
    expected = hmac.new(key.encode(), text.encode(), "sha256").hexdigest()[:32]
    assert Policy("hash", key).masked_text(text) == expected


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('{"name": "Lotte P.", "phone": "+32 9 012"}', '{"xxxx": "xxxxx x.", "xxxxx": "+00 0 000"}'),
        ("株式会社 ٣٤ é🙂", "xxxx xx xx"),
        ("\t\n~!", "\t\n~!"),
        ("", ""),
    ],
)
def test_a_shape_has_no_letter_and_no_digit_of_the_text(text: str, shape: str) -> None:
    assert shape_of(text) == shape


@given(st.text())
def test_a_shape_is_as_long_as_its_text_and_says_nothing_else(text: str) -> None:
    shape = shape_of(text)
    assert len(shape) == len(text)
    assert set(shape) <= {"x", "0", *(chr(code) for code in range(128) if not chr(code).isalnum())}
