"""The channels that messages come from, with the vendor's names for them."""

from dataclasses import dataclass
from typing import Literal

AuthorStyle = Literal["number", "handle", "domain", "phone", "address", "visitor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One kind of incoming message.

    `service`, `provider` and `category` are the values of `source.service`, `source.type` and `source.category`.
    """

    name: str
    service: str
    provider: str
    category: str
    domain: str
    message_types: tuple[str, ...]
    author: AuthorStyle = "handle"
    private: bool = False
    """A conversation between two: it becomes a case by itself, may be taken by a bot and can end in a survey."""
    stripped: bool = False
    """The network's terms forbid passing its content on: only identifiers and the product's own fields are shown."""
    html: bool = False
    review: bool = False
    crawled: bool = False
    """Found by visiting pages, so it is added in batches and long after publication."""


CHANNELS: tuple[Channel, ...] = (
    Channel(
        name="twitter",
        service="twitter",
        provider="SearchProviderTwitter",
        category="social",
        domain="twitter.com",
        message_types=("user_tweet", "user_mention", "retweet"),
        author="number",
        stripped=True,
    ),
    Channel(
        name="facebook",
        service="facebook",
        provider="SearchProviderFacebook",
        category="social",
        domain="facebook.com",
        message_types=("post", "comment", "comment", "photo", "shared"),
    ),
    Channel(
        name="facebook_messages",
        service="facebook",
        provider="SearchProviderFacebook",
        category="social",
        domain="facebook.com",
        message_types=("privatemessage",),
        private=True,
        html=True,
    ),
    Channel(
        name="instagram",
        service="instagram_business_profile",
        provider="SearchProviderInstagramBusinessProfile",
        category="social_photos",
        domain="instagram.com",
        message_types=("comment", "comment", "photo", "video"),
    ),
    Channel(
        name="youtube",
        service="youtube",
        provider="SearchProviderYoutube",
        category="social_videos",
        domain="youtube.com",
        message_types=("comment", "video"),
        author="number",
        stripped=True,
    ),
    Channel(
        name="tiktok",
        service="tiktok",
        provider="SearchProviderTiktok",
        category="social_videos",
        domain="tiktok.com",
        message_types=("comment",),
        author="number",
        stripped=True,
    ),
    Channel(
        name="whatsapp",
        service="whatsapp_cloud_api",
        provider="SearchProviderWhatsAppCloudApi",
        category="conversations",
        domain="whatsapp.com",
        message_types=("privatemessage",),
        author="phone",
        private=True,
        html=True,
    ),
    Channel(
        name="linkedin",
        service="linkedin_company_v2",
        provider="SearchProviderLinkedInCompaniesV2",
        category="social",
        domain="linkedin.com",
        message_types=("comment", "post"),
    ),
    Channel(
        name="location_reviews",
        service="gominga_locations",
        provider="SearchProviderGomingaLocations",
        category="locations",
        domain="google.com",
        message_types=("review",),
        review=True,
        crawled=True,
    ),
    Channel(
        name="product_reviews",
        service="gominga_products",
        provider="SearchProviderGomingaProducts",
        category="products",
        domain="bol.com",
        message_types=("review",),
        review=True,
        crawled=True,
    ),
    Channel(
        name="tripadvisor",
        service="tripadvisor",
        provider="SearchProviderTripadvisor",
        category="reviews",
        domain="tripadvisor.com",
        message_types=("review",),
        review=True,
        crawled=True,
    ),
    Channel(
        name="blogs",
        service="rss",
        provider="SearchProviderRss",
        category="blogs",
        domain="cobblehillblog.com",
        message_types=("post",),
        author="domain",
        crawled=True,
    ),
    Channel(
        name="news",
        service="keywordsearch",
        provider="SearchProviderMoreOver",
        category="news_local",
        domain="nieuwsblad.be",
        message_types=("link", "other"),
        author="domain",
        crawled=True,
    ),
    Channel(
        name="forum",
        service="lithium",
        provider="SearchProviderLithium",
        category="forums",
        domain="community.aurelle.example",
        message_types=("question", "answer", "reply"),
        author="visitor",
    ),
    Channel(
        name="email",
        service="email_mailbox",
        provider="SearchProviderEmail",
        category="email",
        domain="aurelle.example",
        message_types=("email",),
        author="address",
        private=True,
        html=True,
    ),
    Channel(
        name="web_chat",
        service="web",
        provider="SearchProviderWeb",
        category="conversations",
        domain="aurelle.example",
        message_types=("live_chat",),
        author="visitor",
        private=True,
    ),
    Channel(
        name="sms",
        service="twilio",
        provider="SearchProviderTwilio",
        category="conversations",
        domain="twilio.com",
        message_types=("privatemessage",),
        author="phone",
        private=True,
        html=True,
    ),
)
