/* The processes that connect. */
#ifndef CLIENT_H
#define CLIENT_H

/* All sessions of one client process that has threads, or of one that forks. */
void run_client(unsigned number);
void run_forker(unsigned number);

#endif
