/* Where to connect to. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>

#include "plan.h"

/* A socket address of any family. */
struct address {
	struct sockaddr_in6 bytes;
	socklen_t length;
};

/* @text: an address of the packets' family, which an IPv6 socket may map */
struct address make_address(bool ipv6_socket, bool ipv6_packets, const char *text, int port);
/* A stream socket. @only_ipv6: whether an IPv6 socket speaks only IPv6 */
int make_socket(bool ipv6, bool only_ipv6);
/* Binds to any address, and a port that the kernel chooses. */
void bind_anywhere(int fd, bool ipv6);
int port_of(int fd);

#endif
