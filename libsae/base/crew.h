/* Of many handles few hold something scarce at a time, such as a process: those used last. */
#ifndef SAEI_CREW_H
#define SAEI_CREW_H

#include "sae/base.h"

#include <pthread.h>

enum { SAEI_CREW_MAX = 16 };

typedef struct saei_crew_member saei_crew_member;

struct saei_crew_member {
    void (*dismiss)(saei_crew_member *member); /* lets go of what is scarce */
    pthread_mutex_t busy;
    saei_crew_member *before, *after; /* in the order of use */
    bool listed;
};

/* Those that hold something; part of a context. */
typedef struct saei_crew {
    pthread_mutex_t
        lock; /* guards the list. Whoever holds it only tries a `busy`, so that none waits for another */
    saei_crew_member *first, *last; /* used last; used longest ago */
    size_t n;
} saei_crew;

void saei_crew_init(saei_crew *crew);
void saei_crew_destroy(saei_crew *crew);

void saei_crew_member_init(saei_crew_member *member, void (*dismiss)(saei_crew_member *member));

/* Between these two calls the member may hold what is scarce, and keeps it until it is dismissed, by the
   entering of others or by saei_crew_leave. One thread at a time is inside. */
void saei_crew_enter(sae_context *context, saei_crew_member *member);
void saei_crew_exit(saei_crew_member *member);

/* Dismisses the member. No thread may be inside. */
void saei_crew_leave(sae_context *context, saei_crew_member *member);

/* Destroys what saei_crew_member_init made, of a member that has left. */
void saei_crew_member_destroy(saei_crew_member *member);

#endif
