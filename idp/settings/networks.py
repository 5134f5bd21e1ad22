"""Networks that an operator names."""

from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


def unmapped(networks: tuple[Network, ...]) -> tuple[Network, ...]:
    """Networks of mapped IPv4 addresses as the IPv4 networks that they are (RFC 4291 2.5.5.2).

    Every address is read so before it is compared with them.
    """
    return tuple(_unmapped(each) for each in networks)


def _unmapped(network: Network) -> Network:
    if isinstance(network, IPv4Network) or network.prefixlen < 96 or network.network_address.ipv4_mapped is None:
        return network
    return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
