#include "base/crew.h"
#include "base/context.h"

void saei_crew_init(saei_crew *crew)
{
    *crew = (saei_crew){.n = 0};
    pthread_mutex_init(&crew->lock, NULL);
}

void saei_crew_destroy(saei_crew *crew)
{
    pthread_mutex_destroy(&crew->lock);
}

void saei_crew_member_init(saei_crew_member *member, void (*dismiss)(saei_crew_member *member))
{
    *member = (saei_crew_member){.dismiss = dismiss};
    pthread_mutex_init(&member->busy, NULL);
}

void saei_crew_member_destroy(saei_crew_member *member)
{
    pthread_mutex_destroy(&member->busy);
}

static void unlist(saei_crew *crew, saei_crew_member *member)
{
    if (!member->listed)
        return;
    *(member->before != NULL ? &member->before->after : &crew->first) = member->after;
    *(member->after != NULL ? &member->after->before : &crew->last) = member->before;
    member->listed = false;
    crew->n--;
}

static void list_first(saei_crew *crew, saei_crew_member *member)
{
    member->before = NULL;
    member->after = crew->first;
    *(crew->first != NULL ? &crew->first->before : &crew->last) = member;
    crew->first = member;
    member->listed = true;
    crew->n++;
}

/* Those that are busy keep theirs: there are no more of them than threads. */
static void dismiss_surplus(saei_crew *crew)
{
    for (saei_crew_member *m = crew->last; m != NULL && crew->n > SAEI_CREW_MAX;) {
        saei_crew_member *before = m->before;
        if (pthread_mutex_trylock(&m->busy) == 0) {
            m->dismiss(m);
            unlist(crew, m);
            pthread_mutex_unlock(&m->busy);
        }
        m = before;
    }
}

void saei_crew_enter(sae_context *context, saei_crew_member *member)
{
    saei_crew *crew = &context->crew;
    pthread_mutex_lock(&member->busy);
    pthread_mutex_lock(&crew->lock);
    unlist(crew, member);
    list_first(crew, member);
    dismiss_surplus(crew);
    pthread_mutex_unlock(&crew->lock);
}

void saei_crew_exit(saei_crew_member *member)
{
    pthread_mutex_unlock(&member->busy);
}

void saei_crew_leave(sae_context *context, saei_crew_member *member)
{
    saei_crew *crew = &context->crew;
    pthread_mutex_lock(&crew->lock);
    unlist(crew, member);
    pthread_mutex_unlock(&crew->lock);
    member->dismiss(member);
}
