/* What all parts of the load generator share: limits, clocks, and how it gives up. */
#ifndef COMMON_H
#define COMMON_H

#include <stdint.h>

/* Nothing here waits longer: an end without its other end is a fault of this program. */
#define PATIENCE_MS 20000

enum side { CLIENT, SERVER };

struct options {
	uint64_t seed;
	unsigned seconds;
	unsigned sessions; /* at most, of all clients together */
	unsigned rate;     /* sessions a second, of all clients together */
	unsigned clients;  /* processes with threads */
	unsigned threads;  /* of each of them */
	unsigned forkers;  /* more clients, of one thread each, that fork */
	const char *folder;   /* of the ledgers */
	const char *address4; /* own addresses that are not loopback's */
	const char *address6;
	const char *hole4;    /* addresses that nobody answers at */
	const char *hole6;
};

extern struct options options;

/* Ends the whole program: a process that fails takes the others with it. */
_Noreturn void die(const char *what, ...) __attribute__((format(printf, 1, 2)));

/* CLOCK_BOOTTIME in nanoseconds. */
uint64_t now(void);

/* Names the thread, also for the kernel. */
void name_thread(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
