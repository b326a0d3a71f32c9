/* What OTLP requests hold: the ids of their spans. */
#ifndef SPANS_H
#define SPANS_H

#include <stddef.h>
#include <stdint.h>

struct counts {
	uint64_t spans;    /* all of them */
	uint64_t matching; /* of the network namespace */
	uint64_t distinct; /* ids of the matching ones */
};

/* Counts the spans whose attribute tcpspan.netns is this number as matching. */
void select_netns(uint64_t inode);

/* Takes an ExportTraceServiceRequest in protobuf. Returns 0, or -1 if it is invalid. */
int take_request(const uint8_t *bytes, size_t length);

/* Sorts what was taken: too slow to call for every request. */
struct counts count_spans(void);

/* Forgets what was taken. */
void forget_spans(void);

#endif
