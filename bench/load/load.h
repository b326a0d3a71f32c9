/* A load generator for TCP: what its parts share. */
#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdint.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof *(array))
#define NS_PER_S 1000000000ull

/* Each part parses its own options, prints one JSON object on stdout, and returns an exit status. */
int churn(int argc, char **argv);
int steady(int argc, char **argv);
int bulk(int argc, char **argv);

/* The number after the option argv[*i]; moves *i to it. Ends the program unless it is within
 * the bounds. */
uint64_t number_option(int argc, char **argv, int *i, uint64_t least, uint64_t most);

/* Says on stderr what went wrong, with errno's text, and ends the program. */
void die(const char *attempt) __attribute__((noreturn));
void unknown_option(const char *option) __attribute__((noreturn));

uint64_t now_ns(void);
void sleep_until(uint64_t ns);

/* A listener on all addresses, on a port that the kernel chooses; sets the port. */
int listen_anywhere(in_port_t *port);

/* 127.block.n, for n modulo 2^16: many addresses, so that ports do not run out. */
struct sockaddr_in loopback(unsigned block, uint64_t n, in_port_t port);

/* Transfer everything. Return 0, or -1 on an error or when the peer has ended. */
int send_all(int socket, const char *bytes, size_t length);
int receive_all(int socket, char *bytes, size_t length);

#endif
