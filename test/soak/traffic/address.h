/* Where to connect to. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>

#include "plan.h"

/* What a socket address is written in, whatever its family. */
struct address {
	struct sockaddr_in6 bytes;
	socklen_t length;
};

/* @text: of the family of the packets, which an IPv6 socket may map */
struct address make_address(bool ipv6_socket, bool ipv6_packets, const char *text, int port);
/* A stream socket; of an IPv6 one, whether it speaks IPv6 alone. */
int make_socket(bool ipv6, bool only_ipv6);
/* To any address, and a port of the kernel's choice. */
void bind_anywhere(int fd, bool ipv6);
int port_of(int fd);

#endif
