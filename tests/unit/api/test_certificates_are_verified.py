"""The client speaks TLS with hosts alone whose certificate is theirs."""

import ssl

from pydantic import SecretStr

from pipelines.api import SocialConnect


def test_a_certificate_has_to_be_of_the_host_and_of_a_known_authority() -> None:
    with SocialConnect("https://api.engagor.com", [SecretStr("a-token")]) as api:
        context = api._http._transport._pool._ssl_context
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert not api._http.follow_redirects
