#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "load.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} PARTS[] = { { "churn", churn }, { "steady", steady }, { "bulk", bulk } };

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing is left of a bench that was killed */
	prctl(PR_SET_TIMERSLACK, 1ul);
	for (size_t i = 0; argc > 1 && i < ARRAY_LENGTH(PARTS); i++)
		if (strcmp(argv[1], PARTS[i].name) == 0)
			return PARTS[i].run(argc - 2, argv + 2);
	fprintf(stderr,
		"usage: load churn [--threads N] [--seconds N] [--sessions N] [--rate N] [--rst]\n"
		"       load steady [--sockets N] [--processes N] [--messages N] [--seconds N]\n"
		"       load bulk [--connections N] [--seconds N]\n");
	return 2;
}
