/* The processes that accept. */
#ifndef SERVER_H
#define SERVER_H

/* Starts all of them; they listen when this returns. */
void start_servers(void);
/* Ends them, when no session is open any more. */
void stop_servers(void);

#endif
