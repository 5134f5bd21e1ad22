"""The checks of `idp doctor` that ask DNS whether others believe our mail: SPF, DKIM, DMARC of whom it comes from."""

from collections.abc import Iterator, Sequence

from idp.flows.checks import dns
from idp.flows.checks.dns import NoAnswer, Resolver
from idp.flows.checks.findings import OK, WARN, Finding
from idp.sentences import as_it_is, mark, sentence
from idp.settings import Settings


def mail(settings: Settings, servers: Sequence[Resolver] | None = None) -> list[Finding]:
    """What DNS says of the sender's domain; nothing where no mail is sent, or only on this machine."""
    sender = settings.smtp_from
    if sender is None or "." not in sender.domain:
        return []
    envelope = (settings.smtp_bounces or sender).domain
    asked = dns.resolvers() if servers is None else servers
    found: list[Finding] = []
    try:
        found += _spf(envelope, asked)
        found += _dkim(sender.domain, settings.smtp_dkim, asked)
        found += _dmarc(sender.domain, asked)
    except NoAnswer:
        # This machine may not be the one that sends, or DNS has a bad minute: that is no fault of the mail.
        unsaid = sentence("DNS did not answer, so SPF, DKIM and DMARC were not all looked at")
        found.append(Finding("mail", OK, unsaid))
    return found


def _spf(domain: str, servers: Sequence[Resolver]) -> Iterator[Finding]:
    records = [text for text in dns.texts(domain, servers) if text.split(" ")[0].lower() == "v=spf1"]
    if not records:
        record = '"v=spf1 include:_spf.your-mail-server.example -all"'
        found = sentence("%(domain)s does not say which servers send its mail", domain=domain)
        yield Finding("spf", WARN, found, sentence(_ADD, name=domain, record=record))
    elif len(records) > 1:
        # RFC 7208 4.5: more than one is an error, and none counts
        found = sentence("%(domain)s has %(count)s SPF records, so none counts", domain=domain, count=len(records))
        yield Finding("spf", WARN, found, sentence("keep one"))
    elif {"all", "+all"} & set(records[0].lower().split()):
        found = sentence("%(domain)s lets anybody send its mail (+all)", domain=domain)
        yield Finding("spf", WARN, found, sentence("end the record with -all"))
    else:
        yield Finding("spf", OK, as_it_is(f"{domain}: {records[0][:80]}"))


def _dkim(domain: str, selector: str | None, servers: Sequence[Resolver]) -> Iterator[Finding]:
    if selector is None:
        advice = sentence("set IDP_SMTP_DKIM to the selector that your mail server signs with")
        yield Finding("dkim", OK, sentence("not looked at, for nobody said where the key is"), advice)
        return
    name = f"{selector}._domainkey.{domain}"
    keys = [tags["p"] for text in dns.texts(name, servers) if "p" in (tags := _tags(text))]
    if not keys:
        found = sentence("there is no key at %(name)s", name=name)
        yield Finding("dkim", WARN, found, sentence("publish what your mail server signs with"))
    elif not any(keys):
        # RFC 6376 3.6.1: an empty key was revoked
        found = sentence("the key at %(name)s was revoked", name=name)
        yield Finding("dkim", WARN, found, sentence("sign with another, and set IDP_SMTP_DKIM"))
    else:
        yield Finding("dkim", OK, sentence("a key at %(name)s", name=name))


def _dmarc(domain: str, servers: Sequence[Resolver]) -> Iterator[Finding]:
    labels = domain.split(".")
    # RFC 7489 6.6.3: its own, else that of the organization, which is one of those above
    for above in range(len(labels) - 1):
        name = ".".join(labels[above:])
        policies = [_tags(text) for text in dns.texts(f"_dmarc.{name}", servers) if text.startswith("v=DMARC1")]
        if len(policies) != 1:
            continue
        policy = policies[0].get("sp" if above else "p") or policies[0].get("p", "")
        if policy.lower() in {"quarantine", "reject"}:
            yield Finding("dmarc", OK, sentence(_DONE[policy.lower()], name=name))
        else:
            found = sentence(
                "%(name)s says p=%(policy)s: whoever writes in your name is let through",
                name=name,
                policy=policy or "?",
            )
            advice = sentence('say "p=quarantine" or "p=reject" once your own mail passes')
            yield Finding("dmarc", WARN, found, advice)
        return
    record = f'"v=DMARC1; p=quarantine; rua=mailto:dmarc@{domain}"'
    unsaid = sentence("%(domain)s does not say what to do with mail that is not its own", domain=domain)
    yield Finding("dmarc", WARN, unsaid, sentence(_ADD, name=f"_dmarc.{domain}", record=record))


_ADD = mark("add a TXT record to %(name)s, as in %(record)s")
_DONE = {
    "quarantine": mark("%(name)s: mail that is not ours is to be set aside"),
    "reject": mark("%(name)s: mail that is not ours is to be rejected"),
}


def _tags(text: str) -> dict[str, str]:
    """The `tag=value` pairs of DKIM and DMARC records (RFC 6376 3.2)."""
    pairs = (pair.partition("=") for pair in text.split(";"))
    return {name.strip(): "".join(value.split()) for name, equals, value in pairs if equals}
