#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common.h"

struct address make_address(bool ipv6_socket, bool ipv6_packets, const char *text, int port)
{
	struct address address = { .length = sizeof(struct sockaddr_in6) };
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address.bytes;
	char mapped[64];

	if (!ipv6_socket) {
		address.length = sizeof(*ipv4);
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons((uint16_t)port);
		if (inet_pton(AF_INET, text, &ipv4->sin_addr) != 1)
			die("%s is no IPv4 address", text);
		return address;
	}
	snprintf(mapped, sizeof(mapped), "%s%s", ipv6_packets ? "" : "::ffff:", text);
	address.bytes.sin6_family = AF_INET6;
	address.bytes.sin6_port = htons((uint16_t)port);
	if (inet_pton(AF_INET6, mapped, &address.bytes.sin6_addr) != 1)
		die("%s is no IPv6 address", mapped);
	return address;
}

int make_socket(bool ipv6, bool only_ipv6)
{
	int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, IPPROTO_TCP);
	int only = only_ipv6;

	if (fd < 0)
		die("cannot make a socket");
	if (ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)))
		die("cannot choose IP versions");
	return fd;
}

void bind_anywhere(int fd, bool ipv6)
{
	struct address any = make_address(ipv6, ipv6, ipv6 ? "::" : "0.0.0.0", 0);

	if (bind(fd, (struct sockaddr *)&any.bytes, any.length))
		die("cannot bind");
}

int port_of(int fd)
{
	struct sockaddr_in6 address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length))
		die("cannot read a port");
	return ntohs(address.sin6_port); /* at the same place in IPv4's */
}
