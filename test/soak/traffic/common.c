#include "common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

struct options options;

void die(const char *what, ...)
{
	int error = errno;
	char text[256], line[400];
	va_list arguments;

	va_start(arguments, what);
	vsnprintf(text, sizeof(text), what, arguments);
	va_end(arguments);
	snprintf(line, sizeof(line), "traffic: %s (last error: %s)\n", text, strerror(error));
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		_exit(3);
	_exit(1);
}

uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void name_thread(const char *format, ...)
{
	char name[16]; /* TASK_COMM_LEN */
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	prctl(PR_SET_NAME, name);
}
